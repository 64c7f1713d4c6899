"""Tests of ``workers.scales``: who has how much to do."""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistftp.workers.scales import AHEAD, MEMORY, PART, TURNS, Pan, Scales

SESSION: Any = object()


class ScalesTests(SynchronousTestCase):
    """The scales of three workers."""

    def setUp(self) -> None:
        self.scales = Scales(3)
        for bell in self.scales.bells:
            for end in bell:
                self.addCleanup(os.close, end)
        self.pans = [Pan(self.scales, column) for column in range(3)]
        for pan in self.pans:
            pan.begin()

    def give(self, column: int, sessions: int, ended: int = 0) -> None:
        """Sessions that stay, and some that have ended."""
        for _ in range(sessions + ended):
            self.pans[column].opened(SESSION)
        for _ in range(ended):
            self.pans[column].closed(SESSION)

    def lighter(self) -> list[int]:
        """What each says."""
        return [pan.lighter() for pan in self.pans]

    def test_even(self) -> None:
        """Nobody has less to do than others that have as much, or a little less."""
        self.assertEqual([-1, -1, -1], self.lighter())
        self.give(0, AHEAD)
        self.assertEqual([-1, -1, -1], self.lighter())

    def test_sessions(self) -> None:
        """The one with the fewest sessions is to take the next; how much more others may have grows with what there is."""
        self.give(0, AHEAD + 1)
        self.give(2, 1)
        self.assertEqual([1, -1, -1], self.lighter())
        self.give(1, 3 * PART)
        self.give(2, 3 * PART + AHEAD)
        self.give(0, 3 * PART + 2)
        self.assertEqual([-1, -1, -1], self.lighter())
        self.give(0, 1)
        self.assertEqual([1, -1, -1], self.lighter())

    def test_many(self) -> None:
        """Where sessions end at once, it is those that have begun, unless the other has more sessions just now."""
        self.give(0, 0, TURNS)
        self.give(2, 0, 1)
        self.assertEqual([-1, -1, -1], self.lighter())
        self.give(0, 0, 1)
        self.assertEqual([1, -1, -1], self.lighter())
        self.give(1, 1)
        self.assertEqual([-1, -1, -1], self.lighter())
        self.give(0, 0, 1)
        self.assertEqual([2, -1, -1], self.lighter())

    def test_catching_up(self) -> None:
        """One that was busy with other things does not catch up with everything."""
        self.give(0, 0, 10 * MEMORY)
        self.give(1, 0, 10 * MEMORY)
        self.assertEqual(-1, self.pans[2].lighter())
        self.give(2, 0, MEMORY - TURNS - 1)
        self.assertEqual([2, 2, -1], self.lighter())
        self.give(2, 0, 1)
        self.assertEqual([-1, -1, -1], self.lighter())

    def test_who_is_there(self) -> None:
        """One that has ended counts no more, whether it said so or not; who takes its place begins without sessions, and owes nothing."""
        for end in (self.pans[1].end, lambda: self.scales.clear(1)):
            self.give(0, 100, 100)
            self.give(2, 100, 100)
            self.assertEqual([1, -1, 1], self.lighter())
            end()
            self.assertEqual([-1, -1], [self.pans[0].lighter(), self.pans[2].lighter()])
            self.scales.clear(2)
            self.assertEqual(-1, self.pans[0].lighter(), "alone")
            again = Pan(self.scales, 1)
            again.begin()
            self.assertEqual((-1, self.pans[0].begun_by(0)), (again.lighter(), again.begun_by(1)))
            self.assertEqual(1, self.pans[0].lighter())
            again.opened(SESSION)
            self.setUp()

    def test_bell(self) -> None:
        """Only a worker that rests hears its bell; ringing never waits, however often it is done."""
        one, two, _ = self.pans
        one.ring_for(1)
        self.assertRaises(BlockingIOError, os.read, two.bell, 1)
        two.rest(True)
        one.ring_for(1)
        self.assertEqual(b"!", os.read(two.bell, 10))
        for _ in range(70_000):
            one.ring_for(1)
        two.rest(False)
        self.assertTrue(os.read(two.bell, 1 << 20))
