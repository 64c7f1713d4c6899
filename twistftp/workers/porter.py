"""
The porter of a worker: leaves a connection that waits at the door to another worker that has less to do, and never for long.

Not here: who has how much to do (``scales``), and accepting (``transport.shared``).

A worker that is ahead of another stops looking at its ports, and rings for that one if it has done the same. What still waits when its patience
ends it takes itself, and some more without asking, as the other is busy, stopped or dead: the more, the longer nothing is heard of it. So one that
does not come costs the clients a few milliseconds now and then, and nobody's connection waits for it alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.workers.scales import Pan

__all__ = ["Porter"]

PATIENCE = 0.005
"""Seconds that a connection is left to others."""
OWN = 8, 256
"""Connections that are not left to a worker that did not come: at first, and at most; twice as many each time, as long as it takes nothing at all."""
LONGEST = 1.0
"""Seconds after which they are again."""


class Porter:
    """One worker's :class:`~twistftp.transport.shared.Gate`."""

    def __init__(self, reactor: Any, pan: Pan) -> None:
        self._reactor, self._pan = reactor, pan
        self._bell: _Bell | None = None
        self._resting: list[Any] = []
        self._waking: Any = None
        self._left_to = -1
        self._late = -1, 0  # who did not come the last time, and how many sessions it had had until then
        self._own, self._own_until, self._portion = 0, 0.0, OWN[0]

    def begin(self) -> None:
        """From now on others count on this worker, and it on them."""
        self._bell = _Bell(self._pan.bell, self._rung)
        self._reactor.addReader(self._bell)
        self._pan.begin()

    def end(self) -> None:
        """Nobody counts on this worker any more, nor does it leave anything to others."""
        if self._bell is not None:
            self._reactor.removeReader(self._bell)
            self._bell = None
            self._pan.end()
            self._wake()

    def admits(self, port: Any) -> bool:
        """Whether a connection that may wait at a port is this worker's to take; if not, the port rests."""
        other = self._pan.lighter()
        if other < 0 or self._bell is None:
            return True
        if self._own and self._reactor.seconds() < self._own_until:
            self._own -= 1
            return True
        port.stopReading()
        self._resting.append(port)
        if self._waking is None:
            self._waking = self._reactor.callLater(PATIENCE, self._lose_patience)
            self._left_to = other
            self._pan.rest(True)
        self._pan.ring_for(other)
        return False

    def _wake(self) -> list[Any]:
        """Look at the ports again, which are given back."""
        if self._waking is None:
            return []
        if self._waking.active():
            self._waking.cancel()
        self._waking = None
        self._pan.rest(False)
        ports, self._resting = [port for port in self._resting if port.connected], []
        for port in ports:
            port.startReading()
        return ports

    def _rung(self) -> None:
        for port in self._wake():
            port.doRead()  # somebody has left a connection to us just now

    def _lose_patience(self) -> None:
        late = self._left_to, self._pan.begun_by(self._left_to)
        portion = min(2 * self._portion, OWN[1]) if late == self._late else OWN[0]
        self._own, self._own_until = portion, self._reactor.seconds() + LONGEST
        ports = self._wake()
        taken = sum(port.sessionno for port in ports)
        for port in ports:
            port.doRead()
        if sum(port.sessionno for port in ports) > taken:
            self._late, self._portion = late, portion
        else:
            self._own = 0


@implementer(IReadDescriptor)
class _Bell:
    """A pipe that the reactor watches; what is in it means nothing."""

    def __init__(self, descriptor: int, rung: Callable[[], None]) -> None:
        self._descriptor, self._rung = descriptor, rung

    def fileno(self) -> int:
        """The end that is read."""
        return self._descriptor

    def logPrefix(self) -> str:
        """For the log."""
        return "bell"

    def doRead(self) -> None:
        """It rings."""
        with suppress(BlockingIOError):
            os.read(self._descriptor, 4096)
        self._rung()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends; the pipe stays, for whoever takes this worker's place."""
