"""
TLS of data connections: which session's it has to be, and at a shared port, which session's it is.

Not here: how a session is recognized (``tls_session``), and the course of the transfer (``dtp``).
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure

from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.transport.dtp import DataConnection
from twistftp.transport.secure import SecureTransport
from twistftp.transport.sockets import acknowledge
from twistftp.transport.tls_session import SessionTLS, resumed
from twistftp.wire.client_hello import Offer, offer_of

if TYPE_CHECKING:
    from OpenSSL import SSL

    from twistftp.transport.deadlines import Deadlines
    from twistftp.transport.leases import Lease
    from twistftp.transport.passive import PassiveListener

__all__ = ["Arrival", "protected"]

DECIDED = 30.0
"""Seconds for which a connection to a shared port may leave it open whose it is."""

_HANDSHAKE = b"\x16"  # how a ClientHello's record begins


def protected(connection: DataConnection, tls: SessionTLS, port: int = 0) -> SecureTransport:
    """A data connection of a session with PROT P, to our passive ``port`` if that is not 0; the result is the protocol for its transport."""

    def begin(octets: bytes) -> SSL.Connection | None:
        return _begin(connection, tls, octets, port)

    connection.handshake_timeout = tls.timeout()
    return SecureTransport(connection, begin, _secured(connection, tls))


def _begin(connection: DataConnection, tls: SessionTLS, octets: bytes, port: int) -> SSL.Connection | None:
    begun = tls.begin_data(octets, port)
    if begun is None:
        return None
    if begun[1] is not None:
        connection.refuse(Verdict(begun[1]) if octets.startswith(_HANDSHAKE) else Verdict(Cause.TLS_FAILED, reason="what came is not TLS"))
    return begun[0]


def _secured(connection: DataConnection, tls: SessionTLS) -> Any:
    def secured(ssl: SSL.Connection) -> None:
        tls.data_is_secure()
        if not connection.is_sending:
            acknowledge(connection.transport)
        if not tls.is_own_certificate(ssl):
            connection.refuse(Verdict(Cause.OTHER_CERTIFICATE))

    return secured


class Arrival:
    """
    A connection to a shared port until its ClientHello shows which session it resumes. If that is none of those who share the
    port, it is reset, and all of them lose the right to share, for it may have been any one's: the next time each has a port
    or a turn of its own.
    """

    def __init__(self, pool: Any, listener: PassiveListener, client: str, peer: tuple[str, int]) -> None:
        self._pool, self._listener, self._client, self._peer = pool, listener, client, peer
        self._deadlines: Deadlines = pool.deadlines
        self._is_decided = False
        crowd = listener.crowds.get(client, [])
        self._alone = crowd[0] if len(crowd) == 1 and not listener.undecided.get(client) else None
        listener.undecided[client] = listener.undecided.get(client, 0) + 1
        self.transport = SecureTransport(self, self._begin)

    def makeConnection(self, transport: Any) -> None:
        """It is connected: whoever of the crowd waits for the client may tell it to go on."""
        self._deadlines.watch(self, self._deadlines.seconds() + DECIDED)
        for lease in list(self._listener.crowds.get(self._client, ())):
            lease.knock()

    def _begin(self, octets: bytes) -> SSL.Connection | None:
        offer = offer_of(octets)
        if offer is Offer.UNKNOWN:
            return None
        crowd: list[Lease] = self._listener.crowds.get(self._client, [])
        by_session = {lease.tls: lease for lease in crowd if lease.tls is not None}
        found = resumed(by_session, octets, self._listener.port) if offer is Offer.SESSION else None
        if found is not None:
            self._hand_over(by_session[found[0]])
            return found[1]
        if offer is Offer.SESSION and any(session.is_stray(octets, self._listener.port) for session in islice(by_session, 1)):
            self.give_up()  # nobody's here, and nobody's fault
            return None
        if self._alone is not None and crowd == [self._alone] and self._alone.tls is not None:
            lease = self._alone  # nobody else it could have been: the rule for a port that is not shared
            connection = self._hand_over(lease)
            return _begin(connection, lease.tls, octets, lease.port)  # type: ignore[arg-type]
        for session in by_session:
            session.lose_right()
        self.give_up()
        return None

    def _hand_over(self, lease: Lease) -> DataConnection:
        self._end(is_known=True)
        connection: DataConnection = self._pool.connection(lease, self._peer)
        if lease.tls is not None:
            self.transport.secured = _secured(connection, lease.tls)
            connection.handshake_timeout = lease.tls.timeout()
        self._listener.release(lease, is_used=True)
        self.transport.protocol = connection
        connection.makeConnection(self.transport)
        return connection

    def give_up(self) -> None:
        """Nobody's: reset it."""
        self._end(is_known=False)
        self.transport.abortConnection()

    def _end(self, is_known: bool) -> None:
        if self._is_decided:
            return
        self._is_decided = True
        self._deadlines.forget(self)
        left = self._listener.undecided.get(self._client, 1) - 1
        if left:
            self._listener.undecided[self._client] = left
        else:
            self._listener.undecided.pop(self._client, None)
        self._pool.decided(self, is_known)

    def expire(self, now: float) -> float | None:
        """It has not said anything in time."""
        self.give_up()
        return None

    def dataReceived(self, data: bytes) -> None:
        """Nothing is decrypted before it is known whose it is."""

    def connectionLost(self, reason: Failure) -> None:
        """It is gone undecided."""
        self._end(is_known=False)
