"""
Clients with TLS sessions, in memory: a control connection and data connections that offer one session or another, and their transfers
through a pool of passive ports, step by step.

Not here: assertions, and engines (``tests.support.tls``).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from twisted.internet.defer import Deferred

from tests.support.tls import TLS13, HalfCloseableBelow, Link, TLSClient, client_context
from tests.support.transports import BytesSource
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.transport.tls_session import Neighbours, SessionTLS

__all__ = ["CLIENT", "HERE", "PORT", "Person", "Visitor", "hello"]

CLIENT = "198.51.100.1"
HERE = "192.0.2.1"
PORT = 50000


@cache
def _context(version: Any, identity: Any) -> Any:
    """One for all clients: the sessions of one context are of no use to another."""
    return client_context(version, identity=identity)


class Visitor:
    """A client's session: its control connection is under TLS. ``connect`` makes a data connection, which offers a session of TLS."""

    def __init__(self, site: Any, neighbours: Neighbours, version: Any = TLS13, *, client: str = CLIENT, offers: Any = None, **about: Any) -> None:
        self.context = _context(version, about.pop("identity", None))
        self.rule = about.pop("rule", "auto")
        self.tls = SessionTLS(site, client, neighbours, rule=lambda: self.rule, user=about.get("user", lambda: "alice"))
        self.control = Link(self.tls.begin_control, TLSClient(self.context, offers))
        self.control.secure.secured = self.tls.control_is_secure
        self.control.shake_hands()
        self.hear()

    def hear(self) -> None:
        """The server says something: that brings the tickets of TLS 1.3."""
        self.control.secure.write(b"220")
        self.control.flow()

    @property
    def ticket(self) -> Any:
        """The newest of its control connection."""
        return self.control.client.session

    def connect(self, offers: Any, *, is_told: bool = False, port: int = 0, uploads: bool = False) -> tuple[Link, Any]:
        """
        A data connection and why it is refused, if it is.

        :param is_told: the client knows the port already. :param port: our passive one.
        :param uploads: the server says nothing on it, and gives no ticket.
        """
        if not is_told:
            self.tls.port_told()
        causes: list[Any] = []

        def begin(octets: bytes) -> Any:
            begun = self.tls.begin_data(octets, port)
            if begun is None:
                return None
            causes.append(begun[1])
            return begun[0]

        link = Link(begin, TLSClient(self.context, offers), cut=100)
        link.secure.secured = lambda connection: self.tls.data_is_secure()
        link.shake_hands()
        if not uploads:
            self.tls.habits.tickets_sent()
            link.secure.write(b"x")
            link.flow()
        return link, causes[0]


def hello(visitor: Visitor, offers: Any) -> bytes:
    """A ClientHello that offers a session."""
    return TLSClient(visitor.context, offers).begin()


class Person:
    """A client that fetches a file of its own, step by step: ``set_up``, ``dial`` and ``command`` in any order after it, ``leave``."""

    def __init__(self, case: Any, name: str, version: Any, client: str = CLIENT, **about: Any) -> None:
        self.case, self.name = case, name
        self.file = f"the file of {name}".encode()
        self.visitor = Visitor(case.site, case.neighbours, version, client=client, user=lambda: self.name, **about)
        self.visitor.tls.is_private = True
        self.client = client
        self.version = version
        self.lease: Any = None
        self.result: Any = None
        self.link: Link | None = None
        self.knocks = 0
        self.stall_timeout = 300.0

    def set_up(self) -> Any:
        """PASV: the lease, or a Deferred of it."""
        self.lease = self.case.pool.lease(HERE, self.client, tls=self.visitor.tls)
        if isinstance(self.lease, Deferred):
            self.lease.addCallbacks(self._leased, self._refused)
        return self.lease

    def _leased(self, lease: Any) -> None:
        self.lease = lease

    def _refused(self, failure: Any) -> None:
        self.lease = None
        self.result = failure.value.verdict.cause

    @property
    def is_waiting(self) -> bool:
        return isinstance(self.lease, Deferred)

    def dial(self, *offers: Any) -> Link:
        """The data connection; it offers the session of its control connection unless told otherwise."""
        ticket = offers[0] if offers else self.visitor.ticket
        below = HalfCloseableBelow()
        protocol = self.case.net.open[HERE, PORT].buildProtocol(Peer(self.client))
        self.link = link = Link(lambda octets: None, TLSClient(self.visitor.context, ticket))
        link.below, link.secure = below, protocol
        below.protocol = protocol
        if protocol is None:
            below.abortConnection()
            below.is_lost = True
        else:
            protocol.makeConnection(below)
        return link

    def begin(self) -> Person:
        """TLS on it, and what comes of it."""
        if self.link is not None and self.link.below.protocol is not None:
            self.link.shake_hands()
            self.finish()
        return self

    def command(self) -> None:
        """RETR."""
        try:
            found = self.lease.connection(30)
        except DataConnectionFailed as error:
            self.result = error.verdict.cause
            return
        if isinstance(found, Deferred):
            self.lease.when_knocked(self._knocked)
            found.addCallbacks(self._send, self._failed)
        else:
            self._send(found)

    def _knocked(self) -> None:
        self.knocks += 1

    def _send(self, connection: Any) -> None:
        connection.stall_timeout = self.stall_timeout
        try:
            sent = connection.send(BytesSource(self.file))
        except DataConnectionFailed as error:
            self.result = error.verdict.cause
            return
        self.visitor.tls.habits.tickets_sent()
        if sent is None:
            self.result = "sent"
        else:
            sent.addCallbacks(lambda _: setattr(self, "result", "sent"), self._failed)

    def _failed(self, failure: Any) -> None:
        self.result = getattr(failure.value, "verdict", failure.value) and failure.value.verdict.cause

    def finish(self) -> None:
        """The kernel takes our FIN, the client answers, the connection is gone."""
        link = self.link
        if link is None or link.below.is_lost:
            return
        link.flow()
        if "half" in link.below.events:
            link.secure.writeConnectionLost()
            link.push(link.client.end())
            link.below.fin()
        if link.below.disconnecting:
            link.flow()
            link.below.lose()

    def hang_up(self) -> None:
        """The client resets its data connection."""
        if self.link is not None and not self.link.below.is_lost:
            self.link.below.events.append("abort")
            self.link.below.lose()

    def fetch(self) -> bytes:
        """PASV to the end; the octets that came."""
        self.set_up()
        self.dial()
        self.begin()
        self.command()
        self.finish()
        return self.received

    @property
    def received(self) -> bytes:
        """What came over the data connection."""
        return self.link.client.received if self.link is not None else b""


class Peer:
    """An address."""

    port = 5000

    def __init__(self, host: str) -> None:
        self.host = host
