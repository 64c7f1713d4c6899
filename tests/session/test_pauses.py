"""Pauses in the work of one command."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import TurningClock
from twistftp.session.pauses import Pauses
from twistftp.transport.turns import SPAN


class PausesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurningClock()
        self.now = 1000.0
        self.site: Any = SimpleNamespace(reactor=self.clock, deadlines=SimpleNamespace(seconds=lambda: self.now))
        self.done: list[str] = []

    def work(self, name: str, pieces: int, cost: float) -> Deferred[None]:
        async def work() -> None:
            pauses = Pauses(self.site)
            for _ in range(pieces):
                self.done.append(name)
                self.now += cost
                await pauses.pause()

        return Deferred.fromCoroutine(work())

    def test_short(self) -> None:
        """Work that does not take long is done at once."""
        self.successResultOf(self.work("a", 10, SPAN / 20))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_long(self) -> None:
        """Each goes on in a turn of its own, in order; one that is given up stays where it is and holds nobody up."""
        works = [self.work(name, 2, SPAN) for name in "abc"]
        self.assertEqual([*"abc"], self.done)
        works[1].cancel()
        self.failureResultOf(works[1])
        for _ in range(10):
            self.clock.advance(0)
        self.assertEqual([*"abcac"], self.done)
        self.successResultOf(works[0])
        self.successResultOf(works[2])
        self.assertEqual([], self.clock.getDelayedCalls())
