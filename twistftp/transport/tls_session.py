"""
TLS of one session: whose data connection is this? The session that it resumes tells.

Not here: what OpenSSL is told (``tls``), moving octets (``secure``), ports and leases (``pool``, ``passive``).

Every session has a session id context of its own, which OpenSSL seals into its tickets, and it resumes none that holds another. A
connection without a certificate can do nothing but resume; so one with a session's context, tried on a ClientHello, goes on if the
ClientHello resumes that session, and fails at once, for a twentieth of a handshake's cost, if it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from OpenSSL import SSL

from twistftp.policy.diagnosis import Cause
from twistftp.transport.tls import ForName, SiteTLS
from twistftp.wire.client_hello import Offer, offer_of

__all__ = ["Neighbours", "SessionTLS", "resumed"]

_SEARCHED = 64  # sessions of one address that are searched for the owner of a ticket
_OUTPUT = 1 << 16


class _Neighbourhood:
    """The sessions with TLS of one client address, and which of them was given a ticket last."""

    __slots__ = ("newest", "sessions")

    def __init__(self) -> None:
        self.sessions: dict[SessionTLS, None] = {}
        self.newest: SessionTLS | None = None


class Neighbours:
    """The sessions with TLS of all client addresses: clients behind one NAT, or one program with several sessions."""

    def __init__(self) -> None:
        self._by_address: dict[str, _Neighbourhood] = {}

    def add(self, session: SessionTLS) -> None:
        """A session has TLS now."""
        self._by_address.setdefault(session.client, _Neighbourhood()).sessions[session] = None

    def remove(self, session: SessionTLS) -> None:
        """It has ended."""
        here = self._by_address.get(session.client)
        if here is not None:
            here.sessions.pop(session, None)
            if here.newest is session:
                here.newest = None
            if not here.sessions:
                del self._by_address[session.client]

    def gave_ticket(self, session: SessionTLS) -> None:
        """The client's newest ticket is of this session."""
        here = self._by_address.get(session.client)
        if here is not None:
            here.newest = session

    def has_newer(self, session: SessionTLS) -> bool:
        """Whether another session of this address was given a ticket last."""
        here = self._by_address.get(session.client)
        return here is not None and here.newest is not None and here.newest is not session

    def owner(self, session: SessionTLS, hello: bytes) -> SessionTLS | None:
        """Which other session of this address a ClientHello resumes."""
        here = self._by_address.get(session.client)
        others = [other for other in here.sessions if other is not session] if here is not None else []
        return next((other for other in others[-_SEARCHED:] if other.resume(hello) is not None), None)


class SessionTLS:
    """
    The TLS of one control connection and of its data connections.

    A session may share a passive port with others of its address (``may_share``) only when it was seen to resume its own session
    although another of its address had got a newer ticket: then its client keeps the tickets of its sessions apart. A program
    with one store for all, as many in Go have, would offer the newest, and another's file would be sent to it. The right is
    lost for good the first time a data connection resumes something else, or nothing.

    :param client: the client's address.
    :param rule: gives ``off``, ``auto`` or ``require``, as the site has it now.
    :param user: gives the name of who is logged in.
    :param timeout: gives the seconds for a handshake.
    :param for_name: finds the certificate for a server name (SNI), where several sites share a port.
    :param count: told of each data connection's handshake, as soon as it is clear: ``resumed``, ``full`` or ``refused``.
    """

    __slots__ = (
        *("_context", "_has_one_use_tickets", "_is_tainted", "_neighbours", "_resumptions", "_rule", "_site", "client", "description"),
        *("_count", "_for_name", "server_name"),
        *("is_control_secure", "is_private", "may_share", "peer_certificate", "timeout", "user"),
    )

    def __init__(
        self,
        site: SiteTLS,
        client: str,
        neighbours: Neighbours,
        rule: Callable[[], str] = lambda: "auto",
        user: Callable[[], str] = lambda: "",
        timeout: Callable[[], float] = lambda: 30.0,
        for_name: ForName | None = None,
        count: Callable[[str], object] = lambda result: None,
    ) -> None:
        self._for_name, self._count = for_name, count
        self._site, self._neighbours, self._rule, self.user, self.timeout = site, neighbours, rule, user, timeout
        self._context = site.session_context()
        self.client = client
        self.is_control_secure = True
        self.is_private = False  # PROT P
        self._resumptions = 0
        self._has_one_use_tickets = False
        self.may_share = False
        self._is_tainted = False
        self.server_name = ""  # SNI
        self.description = ""  # protocol and cipher of the control connection
        self.peer_certificate: Any = None
        neighbours.add(self)

    @property
    def version(self) -> str:
        """The version of TLS on the control connection, such as ``TLSv1.3``."""
        return self.description.partition(" ")[0]

    def close(self) -> None:
        """The control connection has ended."""
        self._neighbours.remove(self)

    def resume(self, hello: bytes) -> SSL.Connection | None:
        """A connection that goes on from this ClientHello, if it resumes this session."""
        connection = self._site.bare(self._context)
        connection.bio_write(hello)
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            return connection
        except SSL.Error:
            return None
        return connection

    def _full(self, hello: bytes, *, is_data: bool) -> SSL.Connection:
        connection = self._site.full(self._context, is_data=is_data, for_name=self._for_name)
        connection.bio_write(hello)
        return connection

    # The handshakes of the control connection and of a data connection (``secure.Handshake``)

    def begin_control(self, octets: bytes) -> SSL.Connection | None:
        """The control connection's handshake, once the ClientHello is whole."""
        offer = offer_of(octets)
        if offer is Offer.UNKNOWN:
            return None
        if offer is Offer.SESSION:  # of another session, then: its client has one store for several
            self._taint(octets)
        return self._full(octets, is_data=False)

    def control_is_secure(self, connection: SSL.Connection) -> None:
        """The control connection's handshake is done."""
        self.server_name = (connection.get_servername() or b"").decode("ascii", "replace")
        self.description = f"{connection.get_protocol_version_name()} {connection.get_cipher_name()}"
        self.peer_certificate = connection.get_peer_certificate(as_cryptography=True) if self._site.settings.client_ca else None
        self._neighbours.gave_ticket(self)

    def begin_data(self, octets: bytes) -> tuple[SSL.Connection, Cause | None] | None:
        """A data connection's handshake, once the ClientHello is whole, and why the connection is refused after it, if it is."""
        offer = offer_of(octets)
        if offer is Offer.UNKNOWN:
            return None
        connection = self.resume(octets) if offer is Offer.SESSION else None
        if connection is not None:
            self._has_resumed()
            return connection, None
        self.lose_right()
        sibling = self._taint(octets) if offer is Offer.SESSION else None
        is_refused = self._is_refused(offer, sibling)
        self._count("refused" if is_refused else "full")
        return self._full(octets, is_data=True), Cause.NOT_RESUMED if is_refused else None

    def _is_refused(self, offer: Offer, sibling: SessionTLS | None) -> bool:
        """
        Whether a data connection that does not resume this session is refused. Under ``auto`` it is once the client has resumed,
        but for two kinds of honest clients. One has a single store of tickets for all its sessions, and resumes another session of
        the same address and user. The other uses no TLS 1.3 ticket twice, as OpenSSL has it, and keeps none but that of the control
        connection: it resumes once and then offers nothing. A client that has resumed twice is not of that kind.
        """
        rule = self._rule()
        if rule != "auto" or not self._resumptions:
            return rule == "require"
        if offer is Offer.NONE:
            self._has_one_use_tickets |= self._resumptions == 1 and self.description.startswith("TLSv1.3")
            return not self._has_one_use_tickets
        return sibling is None or sibling.user() != self.user()

    def data_is_secure(self) -> None:
        """A data connection's handshake is done; its tickets are of this session, too."""
        self._neighbours.gave_ticket(self)

    def _has_resumed(self) -> None:
        self._count("resumed")
        self._resumptions += 1
        self.may_share = not self._is_tainted and (self.may_share or self._neighbours.has_newer(self))

    def lose_right(self) -> None:
        """Something came to a shared port that was of none of those who share it, and might have been of this session."""
        self._is_tainted, self.may_share = True, False

    def _taint(self, hello: bytes) -> SessionTLS | None:
        """The ClientHello resumes another session: neither may share a port. The other one, if it is still there."""
        self.lose_right()
        other = self._neighbours.owner(self, hello)
        if other is not None:
            other.lose_right()
        return other

    def is_own_certificate(self, connection: SSL.Connection) -> bool:
        """Whether a certificate that the client shows on a data connection is that of the control connection (PROTOCOL P-TD-10)."""
        shown = connection.get_peer_certificate(as_cryptography=True) if self.peer_certificate is not None else None
        return shown is None or shown == self.peer_certificate


def resumed(sessions: Iterable[SessionTLS], hello: bytes) -> tuple[SessionTLS, SSL.Connection] | None:
    """Which of several sessions a whole ClientHello resumes, and the connection that goes on from it."""
    for session in sessions:
        connection = session.resume(hello)
        if connection is not None:
            session._has_resumed()
            return session, connection
    return None
