"""
Shares a turn of the reactor among the connections that have much to do, so that a client's command never waits for all of them.

Not here: how much one connection sends at a time (``sending``), how it is told that its socket takes octets (``directio``), handshakes (``secure``),
commands that many lines at once ask for (``session.outlet``).

To encrypt and send 256 KiB takes a third of a millisecond, to shake hands for TLS nearly one. When twenty sockets are ready, the reactor would do
that twenty times before it looks whether anybody has said something; two hundred downloads would make every command wait for 60 ms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol
from weakref import WeakKeyDictionary

__all__ = ["SPAN", "Turns", "turns_of"]

SPAN = 0.002
"""Seconds of a turn after which those that have much to do wait for the next one."""


class Working(Protocol):
    """What waits for a turn."""

    def go(self) -> None:
        """Work for a while, if there is still something to do."""


class Turns:
    """
    Whoever finds the span of a turn used up waits, first come, first served, and is called in one of the next turns. Between
    two of them the reactor looks at all sockets once. While nobody waits, no delayed call is pending.

    Nothing tells us when a turn begins. When the span has just ended it may still be the same one, so a single fast download
    waits for nobody every other millisecond, which costs it less than one part in a hundred.

    :param reactor: for ``callLater``.
    :param seconds: a clock.
    """

    def __init__(self, reactor: Any, seconds: Callable[[], float] = perf_counter) -> None:
        self._reactor, self._seconds = reactor, seconds
        self._waiting: deque[Working] = deque()
        self._has_call = False
        self._until = 0.0

    def may_go(self, working: Working) -> bool:
        """Whether it may work now; if not, its ``go`` is called later."""
        if not self._waiting:
            now = self._seconds()
            if now < self._until:
                return True
            if now >= self._until + SPAN:  # the reactor has done something else meanwhile
                self._until = now + SPAN
                return True
        self.wait(working)
        return False

    def wait(self, working: Working) -> None:
        """Have its ``go`` called in one of the next turns, behind those that wait already."""
        self._waiting.append(working)
        self._call()

    def _call(self) -> None:
        if not self._has_call:
            self._has_call = True
            self._reactor.callLater(0, self._run)

    def _run(self) -> None:
        """A turn begins with those that wait."""
        waiting, seconds, self._has_call = self._waiting, self._seconds, False
        self._until = until = seconds() + SPAN
        try:
            for _ in range(len(waiting)):  # not those that come back meanwhile: the sockets are to be looked at first
                if seconds() >= until:
                    break
                waiting.popleft().go()
        finally:  # a fault of one is no fault of the others
            if waiting:
                self._call()


_TURNS: WeakKeyDictionary[Any, Turns] = WeakKeyDictionary()  # by reactor: it is the reactor's time that is shared


def turns_of(reactor: Any) -> Turns:
    """The one of this reactor."""
    turns = _TURNS.get(reactor)
    if turns is None:
        turns = _TURNS[reactor] = Turns(reactor)
    return turns
