"""
A client that a test drives step by step over real sockets, and that can misbehave: be late, be silent, reset, half-close.

Not here: assertions about the server.
"""

from __future__ import annotations

import re
import socket
import struct
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.running import PATIENCE, RunningSite, in_time, until

__all__ = ["Control", "Data", "connect", "connect_narrowly", "data_from", "data_to", "is_turned_away", "log_in", "port_in"]

reactor: Any = installed_reactor


class Control(LineReceiver):
    """A control connection: ``replies`` has those that came and were not asked for yet; inner line ends are ``\\n``."""

    delimiter = b"\r\n"
    MAX_LENGTH = 1 << 20

    def __init__(self) -> None:
        self.replies: list[str] = []
        self._lines: list[str] = []
        self.closed: Deferred[str] = Deferred()
        self.is_closed = False

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def lineReceived(self, line: bytes) -> None:
        text = line.decode("utf-8", "surrogateescape")
        self._lines.append(text)
        if re.match(r"\d{3} ", text) and (len(self._lines) == 1 or text[:3] == self._lines[0][:3]):
            self.replies.append("\n".join(self._lines))
            self._lines = []

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.is_closed = True
        self.closed.callback(_how(reason))

    async def reply(self, within: float = PATIENCE) -> str:
        """The next reply."""
        await until(lambda: self.replies or self.is_closed, "a reply", within)
        if not self.replies:
            raise AssertionError("the server closed the connection instead of replying")
        return self.replies.pop(0)

    def say(self, *commands: str | bytes) -> None:
        """Send commands in one segment."""
        self.transport.write(b"".join(_octets(command) + b"\r\n" for command in commands))

    async def ask(self, command: str | bytes, within: float = PATIENCE) -> str:
        """Send a command; its first reply."""
        self.say(command)
        return await self.reply(within)

    def say_urgently(self, octets: bytes) -> None:
        """Send these octets at once, the last of them as TCP's urgent one."""
        self.transport.getHandle().send(octets, socket.MSG_OOB)

    def reset(self) -> None:
        """End with RST."""
        self.transport.abortConnection()

    def close(self) -> Deferred[str] | None:
        """End with FIN; fires when the server has done so, too."""
        if self.is_closed:
            return None
        self.transport.loseConnection()
        return in_time(self.closed)

    async def passive(self) -> int:
        """EPSV: the port."""
        return port_in(await self.ask("EPSV"))


@implementer(IHalfCloseableProtocol)
class Data(Protocol):
    """
    The client's end of a data connection. ``closed`` fires with how the server ended it: ``"FIN"`` or ``"RST"``; the client's
    own FIN is sent then, unless it was before.

    :param is_deaf: read nothing until ``listen``.
    """

    def __init__(self, is_deaf: bool = False) -> None:
        self._is_deaf = is_deaf
        self._received: list[bytes] = []
        self.count = 0
        self.closed: Deferred[str] = Deferred()
        self.opened: Deferred[Data] = Deferred()
        self.is_open = False

    def connectionMade(self) -> None:
        self.is_open = True
        if self._is_deaf:
            self.transport.pauseProducing()
        self.opened.callback(self)

    def dataReceived(self, data: bytes) -> None:
        self._received.append(data)
        self.count += len(data)

    @property
    def received(self) -> bytes:
        """Everything so far."""
        return b"".join(self._received)

    def listen(self) -> None:
        """Read from now on."""
        self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        self._tell("FIN")
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our FIN is out."""

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.is_open = False
        self._tell(_how(reason))

    def _tell(self, how: str) -> None:
        if not self.closed.called:
            self.closed.callback(how)

    def half_close(self) -> None:
        """Send FIN, and go on reading."""
        self.transport.loseWriteConnection()

    def reset(self) -> None:
        """End with RST."""
        handle = self.transport.getHandle()
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abortConnection()

    def close(self) -> None:
        """End it, whatever it is at; for the end of a test."""
        if self.is_open:
            self.transport.abortConnection()


def _octets(command: str | bytes) -> bytes:
    return command if isinstance(command, bytes) else command.encode("utf-8", "surrogateescape")


def _how(reason: Failure) -> str:
    return "FIN" if reason.check(ConnectionDone) else "RST"


def port_in(reply: str) -> int:
    """The port that a 227 or 229 names."""
    if found := re.search(r"\|\|\|(\d+)\|", reply):
        return int(found[1])
    found = re.search(r"\((?:\d+,){4}(\d+),(\d+)\)", reply)
    if found is None:
        raise AssertionError(f"no port in {reply!r}")
    return int(found[1]) * 256 + int(found[2])


class _One(ClientFactory):
    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.connected: Deferred[Any] = Deferred()

    def buildProtocol(self, addr: Any) -> Protocol:
        reactor.callLater(0, self.connected.callback, self._protocol)
        return self._protocol

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.connected.errback(reason)


async def connect(port: int, protocol: Any, address: str = "127.0.0.1", source: str = "") -> Any:
    """
    Connect a protocol.

    :param source: the address to come from.
    :raises twisted.internet.error.ConnectError: it could not.
    """
    factory = _One(protocol)
    reactor.connectTCP(address, port, factory, PATIENCE, (source, 0) if source else None)
    return await factory.connected


async def connect_narrowly(port: int, protocol: Any) -> Any:
    """Connect a protocol with next to no room in the kernel for what it has not read."""
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # counts only before it is connected
        narrow.connect(("127.0.0.1", port))
        narrow.setblocking(False)
        reactor.adoptStreamConnection(narrow.fileno(), socket.AF_INET, _Accepting(protocol))
    return protocol


async def is_turned_away(port: int, source: str = "127.0.0.1") -> bool:
    """Whether a data connection from this address is refused, or reset without an octet."""
    data = Data()
    try:
        await connect(port, data, source=source)
    except ConnectError:
        return True
    try:
        return await in_time(data.closed) == "RST" and not data.count
    finally:
        data.close()


async def log_in(case: Any, running: RunningSite, kind: str = "I", source: str = "") -> Control:
    """A control connection that is logged in anonymously, with this TYPE; closed at the end of the test."""
    control = case.closing(await connect(running.port, Control(), running.address, source))
    await control.reply()
    for command in ("USER ftp", "PASS a@b", f"TYPE {kind}"):
        reply = await control.ask(command)
        if reply[0] not in "23":
            raise AssertionError(reply)
    return control


async def data_to(case: Any, control: Control, is_deaf: bool = False, source: str = "") -> Data:
    """EPSV, and the connection to the port that it names."""
    return case.closing(await connect(await control.passive(), Data(is_deaf), control.transport.getPeer().host, source))


class _Accepting(ServerFactory):
    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Any) -> Protocol:
        return self._protocol


async def data_from(case: Any, control: Control, is_deaf: bool = False) -> Data:
    """PORT or EPRT for a port that we listen on; its ``opened`` fires when the server has come."""
    data = case.closing(Data(is_deaf))
    host = control.transport.getHost().host
    listener = reactor.listenTCP(0, _Accepting(data), 1, host)
    case.addCleanup(listener.stopListening)
    port = listener.getHost().port
    reply = await control.ask(f"EPRT |{2 if ':' in host else 1}|{host}|{port}|")
    if not reply.startswith("200"):
        raise AssertionError(reply)
    return data
