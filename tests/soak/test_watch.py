"""Tests of ``bench/watch``: what counts as a leak, and what as chance."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import CHECKOUT


class Case(SynchronousTestCase):
    """Programs of ``bench`` find each other by the directory in which they lie."""

    def setUp(self) -> None:
        self.patch(sys, "path", [str(CHECKOUT / "bench"), *sys.path])
        import watch

        self.watch: Any = watch

    def leaks(self, measured: str, values: list[float]) -> list[str]:
        """The names of the leaks among samples whose ``measured`` goes like that, and all else stays."""
        still = self.watch.Sample(*(0 for _ in self.watch.Sample._fields))
        calm = [still._replace(seconds=number, **{measured: value}) for number, value in enumerate(values)]
        return [growth.measured for growth in self.watch.growths(calm) if growth.is_leak]


class GrowthTests(Case):
    """Rows of samples."""

    def test_leak(self) -> None:
        """What goes up all the time is a leak, by little a time, too."""
        self.assertEqual(["descriptors"], self.leaks("descriptors", [10 + number for number in range(12)]))
        self.assertEqual(["kib"], self.leaks("kib", [40_000 + 100 * number for number in range(120)]))
        self.assertEqual(["sessions"], self.leaks("sessions", [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]))

    def test_no_leak(self) -> None:
        """Warming up, an odd sample, and going up and down are none."""
        self.assertEqual([], self.leaks("kib", [30_000, 50_000, 60_000, *[60_500] * 9]))
        self.assertEqual([], self.leaks("kib", [*[40_000] * 11, 90_000]))
        self.assertEqual([], self.leaks("descriptors", [10, 14, 10, 14, 10, 14, 10, 14, 10, 14, 10, 14]))


class ListenerTests(Case):
    """``/proc``."""

    def test_inodes(self) -> None:
        """A TCP socket that listens is found, one that does not is not."""
        if not os.path.exists("/proc/self/net/tcp"):
            self.skipTest("there is no /proc")
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as other:
            inodes = self.watch._listening_inodes(os.getpid())
            self.assertIn(str(os.fstat(listener.fileno()).st_ino), inodes)
            self.assertNotIn(str(os.fstat(other.fileno()).st_ino), inodes)
