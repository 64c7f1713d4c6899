"""
A connection of a load balancer until its PROXY header has come: then whoever it is for gets the connection, and never sees the header.

Not here: the header itself (``proxy_header``), and who is told of it: the site of a control connection, the pool of a data connection.

This comes before everything else, TLS too. Of a socket no octet is taken that is not the header's: what follows stays in the kernel,
for whatever reads there next, be it TLS or ``splice``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet import main, tcp
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.logger import Logger
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from twistftp.policy.proxying import Proxies
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.proxy_header import Announced, BadHeader, HeaderReader
from twistftp.transport.sockets import DataServer
from twistftp.wire.addresses import fold_address

__all__ = ["PATIENCE", "HAProxyProtocolWrapper", "Herald", "Introduction"]

PATIENCE = 5.0
"""Seconds that a balancer has for its header; the specification (§2) asks for 3 at least, since a segment may be lost."""


@frozen
class Introduction:
    """
    How a client came here through a balancer.

    :param via: the balancer's address.
    :param own: the address (``IAddress``) at which it reached this machine, for listeners; the client connected to ``announced.destination``.
    :param proxies: whose headers are believed on the data connections of this client, too.
    """

    via: str
    own: Any
    announced: Announced
    proxies: Proxies

    @property
    def peer(self) -> str:
        """The client's address."""
        source = self.announced.source
        return self.via if source is None else fold_address(source.host)

    @property
    def port(self) -> int:
        """The client's port; 0 where the header names none."""
        return 0 if self.announced.source is None else int(self.announced.source.port)

    @property
    def is_own(self) -> bool:
        """Whether the balancer comes for itself, most likely to see if anybody is there."""
        return self.announced.source is None


Welcome = Callable[[Introduction], IProtocol | None]


@implementer(IProtocol)
class Herald:
    """
    The first protocol of a balancer's connection.

    :param via: the balancer's address, folded.
    :param proxies: the rule by which it is believed.
    :param welcome: told who has come; gives the protocol for the connection, or ``None`` to drop it.
    :param turned_away: told why nobody is served: one line's worth.
    :param is_data: a connection that is dropped is reset, as those of strangers are (P-DC-4), but not that of a health check.
    :param gone: called with this when it is done with the connection, in whatever way.
    """

    _log = Logger()

    def __init__(
        self,
        deadlines: Deadlines,
        via: str,
        proxies: Proxies,
        welcome: Welcome,
        turned_away: Callable[[str], object],
        is_data: bool = False,
        gone: Callable[[Herald], object] | None = None,
    ) -> None:
        self._deadlines, self._via, self._proxies = deadlines, via, proxies
        self._welcome, self._turned_away, self._is_data, self._gone = welcome, turned_away, is_data, gone
        self._reader = HeaderReader()
        self._transport: Any = None
        self._heir: Any = None  # whoever has the connection after this; a transport that knows no other protocol still tells this one
        self._until = 0.0

    def makeConnection(self, transport: Any) -> None:
        """Wait for the header; most often it is there by now."""
        self._transport = transport
        self._until = self._deadlines.seconds() + PATIENCE
        self._deadlines.watch(self, self._until)
        if isinstance(transport, HAProxyProtocolWrapper):
            # Twisted's own endpoint tells nobody that its header has come, so a server that speaks first would not know whom it greets.
            transport.wrappedProtocol = self
            transport.dataReceived = self.dataReceived  # type: ignore[method-assign]  # past its own parser
        if not isinstance(transport, tcp.Connection):
            return
        # Reading is ours for as long as the header takes: no more is taken from the socket than belongs to it.
        transport.doRead = self._read  # type: ignore[method-assign]
        if (lost := self._read()) is not None:
            transport.connectionLost(Failure(lost))
        elif self._transport is not None and isinstance(transport, DataServer):
            transport.resumeProducing()  # it is born paused

    def _read(self) -> Any:
        """What the reactor calls when there is something to read."""
        transport = self._transport
        try:
            seen = transport.socket.recv(transport.bufferSize, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not seen:
            return main.CONNECTION_DONE
        try:
            share = self._reader.share(seen)
        except BadHeader as error:
            transport.socket.recv(len(seen))  # octets left there would make of the end a reset
            self._turn_away(str(error))
            return None
        self.dataReceived(transport.socket.recv(share))
        return None

    def dataReceived(self, data: bytes) -> None:
        """Octets of the header, cut anywhere, and on transports without a socket perhaps some behind it."""
        if self._heir is not None:
            self._heir.dataReceived(data)
            return
        try:
            found = self._reader.feed(data)
        except BadHeader as error:
            self._turn_away(str(error))
            return
        if found is not None:
            self._hand_over(*found)

    def _hand_over(self, announced: Announced, rest: bytes) -> None:
        transport = self._transport
        introduction = Introduction(self._via, transport.getHost(), announced, self._proxies)
        try:
            protocol = self._welcome(introduction)
        except Exception:  # must not end the listening, nor leave the connection to nobody
            self._log.failure("A connection from {peer} through {via} could not be taken.", peer=introduction.peer, via=self._via)
            protocol = None
        if protocol is None:
            self._drop(gently=introduction.is_own)
            return
        self._let_go(protocol)
        if isinstance(transport, DataServer):
            transport.pauseProducing()
        if announced.source is not None:
            # Whoever asks the transport, as logs do, learns what the header said.
            transport.getPeer, transport.getHost = (lambda: announced.source), (lambda: announced.destination)
            if isinstance(transport, tcp.Server):
                transport.hostname = announced.source.host
                transport.logstr = f"{transport._getLogPrefix(protocol)},{transport.sessionno},{transport.hostname}"
        if not isinstance(transport, tcp.Connection) and IHalfCloseableProtocol.providedBy(protocol):
            self.readConnectionLost, self.writeConnectionLost = protocol.readConnectionLost, protocol.writeConnectionLost
            alsoProvides(self, IHalfCloseableProtocol)
        protocol.makeConnection(transport)
        if rest:
            protocol.dataReceived(rest)

    def _turn_away(self, why: str) -> None:
        self._drop()
        self._turned_away(why)

    def _drop(self, gently: bool = False) -> None:
        transport = self._transport
        self._let_go(_Nobody())
        if self._is_data and not gently:
            transport.abortConnection()
        else:
            transport.loseConnection()

    def _let_go(self, heir: IProtocol) -> None:
        transport, self._transport = self._transport, None
        self._heir = heir
        self._deadlines.forget(self)
        if isinstance(transport, tcp.Connection):
            transport.protocol = heir
            transport.__dict__.pop("doRead", None)
        gone, self._gone = self._gone, None
        if gone is not None:
            gone(self)

    def shut_down(self) -> None:
        """The server stops."""
        if self._transport is not None:
            self._drop()

    def expire(self, now: float) -> float | None:
        """The header has not come in time, or only a part of it."""
        if self._transport is None:
            return None
        if now < self._until:
            return self._until
        self._turn_away(f"no PROXY header came within {PATIENCE:g} s")
        return None

    def connectionMade(self) -> None:
        """Nothing (IProtocol)."""

    def connectionLost(self, reason: Failure) -> None:
        """The balancer has left. One that said nothing has only seen whether the port is open, and is not worth a line."""
        if self._heir is not None:
            self._heir.connectionLost(reason)
            return
        has_begun = self._reader.has_begun
        self._let_go(_Nobody())
        if has_begun:
            self._turned_away("it ended within its PROXY header")


@implementer(IProtocol)
class _Nobody:
    """For a connection that is being closed."""

    def makeConnection(self, transport: Any) -> None:
        """Nothing (IProtocol)."""

    def connectionMade(self) -> None:
        """Nothing (IProtocol)."""

    def dataReceived(self, data: bytes) -> None:
        """It is too late for that."""

    def connectionLost(self, reason: Failure) -> None:
        """Nothing is left to do."""
