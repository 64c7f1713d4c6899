"""
A lease: one client's right to one data connection on one passive port.

Not here: choosing the port (``pool``), recognizing the connection (``passive``).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.policy.matching import EXACT, PeerMatch
from twistftp.policy.proxying import NOBODY, Proxies
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.dtp import DataConnection
from twistftp.transport.interfaces import DataConnectionFailed, IDataPort
from twistftp.transport.passive import PassiveListener, shares_port
from twistftp.transport.tls_session import SessionTLS

__all__ = ["LATE", "SOON", "Lease"]

LATE = 2.0
"""Seconds for which a connection may be on its way to a transfer that has been refused."""
SOON = 3.0
"""Seconds within which a client that can reach the port does so: a SYN that was lost is sent again after one."""


class _State:
    """Where a lease is. No ``Enum``, as in ``dtp``."""

    OFFERED = "the client knows the port; neither it nor a transfer command has come"
    AWAITED = "a transfer command waits for the client"
    ARRIVED = "the client has connected; no transfer command has come"
    ENDED = "handed out, or given up"


@implementer(IDataPort)
class Lease:
    """
    One set-up by PASV or EPSV.

    :param client: the client's address, folded (``wire.addresses.fold_address``).
    :param match: which other addresses its connection may come from.
    :param unused_timeout: seconds for which the port is held when neither client nor transfer command comes (P-DC-12).
    :param proxies: the balancers of which PROXY headers are believed for it.
    :param range_text: the passive ports as the text of a failure names them.
    :param tls: the TLS of its session, if that has any. ``shares`` says whether the lease stands beside others of its address: then
        its connection must resume that session.
    """

    __slots__ = (
        *("_connection", "_deadlines", "_listener", "_range_text", "_result", "_state", "_timeout", "_until"),
        *("_knocked", "client", "failure", "foreign", "granted", "key", "match", "proxies", "shares", "tls"),
    )

    def __init__(
        self,
        listener: PassiveListener,
        client: str,
        deadlines: Deadlines,
        unused_timeout: float,
        range_text: str,
        match: PeerMatch = EXACT,
        proxies: Proxies = NOBODY,
        tls: SessionTLS | None = None,
    ) -> None:
        self.client, self.match, self.proxies, self.tls = client, match, proxies, tls
        self.shares = tls is not None and shares_port(tls, match, proxies) is not None
        self._knocked: Callable[[], object] | None = None
        self.key = match.network(client)  # what tells it from the other leases on its port
        self.failure: Verdict | None = None  # why nobody has come, once it has ended without
        self.foreign = ""  # the address of a stranger that came to this port
        self._listener, self._deadlines, self._range_text = listener, deadlines, range_text
        self._state = _State.OFFERED
        self._connection: DataConnection | None = None
        self._result: Deferred[DataConnection] | None = None
        self._watch(unused_timeout)
        self.granted = self._until - unused_timeout  # when, by the clock of the deadlines

    @property
    def port(self) -> int:
        """The port number to tell the client (before any mapping)."""
        return self._listener.port

    @property
    def local_port(self) -> int:
        """The server's port of the connection."""
        return self._listener.port

    def connection(self, timeout: float) -> DataConnection | Deferred[DataConnection]:
        """
        Give the connection, or a Deferred of it; see :class:`IDataPort`. Cancelling the Deferred closes the lease.

        :raises DataConnectionFailed: RESET_EARLY, or what it ended with, or NOT_SET_UP for one that was closed.
        """
        if self._state is _State.OFFERED:
            self._listener.look()  # the client may have connected in this very turn: then nothing need wait
        if self._state is _State.ARRIVED:
            self._state = _State.ENDED
            connection, self._connection = self._connection, None
            if connection is None or connection.is_lost:
                raise (connection and connection.error) or DataConnectionFailed(Verdict(Cause.RESET_EARLY, port=self.port))
            return connection
        if self._state is not _State.OFFERED:
            raise DataConnectionFailed(self.failure or Verdict(Cause.NOT_SET_UP))
        self._state = _State.AWAITED
        self._watch(timeout)
        self._result = Deferred(self._cancelled)
        return self._result

    def when_knocked(self, knocked: Callable[[], object]) -> None:
        """
        Call ``knocked`` if a connection comes that may be this lease's: on a shared port that shows only when the client begins
        TLS, and some begin no earlier than they have read 150 (PROTOCOL P-TD-2).
        """
        self._knocked = knocked
        if self.shares and self._listener.has_undecided(self.client):
            self.knock()

    def knock(self) -> None:
        """Somebody has come who may be this lease's client."""
        knocked, self._knocked = self._knocked, None
        if knocked is not None and self._state is _State.AWAITED:
            knocked()

    def close(self) -> None:
        """Give the port up, and an unused early connection; see :class:`IDataPort`."""
        state, self._state = self._state, _State.ENDED
        if state is _State.ARRIVED:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
        elif state is not _State.ENDED:
            waited = self._timeout - (self._until - self._deadlines.seconds())
            if waited >= SOON:
                self.failure = self._why_nobody(round(waited))
            self._end(Verdict(Cause.ABORTED))

    def refuse(self) -> None:
        """Give it up after the transfer was refused; see :class:`IDataPort`."""
        if self._state in (_State.OFFERED, _State.AWAITED):
            now = self._deadlines.seconds()
            self._listener.note_refused(self.client, now, now + LATE)
        self.close()

    def arrived(self, connection: DataConnection) -> None:
        """The client has connected, and the listener has let go of this lease."""
        self._deadlines.forget(self)
        if self._state is _State.ENDED:
            connection.close()
        elif self._result is None:
            self._state, self._connection = _State.ARRIVED, connection
        else:
            self._state = _State.ENDED
            result, self._result = self._result, None
            result.callback(connection)

    def expire(self, now: float) -> float | None:
        """End when nobody came in time."""
        if self._state not in (_State.OFFERED, _State.AWAITED):
            return None
        if now < self._until:
            return self._until
        self._state = _State.ENDED
        self.failure = self._why_nobody(self._timeout)
        self._end(self.failure)
        return None

    def _why_nobody(self, seconds: float) -> Verdict:
        if self.foreign in self.proxies:
            return Verdict(Cause.HEADERLESS, port=self.port, address=self.foreign)
        if self.foreign:
            return Verdict(Cause.FOREIGN_PEER, port=self.port, address=self.foreign)
        return Verdict(Cause.NEVER_ARRIVED, port=self.port, seconds=seconds, range=self._range_text)

    def _end(self, verdict: Verdict) -> None:
        self._deadlines.forget(self)
        result, self._result = self._result, None
        if self.tls is not None:
            self.tls.port_left(self.port)
        self._listener.release(self)
        if result is not None:
            result.errback(DataConnectionFailed(verdict))

    def _cancelled(self, _: object) -> None:
        self._result = None  # Twisted fails it with CancelledError
        self.close()

    def _watch(self, seconds: float) -> None:
        self._timeout = seconds
        self._until = self._deadlines.seconds() + seconds
        self._deadlines.watch(self, self._until)
