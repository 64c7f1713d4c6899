"""Tests of ``workers.staff``: who is hired when."""

from __future__ import annotations

import errno
import signal
from typing import Any

from hypothesis import given
from hypothesis.strategies import floats, lists
from twisted.internet.task import Clock
from twisted.logger import LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from twistftp.workers.channel import Channel
from twistftp.workers.staff import LONGEST, STEADY, Member, Staff


class Shop:
    """A staff of processes that are only numbers. ``dead`` holds the statuses of those that have ended, ``refusals`` what hiring fails of."""

    def __init__(self, count: int = 2) -> None:
        self.clock = Clock()
        self.hired: list[Member] = []
        self.gone: list[Member] = []
        self.dead: dict[int, int] = {}
        self.refusals: list[OSError] = []
        self.staff = Staff(self.clock, count, self.hire, self.gone.append, self.dead.get)

    def hire(self, slot: int) -> Member:
        if self.refusals:
            raise self.refusals.pop()
        member = Member(slot, 1000 + len(self.hired), Channel(lambda *_: None, lambda: None), self.clock.seconds())
        self.hired.append(member)
        return member

    def die(self, slot: int, status: int = signal.SIGKILL) -> None:
        """The worker of a slot ends."""
        member = next(one for one in self.staff if one.slot == slot)
        self.dead[member.pid] = status
        self.staff.left(member)

    def slots(self) -> list[int]:
        """The places that are taken."""
        return [member.slot for member in self.staff]


class StaffTests(SynchronousTestCase):
    """Workers come and go."""

    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def lines(self) -> list[str]:
        """What was logged of workers."""
        ours = [event for event in self.events if event.get("log_namespace") == f"{Staff.__module__}.Staff"]
        return [eventAsText(event, includeTimestamp=False, includeSystem=False) for event in ours]

    def begun(self, **how: Any) -> Shop:
        shop = Shop(**how)
        shop.staff.begin()
        return shop

    def test_replaced(self) -> None:
        """One that ends after a while is replaced at once, in its own place; who it was is told first."""
        shop = self.begun()
        shop.clock.advance(STEADY)
        shop.die(1)
        self.assertEqual([1001], [member.pid for member in shop.gone])
        self.assertEqual([(0, 1000), (1, 1002)], [(member.slot, member.pid) for member in shop.staff])
        self.assertEqual(["worker 2 (process 1001) was ended by signal 9 (SIGKILL); another takes its place"], self.lines())
        self.assertEqual(1, shop.staff.replaced)

    def test_channel_first(self) -> None:
        """A process whose channel has ended and which has not is asked again until it has: its successor needs its ports."""
        shop = self.begun()
        member = shop.hired[0]
        shop.staff.left(member)
        shop.clock.pump([0.01] * 5)
        self.assertEqual([1], shop.slots())
        self.assertEqual([], shop.gone)
        shop.dead[member.pid] = 0
        shop.clock.advance(0.01)
        self.assertEqual([0, 1], shop.slots())
        self.assertEqual(["worker 1 (process 1000) has ended; another takes its place"], self.lines())

    def test_failing_at_once(self) -> None:
        """One that fails at its start again and again is tried less and less often, each place by itself; a good while makes up for it."""
        shop = self.begun()
        waits = []
        for _ in range(9):
            shop.die(0, 1 << 8)
            before = shop.clock.seconds()
            while 0 not in shop.slots():
                shop.clock.advance(0.5)
            waits.append(shop.clock.seconds() - before)
        self.assertEqual([0, 0.5, 1, 2, 4, 8, 16, LONGEST, LONGEST], waits)
        self.assertEqual("worker 1 (process 1009) has ended with status 1; another takes its place in 30 s", self.lines()[-1])
        shop.die(1)
        self.assertEqual([0, 1], shop.slots())
        shop.clock.advance(STEADY)
        shop.die(0)
        self.assertEqual([0, 1], shop.slots())

    @given(lists(floats(0, 20), max_size=30))
    def test_always_again(self, lives: list[float]) -> None:
        """However long they live, after half a minute there is always one in each place, and never two."""
        shop = Shop(1)
        shop.staff.begin()
        for life in lives:
            shop.clock.advance(life)
            if shop.slots():
                shop.die(0)
            self.assertLessEqual(len(shop.staff), 1)
        shop.clock.advance(LONGEST)
        self.assertEqual([0], shop.slots())

    def test_no_processes(self) -> None:
        """Where the system has no more processes, it is asked again later."""
        shop = Shop()
        shop.refusals = [OSError(errno.EAGAIN, "Resource temporarily unavailable")] * 2
        shop.staff.begin()
        self.assertEqual(2, len(self.lines()))
        self.assertEqual("worker 1 cannot be started (Resource temporarily unavailable); the next attempt is in 0.5 s", self.lines()[0])
        shop.clock.advance(0.5)
        self.assertEqual([0, 1], shop.slots())

    def test_end(self) -> None:
        """At the end nobody is replaced, who waits for a place gets none, and it is over when the last has gone."""
        shop = self.begun(count=3)
        shop.die(2)
        shop.die(2)  # its successor waits
        ended = shop.staff.end()
        shop.clock.advance(LONGEST)
        self.assertEqual([0, 1], shop.slots())
        shop.die(0, 0)
        self.assertNoResult(ended)
        shop.die(1, 0)
        self.assertIsNone(self.successResultOf(ended))
        self.assertEqual([], shop.clock.getDelayedCalls())

    def test_end_of_nobody(self) -> None:
        """Without workers it is over at once."""
        self.successResultOf(Shop().staff.end())
