"""
TLS of one session: whose data connection is this? The session that it resumes tells.

Not here: what OpenSSL is told (``tls``), moving octets (``secure``), ports and leases (``pool``, ``passive``).

Every session has a session id context of its own, which OpenSSL seals into its tickets, and it resumes none that holds another. A
connection without a certificate can do nothing but resume; so one with a session's context, tried on a ClientHello, goes on if the
ClientHello resumes that session, and fails at once, for a twentieth of a handshake's cost, if it does not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from twistftp.policy.diagnosis import Cause
from twistftp.policy.resumption import Habits
from twistftp.wire.client_hello import Offer, offer_of

if TYPE_CHECKING:
    from OpenSSL import SSL

    from twistftp.transport.tls import ForName, SiteTLS

__all__ = ["Ended", "Left", "Neighbours", "SessionTLS", "resumed"]

_SEARCHED = 64  # sessions of one address that are searched for the owner of a ticket
_REMEMBERED = 16  # sessions of one address that have ended
_STRAY = 2.0  # seconds for which a connection may be on its way to a set-up that has ended


class Left(NamedTuple):
    """A port that was told a client, who did not come there; a connection may be on its way until then."""

    port: int
    until: float


class Ended(NamedTuple):
    """What is remembered of a session that has ended: its session id context, and see :class:`SessionTLS`."""

    context: bytes
    user: str
    family: object
    left: Left


class _Neighbourhood:
    """
    The sessions with TLS of one client address, those of them that were given tickets, the latest last, and the latest of those that have ended.
    """

    __slots__ = ("ended", "sessions", "tickets")

    def __init__(self) -> None:
        self.sessions: dict[SessionTLS, None] = {}
        self.tickets: dict[SessionTLS, None] = {}
        self.ended: deque[Ended] = deque(maxlen=_REMEMBERED)


class Neighbours:
    """The sessions with TLS of all client addresses: clients behind one NAT, or one program with several sessions."""

    def __init__(self) -> None:
        self._by_address: dict[str, _Neighbourhood] = {}

    def add(self, session: SessionTLS) -> None:
        """A session has TLS now."""
        self._by_address.setdefault(session.client, _Neighbourhood()).sessions[session] = None

    def new_family(self) -> object:
        """What tells those from others whose client has proved to be one."""
        return object()

    def known(self, session: SessionTLS) -> None:
        """More is known of a session: its family, or its user."""

    def remove(self, session: SessionTLS) -> None:
        """It has ended."""
        here = self._by_address.get(session.client)
        if here is not None:
            here.sessions.pop(session, None)
            here.tickets.pop(session, None)
            here.ended.append(session.remains())
            for other in here.sessions:
                other.forget(session)
            if not here.sessions:
                del self._by_address[session.client]

    def gave_ticket(self, session: SessionTLS) -> None:
        """The client's newest ticket is of this session."""
        here = self._by_address.get(session.client)
        if here is not None:
            here.tickets.pop(session, None)
            here.tickets[session] = None

    def newer(self, session: SessionTLS) -> Iterator[SessionTLS]:
        """The other sessions of this address that were given tickets after this one, the latest first."""
        here = self._by_address.get(session.client)
        latest = islice(reversed(here.tickets), _SEARCHED) if here is not None else ()
        return takewhile(lambda other: other is not session, latest)

    def owner(self, session: SessionTLS, hello: bytes) -> SessionTLS | Ended | None:
        """Which other session of this address a ClientHello resumes, or what is known of it."""
        here = self._by_address.get(session.client)
        others = [other for other in here.sessions if other is not session] if here is not None else []
        found = next((other for other in others[-_SEARCHED:] if other.resume(hello) is not None), None)
        return found if found is not None else self.ended_owner(session, hello)

    def ended_owner(self, session: SessionTLS, hello: bytes) -> Ended | None:
        """Which session of this address that has ended (or is another process's, where there are several) a ClientHello would resume."""
        here = self._by_address.get(session.client)
        return next((one for one in reversed(here.ended) if session.is_resumed(one.context, hello)), None) if here is not None else None


class SessionTLS:
    """
    The TLS of one control connection and of its data connections.

    A session may share a passive port with others of its address only when each was seen to resume its own session although the
    other had got a newer ticket before the port was told: then they are not of one program with one store of tickets, as many
    in Go have, which would offer the newest, and another's file would be sent to it. The right is lost for good the first time
    a data connection resumes something else, or nothing.

    :param client: the client's address.
    :param rule: gives ``off``, ``auto`` or ``require``, as the site has it now.
    :param user: gives the name of who is logged in.
    :param timeout: gives the seconds for a handshake.
    :param for_name: finds the certificate for a server name (SNI), where several sites share a port.
    :param count: told of each data connection's handshake, as soon as it is clear: ``resumed``, ``full`` or ``refused``.
    """

    __slots__ = (
        *("_apart", "_control", "_count", "_for_name", "_is_tainted", "_kin", "_neighbours", "_newer"),
        *("_rule", "_site", "_user", "client", "context", "family", "habits", "is_control_secure", "is_private", "left"),
        *("peer_certificate", "timeout"),
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
        self._site, self._neighbours, self._rule, self._user, self.timeout = site, neighbours, rule, user, timeout
        self.context = site.session_context()
        self.client = client
        self.is_control_secure = True
        self.is_private = False  # PROT P
        self.habits = Habits()
        self._is_tainted = False
        self.left = Left(0, 0.0)
        self.family = neighbours.new_family()  # the same for sessions whose client has proved to be one
        self._kin: SessionTLS | Ended | None = None  # whose session the control connection has offered
        self._newer: tuple[SessionTLS, ...] = ()  # these had newer tickets when the client was told a port
        self._apart: set[SessionTLS] = set()  # its tickets are kept apart from theirs
        self._control: SSL.Connection | None = None  # when its handshake is done
        self.peer_certificate: Any = None
        neighbours.add(self)

    @property
    def version(self) -> str:
        """The version of TLS on the control connection, such as ``TLSv1.3``."""
        return self._control.get_protocol_version_name() if self._control is not None else ""

    def close(self) -> None:
        """The control connection has ended."""
        self._neighbours.remove(self)

    @property
    def description(self) -> str:
        """Protocol and cipher of the control connection."""
        return f"{self.version} {self._control.get_cipher_name()}" if self._control is not None else ""

    @property
    def server_name(self) -> str:
        """Whom the client asked for on the control connection (SNI)."""
        return (self._control.get_servername() or b"").decode("ascii", "replace") if self._control is not None else ""

    @property
    def user(self) -> str:
        """The name of who is logged in."""
        return self._user()

    @property
    def has_resumed(self) -> bool:
        """Whether any data connection has resumed this session."""
        return self.habits.resumptions > 0

    @property
    def may_share(self) -> bool:
        """Whether there can be anybody that it may share a port with."""
        return bool(self._apart) and not self._is_tainted

    def may_share_with(self, other: SessionTLS) -> bool:
        """Whether connections of the two can be told apart by what they resume."""
        return self.may_share and other.may_share and other in self._apart and self in other._apart

    def port_told(self) -> None:
        """The client is told a port; what it offers there, it chooses among the tickets that there are now."""
        self._newer = tuple(self._neighbours.newer(self))

    def port_left(self, port: int) -> None:
        """The set-up has ended without the client's connection to that port."""
        self.left = Left(port, self._site.seconds() + _STRAY)

    def remains(self) -> Ended:
        """What to remember of it."""
        return Ended(self.context, self.user, self.family, self.left)

    def is_stray(self, hello: bytes, port: int) -> bool:
        """Whether a connection that does not resume this session is another's, on its way to a set-up that has just ended."""
        other = self._neighbours.owner(self, hello)
        return other is not None and self._is_astray(other, port)

    def _is_astray(self, other: SessionTLS | Ended, port: int) -> bool:
        left = other.left
        return left.port == port and self._site.seconds() < left.until

    def forget(self, other: SessionTLS) -> None:
        """Another session of this address has ended."""
        self._apart.discard(other)

    def resume(self, hello: bytes) -> SSL.Connection | None:
        """A connection that goes on from this ClientHello, if it resumes this session."""
        return self._site.resumed(self.context, hello)

    def is_resumed(self, context: bytes, hello: bytes) -> bool:
        """Whether a ClientHello resumes a session of this site that has this session id context."""
        return self._site.resumed(context, hello) is not None

    def _full(self, hello: bytes, *, is_data: bool) -> SSL.Connection:
        connection = self._site.full(self.context, is_data=is_data, for_name=self._for_name)
        connection.bio_write(hello)
        return connection

    # The handshakes of the control connection and of a data connection (``secure.Handshake``)

    def begin_control(self, octets: bytes) -> SSL.Connection | None:
        """The control connection's handshake, once the ClientHello is whole."""
        offer = offer_of(octets)
        if offer is Offer.UNKNOWN:
            return None
        if offer is Offer.SESSION:  # of another session, then: its client has one store for several
            self._kin = self._taint(octets)
        return self._full(octets, is_data=False)

    def control_is_secure(self, connection: SSL.Connection) -> None:
        """The control connection's handshake is done."""
        self._control = connection
        if self._kin is not None:  # only who has the other's tickets could offer one, and only who wrote the ClientHello could end the handshake
            self.family, self._kin = self._kin.family, None
        self.peer_certificate = connection.get_peer_certificate(as_cryptography=True) if self._site.settings.client_ca else None
        self._neighbours.gave_ticket(self)
        self._neighbours.known(self)

    def logged_in(self) -> None:
        """The client has logged in."""
        self._neighbours.known(self)

    def begin_data(self, octets: bytes, port: int) -> tuple[SSL.Connection, Cause | None] | None:
        """
        A data connection's handshake, once the ClientHello is whole, and why the connection is refused after it, if it is.

        :param port: our passive port, or 0.
        """
        offer = offer_of(octets)
        if offer is Offer.UNKNOWN:
            return None
        connection = self.resume(octets) if offer is Offer.SESSION else None
        if connection is not None:
            self._has_resumed(port)
            return connection, None
        self.lose_right()
        sibling = self._taint(octets) if offer is Offer.SESSION else None
        is_refused = self._is_refused(offer, sibling, port)
        self.habits.did_not(port)
        self._count("refused" if is_refused else "full")
        return self._full(octets, is_data=True), Cause.NOT_RESUMED if is_refused else None

    def _is_refused(self, offer: Offer, sibling: SessionTLS | Ended | None, port: int) -> bool:
        """
        Whether a data connection that does not resume this session is refused. Under ``auto`` it is once the client has resumed,
        but for honest clients that cannot always (``policy.resumption``), and for those that have a single store of tickets for all
        their sessions, and resume another session of the same address and user or family, be it one that has ended (unless that is
        most likely the other session's own connection, to the port that it has just left).
        """
        rule = self._rule()
        if rule == "auto" and sibling is not None and self._is_astray(sibling, port):
            return True
        if rule != "auto" or not self.habits.is_held_to:
            return rule == "require"
        if offer is Offer.NONE:
            return self.version != "TLSv1.3" or not self.habits.may_have_none()
        return sibling is None or (sibling.user != self.user and sibling.family != self.family)

    def data_is_secure(self) -> None:
        """A data connection's handshake is done; its tickets are of this session, too."""
        self._neighbours.gave_ticket(self)

    def _has_resumed(self, port: int) -> None:
        self._count("resumed")
        self.habits.resumed(port)
        self._apart.update(self._newer)
        self._newer = ()

    def lose_right(self) -> None:
        """Something came to a shared port that was of none of those who share it, and might have been of this session."""
        self._is_tainted = True

    def _taint(self, hello: bytes) -> SessionTLS | Ended | None:
        """The ClientHello resumes another session: neither may share a port. The other one, or what is known of it."""
        self.lose_right()
        other = self._neighbours.owner(self, hello)
        if isinstance(other, SessionTLS):
            other.lose_right()
        return other

    def is_own_certificate(self, connection: SSL.Connection) -> bool:
        """Whether a certificate that the client shows on a data connection is that of the control connection (PROTOCOL P-TD-10)."""
        shown = connection.get_peer_certificate(as_cryptography=True) if self.peer_certificate is not None else None
        return shown is None or shown == self.peer_certificate


def resumed(sessions: Iterable[SessionTLS], hello: bytes, port: int) -> tuple[SessionTLS, SSL.Connection] | None:
    """Which of several sessions a whole ClientHello that came to a port resumes, and the connection that goes on from it."""
    for session in sessions:
        connection = session.resume(hello)
        if connection is not None:
            session._has_resumed(port)
            return session, connection
    return None
