"""
The world over real sockets: loopback, the transports of production, and a reactor of its own that the test turns by hand.

Not here: what clients do. Its clock is the test's; only octets take the kernel's time, which on loopback is none that can be seen.
"""

from __future__ import annotations

import socket
import struct
from functools import cache
from typing import Any

from twisted.internet import epollreactor

from tests.fuzz.client import Client
from tests.fuzz.wires import Wires
from tests.fuzz.world import World
from twistftp.policy.channels import DYNAMIC
from twistftp.transport import sockets

__all__ = ["HandReactor", "Loopback", "SocketClient", "SocketWire"]

_HERE = "127.0.0.1"
_IDLE = 4
"""Turns in which nothing happens until nothing is believed to be left: some work is spread over several."""


class HandReactor(epollreactor.EPollReactor):
    """Twisted's reactor with a clock that is set, never run."""

    def __init__(self) -> None:
        self.time = 0.0
        self.outgoing: list[Any] = []  # as ``world.Clock``; here connections just arrive
        super().__init__()

    def seconds(self) -> float:  # type: ignore[override]
        """The test's time."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        self.runUntilCurrent()


@cache
def _reactor() -> HandReactor:
    """One for all worlds: each has three descriptors that are closed when nobody knows."""
    return HandReactor()


class SocketWire:
    """A client's socket, with what ``wires.Wire`` has. ``unsent`` is what the kernel has not taken yet."""

    def __init__(self, skt: socket.socket) -> None:
        self.socket = skt
        skt.setblocking(False)
        self.got = b""
        self.window: int | None = None
        self.has_fin = self.is_reset = self.is_closed = False
        self.dataBuffer = b""  # the server's is not seen from here
        self.unsent = b""
        self.sent = 0
        self._is_ending = False
        self._is_reading = True

    @property
    def is_lost(self) -> bool:
        """Whether the connection is gone."""
        return self.has_fin or self.is_reset or self.is_closed

    def send(self, octets: bytes) -> None:
        """Octets for the server."""
        if not self.is_closed and not self._is_ending:
            self.unsent += octets
            self.flush()

    def end(self) -> None:
        """FIN, behind them."""
        self._is_ending = True
        self.flush()

    def reset(self) -> None:
        """RST."""
        if not self.is_closed:
            self.is_closed = True
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.close()

    def flush(self) -> bool:
        """Send what the kernel takes."""
        if self.is_closed:
            return False
        before = len(self.unsent)
        try:
            while self.unsent:
                count = self.socket.send(self.unsent)
                self.unsent, self.sent = self.unsent[count:], self.sent + count
            if self._is_ending and self._is_reading:
                self._is_reading = False
                self.socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self.unsent = b""
        return len(self.unsent) != before

    def turn(self) -> bool:
        """Take what has come, as far as it is wanted."""
        moved = self.flush()
        while not self.is_closed and not self.has_fin and not self.is_reset and self.window != 0:
            try:
                data = self.socket.recv(1 << 16 if self.window is None else self.window)
            except BlockingIOError:
                break
            except OSError:
                self.is_reset = True
                return True
            self.has_fin = not data
            self.got += data
            moved = True
            if self.window is not None:
                self.window -= len(data)
        return moved


class _Sockets(Wires):
    """The clients' ends."""

    def __init__(self, world: Loopback) -> None:
        super().__init__()
        self._world = world
        self.all: list[Any] = []
        self.listen = sockets.listen  # type: ignore[method-assign,assignment]

    def connect(self, interface: str, port: int, client: str) -> Any:
        """Dial from an address of ours; ``None`` when nobody listens."""
        skt = socket.socket()
        skt.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        skt.bind((client, 0))
        try:
            skt.connect((_HERE, port))
        except OSError:
            skt.close()
            return None
        return self.keep(skt)

    def keep(self, skt: socket.socket) -> Any:
        """One more client's end."""
        wire = SocketWire(skt)
        self.all.append(wire)
        return wire

    def turn(self) -> bool:
        self.ports = dict.fromkeys(self._world.pool._open._open)
        return sum(wire.turn() for wire in self.all) > 0


class SocketClient(Client):
    """A client with sockets."""

    def _check_transfer(self, verb: str, octets: int) -> None:
        """What the kernel holds for the client is not seen; ``test_data_events`` reads it."""

    def dial(self, peer: str = "") -> Any:
        wire = self.world.wires.connect(_HERE, self.port or 0, peer or self.peer)
        if wire is not None:
            self.data.append(wire)
        return wire

    def offer(self) -> str:
        """Listen, for PORT: its argument. Whoever comes is accepted by the kernel and taken by :meth:`accept`."""
        listener = socket.socket()
        listener.bind((self.peer, 0))
        listener.listen(1)
        listener.setblocking(False)
        self.world.listeners.append(listener)
        port = listener.getsockname()[1]
        return f"{self.peer.replace('.', ',')},{port >> 8},{port & 255}"

    def accept(self) -> Any:
        for listener in self.world.listeners:
            try:
                skt, _ = listener.accept()
            except OSError:
                continue
            wire = self.world.wires.keep(skt)
            self.data.append(wire)
            return wire
        return None


class Loopback(World):
    """A site on loopback."""

    ports = DYNAMIC

    def _network(self) -> tuple[Any, Any]:
        self.listeners: list[socket.socket] = []
        return _reactor(), _Sockets(self)

    def _open(self) -> None:
        self._port = sockets.listen(self.clock, 0, self.site, _HERE)
        self.watch.roots += ("/proc",)

    def _arrive(self, peer: str) -> Any:
        return self.wires.connect(_HERE, self._port.getHost().port, peer)  # type: ignore[attr-defined]

    def connect(self, peer: str = _HERE, engine: Any = None, kind: type[Client] = SocketClient) -> Client:
        return super().connect(peer, engine, kind)

    def _step(self) -> bool:
        """Several turns, for one in which nothing happens proves nothing."""
        self.clock.runUntilCurrent()
        for _ in range(_IDLE):
            self.clock.doPoll(0)
            self.clock.runUntilCurrent()
            if self.wires.turn():
                return True
        return any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls())

    def _left_over(self) -> list[str]:
        for wire in self.wires.all:
            wire.reset()
        for listener in self.listeners:
            listener.close()
        self.turn()
        trouble = super()._left_over()
        self._port.stopListening()
        left = self.clock.removeAll()
        trouble += [f"still watched by the reactor: {one!r}" for one in left if one is not self._port]
        return trouble
