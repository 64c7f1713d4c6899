"""
Clients and files for the tests of the transport layer.

Not here: assertions.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["BytesSource", "DataClient", "LocalFile", "MemoryFile", "dial"]


@implementer(IHalfCloseableProtocol)
class DataClient(Protocol):
    """The client's end of a data connection. ``ended`` fires with the reason, ``fin`` with the octets at the server's FIN."""

    closes_on_fin = True

    def __init__(self) -> None:
        self.octets = bytearray()
        self.ended: Deferred[BaseException | None] = Deferred()
        self.fin: Deferred[bytes] = Deferred()
        self.made: Deferred[DataClient] = Deferred()

    def connectionMade(self) -> None:
        self.made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        self.octets += data

    def readConnectionLost(self) -> None:
        self.fin.callback(bytes(self.octets))
        if self.closes_on_fin:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure) -> None:
        self.ended.callback(reason.value)


def dial(reactor: Any, port: int, host: str = "127.0.0.1", source: str = "", client: DataClient | None = None) -> DataClient:
    """Connect to a port; ``made`` of the result fires when it is."""
    protocol = client or DataClient()
    factory = ClientFactory()
    factory.noisy = False
    factory.buildProtocol = lambda addr: protocol  # type: ignore[method-assign, assignment]
    factory.clientConnectionFailed = lambda connector, reason: protocol.made.errback(reason)  # type: ignore[method-assign]
    reactor.connectTCP(host, port, factory, bindAddress=(source, 0) if source else None)
    return protocol


def shrink_buffers(skt: socket.socket) -> None:
    """Make a socket fill up soon."""
    skt.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


class MemoryFile:
    """An ``IOpenFile`` without a descriptor."""

    descriptor: int | None = None

    def __init__(self, octets: bytes) -> None:
        self.content = octets
        self.size = len(octets)
        self.reads: list[tuple[int, int]] = []

    def read_at(self, offset: int, count: int) -> Any:
        self.reads.append((offset, count))
        return self.content[offset : offset + count]

    def is_cached(self, offset: int, count: int) -> bool:
        return True

    def warm(self, offset: int, count: int) -> Deferred[None]:
        raise AssertionError("not cold")

    def close(self) -> None:
        pass


class LocalFile(MemoryFile):
    """An ``IOpenFile`` with a descriptor; ``cold`` holds the offsets of blocks that must be warmed, each ``warming`` when asked."""

    def __init__(self, path: str, octets: bytes) -> None:
        super().__init__(octets)
        with open(path, "wb") as file:
            file.write(octets)
        self.descriptor = os.open(path, os.O_RDONLY)
        self.cold: set[int] = set()
        self.warming: list[tuple[int, int, Deferred[None]]] = []

    def is_cached(self, offset: int, count: int) -> bool:
        return offset not in self.cold

    def warm(self, offset: int, count: int) -> Deferred[None]:
        warmed: Deferred[None] = Deferred()
        self.warming.append((offset, count, warmed))
        return warmed

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class BytesSource:
    """An ``ISource`` over a list: octets, Deferreds, or exceptions to raise."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = list(pieces)

    def read(self) -> Any:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece
