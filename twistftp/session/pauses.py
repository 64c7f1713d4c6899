"""
Pauses in the work of one command, so that other clients' commands do not wait for the whole of it.

Not here: what the work is (``verbs``), and how those who wait share a turn of the reactor (``transport.turns``).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twistftp.transport.turns import SPAN, turns_of

__all__ = ["Pauses"]


class Pauses:
    """The pauses of work that begins now, for a client of ``site``. Who has worked for :data:`SPAN` waits for another turn."""

    __slots__ = ("_reactor", "_seconds", "_until")

    def __init__(self, site: Any) -> None:
        self._reactor, self._seconds = site.reactor, site.deadlines.seconds
        self._until = self._seconds() + SPAN

    async def pause(self) -> None:
        """Between two pieces of the work: pause, if it is time."""
        if self._seconds() >= self._until:
            turn = _Turn()
            turns_of(self._reactor).wait(turn)
            await turn.come
            self._until = self._seconds() + SPAN


class _Turn:
    """Waits for a turn; nothing comes of it if nobody waits any more."""

    __slots__ = ("come",)

    def __init__(self) -> None:
        self.come: Deferred[None] = Deferred()

    def go(self) -> None:
        """It has come."""
        if not self.come.called:
            self.come.callback(None)
