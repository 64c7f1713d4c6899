"""
TCP in memory: transports of the server with a client at the other end that reads, stops, half closes and resets, and listening ports.

Not here: FTP. What one end does reaches the other in the next :meth:`Wires.turn`, as through a reactor of Twisted's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import CannotListenError, ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableDescriptor, IHalfCloseableProtocol, IPushProducer, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Wire", "Wires", "address"]

_FIN, _RESET = object(), object()
HIGH_WATER = 1 << 16
"""Octets in the server's buffer from which its producer is told to pause, as Twisted has it."""


def address(host: str, port: int) -> Any:
    """Twisted's address of an end."""
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)


@implementer(ITCPTransport, IConsumer, IPushProducer, IHalfCloseableDescriptor)
class Wire:
    """The server's end. ``got`` is what the client has received; ``window`` how many octets it will still take (``None``: all)."""

    def __init__(self, peer: Any, host: Any) -> None:
        self.peer, self.host = peer, host
        self.protocol: Any = None
        self.dataBuffer = b""
        self.got = b""
        self.window: int | None = None
        self.has_fin = self.is_reset = self.is_lost = False  # as the client sees its end
        self.most_buffered = 0
        self.disconnecting = self._is_finishing = self._is_aborted = False
        self._arriving: deque[Any] = deque()
        self._is_reading = True
        self._producer: Any = None
        self._is_streaming = self._is_paused = False

    # The client

    def send(self, octets: bytes) -> None:
        """Octets for the server."""
        if octets and not self.is_lost:
            self._arriving.append(octets)

    def end(self) -> None:
        """The client's FIN."""
        self._arriving.append(_FIN)

    def reset(self) -> None:
        """The client's RST, which overtakes what has not been read."""
        self._arriving.clear()
        self._arriving.append(_RESET)

    # One turn

    def turn(self) -> bool:
        """Whether anything happened."""
        if self.is_lost:
            return False
        if self._is_aborted:
            self.is_reset = True
            self._lose(ConnectionAborted())
            return True
        return self._receive() or self._transmit()

    def _receive(self) -> bool:
        if not self._arriving or not self._is_reading or self.disconnecting:
            return False
        piece = self._arriving.popleft()
        if piece is _RESET:
            self._lose(ConnectionLost())
        elif piece is not _FIN:
            self.protocol.dataReceived(piece)
        elif IHalfCloseableProtocol.providedBy(self.protocol):
            self._is_reading = False
            self.protocol.readConnectionLost()
        else:
            self._lose(ConnectionDone())
        return True

    def _transmit(self) -> bool:
        if self.dataBuffer:
            if self._arriving and self._arriving[0] is _RESET:
                self._lose(ConnectionLost())
                return True
            count = len(self.dataBuffer) if self.window is None else min(self.window, len(self.dataBuffer))
            if not count:
                return False
            self.got += self.dataBuffer[:count]
            self.dataBuffer = self.dataBuffer[count:]
            if self.window is not None:
                self.window -= count
            return True
        if self._producer is not None and (not self._is_streaming or self._is_paused):
            if self._is_streaming:
                self._is_paused = False
            before = self._producer, self.dataBuffer, self._is_finishing, self.disconnecting
            self._producer.resumeProducing()
            return self._is_streaming or (self._producer, self.dataBuffer, self._is_finishing, self.disconnecting) != before
        if self._producer is not None and not self.disconnecting:
            return False
        if self._is_finishing and not self.has_fin:
            self.has_fin = True
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.writeConnectionLost()
            return True
        if self.disconnecting:
            self.has_fin = True
            self._lose(ConnectionDone())
            return True
        return False

    def _lose(self, reason: Exception) -> None:
        self.is_lost = True
        self.dataBuffer = b""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        protocol, self.protocol = self.protocol, None  # as Twisted's transports do
        protocol.connectionLost(Failure(reason))

    # The server

    def write(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError("octets are written")
        if self.is_lost or self._is_aborted or self._is_finishing:
            return
        self.dataBuffer += data
        self.most_buffered = max(self.most_buffered, len(self.dataBuffer))
        if self._producer is not None and self._is_streaming and not self._is_paused and len(self.dataBuffer) >= HIGH_WATER:
            self._is_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.write(b"".join(iovec))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if self.is_lost:
            producer.stopProducing()
            return
        self._producer, self._is_streaming, self._is_paused = producer, streaming, False

    def unregisterProducer(self) -> None:
        self._producer = None

    def loseConnection(self) -> None:
        if not self.is_lost:
            self.disconnecting = True

    def loseWriteConnection(self) -> None:
        self._is_finishing = True

    def abortConnection(self) -> None:
        if not self.is_lost:
            self._is_aborted = self.disconnecting = True

    def pauseProducing(self) -> None:
        self._is_reading = False

    def resumeProducing(self) -> None:
        self._is_reading = not self.disconnecting

    def stopProducing(self) -> None:
        self.loseConnection()

    def getPeer(self) -> Any:
        return self.peer

    def getHost(self) -> Any:
        return self.host


class Listener:
    """An open port."""

    def __init__(self, wires: Wires, key: tuple[str, int]) -> None:
        self._wires, self._key = wires, key

    def getHost(self) -> Any:
        return address(*self._key)

    def stopListening(self) -> None:
        del self._wires.ports[self._key]


class Wires:
    """All connections and ports. ``taken`` are ports that others have."""

    def __init__(self) -> None:
        self.ports: dict[tuple[str, int], Any] = {}
        self.taken: set[int] = set()
        self.all: list[Wire] = []

    def listen(self, reactor: Any, port: int, factory: Any, interface: str, backlog: int, kind: Any) -> Listener:
        """Stands for ``sockets.listen``."""
        if port in self.taken or (interface, port) in self.ports:
            raise CannotListenError(interface, port, OSError(98, "in use"))
        self.ports[interface, port] = factory
        return Listener(self, (interface, port))

    def connect(self, interface: str, port: int, client: str) -> Wire | None:
        """A client connects to a port; ``None`` when nobody listens. One that is not wanted is reset."""
        factory = self.ports.get((interface, port))
        return None if factory is None else self.arrive(factory, address(client, 40000 + len(self.all) % 9999), address(interface, port))

    def arrive(self, factory: Any, peer: Any, host: Any) -> Wire:
        """A connection for a factory."""
        wire = Wire(peer, host)
        protocol = factory.buildProtocol(peer)
        if protocol is None:
            wire.is_reset = wire.is_lost = True
            return wire
        self.attach(wire, protocol)
        return wire

    def attach(self, wire: Wire, protocol: Any) -> None:
        """A connection and its protocol."""
        wire.protocol = protocol
        self.all.append(wire)
        protocol.makeConnection(wire)

    def turn(self) -> bool:
        """One turn of every connection; whether anything happened."""
        is_busy = False
        for wire in list(self.all):
            is_busy |= wire.turn()
        self.all = [wire for wire in self.all if not wire.is_lost]
        return is_busy
