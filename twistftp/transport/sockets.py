"""
TCP sockets as this server wants them: listening, connecting, and the options of each kind.

Not here: how such a transport sends (``directio``), and which port is listened on (``pool``). Everything works over
other transports too (IOCP, endpoint strings, tests in memory), only slower: :func:`listen` and :func:`connect` choose.
"""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from typing import Any

from twisted.internet import defer, posixbase, tcp
from twisted.internet.address import IPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IConnector, IHalfCloseableDescriptor, IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistftp.transport.directio import APART, CLOSED, DirectIO
from twistftp.transport.shortage import SILENT, Shortage

__all__ = [
    "ControlPort",
    "DataPort",
    "DataServer",
    "DirectClient",
    "DirectIO",
    "DirectPort",
    "DirectServer",
    "acknowledge",
    "connect",
    "half_close",
    "listen",
    "tune_control",
    "tune_data",
    "was_reset",
]

_QUICK_ACKNOWLEDGEMENT = getattr(socket, "TCP_QUICKACK", None)  # Linux
_EVERYWHERE = ("0.0.0.0", "::")
_INHERITS = sys.platform == "linux"  # an accepted socket has the options of the one that listens


class DirectServer(DirectIO, tcp.Server):
    """An accepted connection."""

    server: DirectPort  # type: ignore[assignment]
    _shouldShutdown = False  # close() alone does: descriptors are close-on-exec, and the call fails after both FINs


class DataServer(DirectServer):
    """
    An accepted data connection. It is not read until ``resumeProducing``: an upload must lose nothing that came
    before its command, and a download need not hear of anything before it begins.
    """

    _is_watched = False  # whether the reactor has ever been asked to look at it

    def __init__(self, sock: socket.socket, protocol: Any, client: tuple[Any, ...], server: Any, sessionno: int, reactor: Any) -> None:
        # What tcp.Server does, without composing names for the log and without reading: there is one of these per transfer.
        tcp.Connection.__init__(self, sock, protocol, reactor)
        if len(client) != 2:
            self._addressType = IPv6Address
        self.server, self.client, self.sessionno, self.hostname = server, client, sessionno, client[0]
        self.logstr = self.repstr = "DataConnection"
        self.connected = 1

    def startReading(self) -> None:
        """As always."""
        self._is_watched = True
        super().startReading()

    def startWriting(self) -> None:
        """As always."""
        self._is_watched = True
        super().startWriting()

    def connectionLost(self, reason: Failure) -> None:
        """Close and tell the protocol. A small file is gone before the reactor has heard of its connection, which then need not forget it."""
        if self._is_watched or reason is not CLOSED or self.producer is not None or not self.connected:
            super().connectionLost(reason)
            return
        self.disconnected, self.connected = 1, 0
        protocol, skt = self.protocol, self.socket
        del self.protocol, self.socket, self.fileno
        skt.close()
        protocol.connectionLost(reason)


class DirectClient(DirectIO, tcp.Client):
    """A connection made by :func:`connect`."""

    def createInternetSocket(self) -> socket.socket:
        """A socket that may share a source port that was asked for: one port serves all active connections (P-DC-13)."""
        skt = super().createInternetSocket()
        bind = self.connector.bindAddress
        if bind and bind[1] and sys.platform != "win32":
            _set(skt, socket.SOL_SOCKET, socket.SO_REUSEADDR)
        return skt


class DirectConnector(tcp.Connector):
    """Makes a :class:`DirectClient`."""

    def _makeTransport(self) -> DirectClient:
        return DirectClient(self.host, self.port, self.bindAddress, self, self.reactor)


class DirectPort(tcp.Port):
    """
    A listening socket whose connections are :class:`DirectServer`; it is opened and closed without a log line.

    A passive port comes and goes by the hour; two lines each in the log would bury everything else.
    """

    transport = DirectServer
    end: tuple[Any, ...] | None = None  # the address that all its connections have at this end, if that is known
    accepts = 16  # a turn: more wait for the next one, so that the others are not held up
    _log = Logger()
    _logger = SILENT
    _shortage: Shortage | None = None

    def startListening(self) -> None:
        """
        Bind and listen.

        :raises CannotListenError: the port is taken, or the address is not ours.
        """
        tcp._reservedFD.reserve()  # Twisted's way out of EMFILE
        skt = None
        try:
            skt = self.createInternetSocket()
            skt.bind(tcp._resolveIPv6(self.interface, self.port) if self.addressFamily == socket.AF_INET6 else (self.interface, self.port))
            skt.listen(self.backlog)  # with SO_REUSEADDR a taken port may show here only
        except OSError as error:
            if skt is not None:
                skt.close()
            raise CannotListenError(self.interface, self.port, error) from error
        end = skt.getsockname()
        self._realPortNumber, self.end = end[1], None if end[0] in _EVERYWHERE else end
        self.factory.doStart()  # type: ignore[union-attr]
        self.connected = True
        self.socket = skt
        self.fileno = skt.fileno  # type: ignore[method-assign]
        self.numberAccepts = self.accepts  # for Twisted's own doRead
        self.startReading()

    def doRead(self) -> None:
        """Take the connections that wait."""
        for _ in range(self.accepts):
            try:
                descriptor, address = self.socket._accept()  # type: ignore[union-attr]  # accept() looks up twice what is known here
                skt = socket.socket(self.addressFamily, self.socketType, 0, descriptor)
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._run_short(error)
                return
            try:
                self._welcome(skt, address)
            except Exception:  # must not end the listening
                self._log.failure("A connection to port {port} could not be taken.", port=self._realPortNumber)
                skt.close()
            if not self.connected:  # closed by what came of the connection
                return

    def _run_short(self, error: OSError) -> None:
        super().doRead()  # which knows how to get rid of those who wait, though there is no descriptor for them
        if self._shortage is None:
            self._shortage = Shortage(self, self.reactor)
        self._shortage.met(error, self._realPortNumber or 0)

    def _welcome(self, skt: socket.socket, address: tuple[Any, ...]) -> None:
        if len(address) == 4:
            # With the zone of a link-local address, as Twisted's getPeer gives it elsewhere.
            address = (socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0], *address[1:]) if address[3] else address
        protocol = self.factory.buildProtocol(self._buildAddr(address))  # type: ignore[union-attr]
        if protocol is None:
            self.refuse(skt)
            return
        number = self.sessionno
        self.sessionno = number + 1
        protocol.makeConnection(self.transport(skt, protocol, address, self, number, self.reactor))

    def refuse(self, skt: socket.socket) -> None:
        """Get rid of a connection that the factory does not want."""
        skt.close()

    def loseConnection(self, connDone: Failure = CLOSED) -> defer.Deferred[None]:
        """Stop listening now, so that the port is free when this returns; the Deferred has fired already."""
        if self.connected:
            self.stopReading()
            self.connectionLost(connDone)
        return defer.succeed(None)

    stopListening = loseConnection

    def connectionLost(self, reason: Failure) -> None:
        """Close; a reactor that stops says so even to one that was closed a moment ago."""
        if self.connected:
            super().connectionLost(reason)
        if self._shortage is not None:
            self._shortage.forget()

    def _logConnectionLostMsg(self) -> None:
        pass


class ControlPort(DirectPort):
    """A control port. On Linux an accepted connection inherits the options set here (see :func:`tune_control`)."""

    def createInternetSocket(self) -> socket.socket:
        """A socket with the options of a control connection."""
        skt = super().createInternetSocket()
        _tune(skt)
        return skt


class DataPort(DirectPort):
    """A passive port. A connection that nobody waits for is reset (P-DC-4): a FIN would look like an empty file."""

    transport = DataServer
    accepts = 1  # rarely two at a time, and asking in vain costs an exception

    def createInternetSocket(self) -> socket.socket:
        """A socket whose options each accepted connection inherits: no ``setsockopt`` for each."""
        skt = super().createInternetSocket()
        _set(skt, socket.IPPROTO_TCP, socket.TCP_NODELAY)
        _set(skt, socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        return skt

    def refuse(self, skt: socket.socket) -> None:
        """Reset a stranger."""
        with suppress(OSError):
            skt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        skt.close()


def listen(reactor: Any, port: int, factory: Any, interface: str = "", backlog: int = 1024, kind: type[DirectPort] = ControlPort) -> IListeningPort:
    """
    Listen, on a reactor that has descriptors with :class:`DirectIO` transports, else as the reactor does.

    :param interface: an address of ours, ``""`` for all IPv4, ``"::"`` for all.
    :raises CannotListenError: the port is taken, not permitted, or the address is not ours.
    """
    if not isinstance(reactor, posixbase.PosixReactorBase):
        return reactor.listenTCP(port, factory, backlog, interface)  # type: ignore[no-any-return]
    listener = kind(port, factory, backlog, interface, reactor)
    listener.startListening()
    return listener


def connect(reactor: Any, host: str, port: int, factory: Any, timeout: float = 30.0, bind_address: str = "", bind_port: int = 0) -> IConnector:
    """
    Connect to an address (no name), from ``bind_address`` and ``bind_port`` if given. The factory is told of success and failure.

    :param timeout: seconds.
    """
    if bind_port and not bind_address:
        bind_address = "::" if ":" in host else "0.0.0.0"
    bind = (bind_address, bind_port) if bind_address else None
    if not isinstance(reactor, posixbase.PosixReactorBase):
        return reactor.connectTCP(host, port, factory, timeout, bind)  # type: ignore[no-any-return]
    connector = DirectConnector(host, port, factory, timeout, bind, reactor)
    connector.connect()
    return connector


def half_close(transport: Any) -> bool:
    """
    Send FIN behind what was written, and leave the other direction open where that is possible.

    :return: whether it is with the kernel, or that cannot be known; else ``writeConnectionLost`` tells.
    """
    if isinstance(transport, DirectIO):
        return transport.finish()
    if IHalfCloseableDescriptor.providedBy(transport):
        transport.loseWriteConnection()  # type: ignore[attr-defined]
        return False
    transport.loseConnection()
    return True


def _handle(transport: Any) -> socket.socket | None:
    """The socket below a transport, if there is one."""
    try:
        handle = transport.getHandle()
    except AttributeError:  # a transport of another kind, or one of Twisted's that is closed
        return None
    return handle if isinstance(handle, socket.socket) else None


def _set(skt: socket.socket, level: int, option: int) -> None:
    with suppress(OSError):  # lost already, or macOS in a mood: nothing depends on it but speed
        skt.setsockopt(level, option, 1)


def tune_control(transport: Any) -> None:
    """
    Set up a control connection: each reply goes out at once (else 226 waits 40 ms for a delayed ACK), NATs
    keep it during long transfers, and urgent octets stay in the stream, for an ABOR sent as such (PROTOCOL P-TEL-8).

    The kernel holds replies while the network takes no more, and would make one segment of several then, in whose middle connection
    tracking does not see a 227 (P-PB-5): it is told not to.
    """
    if isinstance(transport, DirectIO):
        transport.flags = APART
    if _INHERITS and isinstance(getattr(transport, "server", None), ControlPort):
        return
    if (skt := _handle(transport)) is not None:
        _tune(skt)


def _tune(skt: socket.socket) -> None:
    _set(skt, socket.IPPROTO_TCP, socket.TCP_NODELAY)
    _set(skt, socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    _set(skt, socket.SOL_SOCKET, socket.SO_OOBINLINE)


def tune_data(transport: Any) -> None:
    """Set up a data connection (PROTOCOL P-DC-16). Those of a :class:`DataPort` are born so."""
    if (skt := _handle(transport)) is not None:
        _set(skt, socket.IPPROTO_TCP, socket.TCP_NODELAY)
        _set(skt, socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def acknowledge(transport: Any) -> None:
    """
    Acknowledge at once what has come now, and what comes next. A client without TCP_NODELAY that sends a message in two small segments
    holds the second one back until the first is acknowledged, and where there is nothing to answer the kernel takes 40 ms for that:
    GnuTLS shakes hands so, and close_notify follows the last piece of an upload so.
    """
    if _QUICK_ACKNOWLEDGEMENT is not None and (skt := _handle(transport)) is not None:
        _set(skt, socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGEMENT)


def was_reset(transport: Any) -> bool:
    """Whether the peer has reset a connection that nobody reads. The kernel tells once."""
    skt = _handle(transport)
    try:
        return skt is not None and skt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
    except OSError:
        return True
