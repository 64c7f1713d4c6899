"""Tests of ``workers.split``: who has which passive ports."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import integers, sets
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.workers.split import split


class SplitTests(SynchronousTestCase):
    """Parts of a range."""

    @given(integers(1024, 65000), integers(0, 300), integers(1, 64), sets(integers(1024, 65535), max_size=10), sets(integers(0, 300), max_size=30))
    def test_parts(self, low: int, more: int, workers: int, far: set[int], near: set[int]) -> None:
        """No port is of two, all usable ones are somebody's, shares differ by one at most, and nobody's is empty."""
        ports = PortRange(low, min(low + more, 65535))
        reserved = far | {low + offset for offset in near}
        usable = set(range(ports.low, ports.high + 1)) - reserved
        if len(usable) < workers:
            with self.assertRaisesRegex(ValueError, f"^{len(usable)} usable ports are too few for {workers} workers"):
                split(ports, workers, reserved)
            return
        parts = split(ports, workers, reserved)
        self.assertEqual(workers, len(parts))
        for before, after in zip(parts, parts[1:], strict=False):
            self.assertLess(before.high, after.low)
        shares = [set(range(part.low, part.high + 1)) - reserved for part in parts]
        self.assertEqual(usable, set().union(*shares))
        sizes = {len(share) for share in shares}
        self.assertLessEqual(max(sizes) - min(sizes), 1)
        self.assertGreater(min(sizes), 0)

    def test_dynamic(self) -> None:
        """The dynamic range is the system's to divide."""
        self.assertEqual([DYNAMIC] * 3, split(DYNAMIC, 3, {21}))
