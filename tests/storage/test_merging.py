"""Tests for ``twistftp.storage.merging``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.storage import merging
from twistftp.storage.merging import merged

RUNS = st.lists(st.lists(st.binary(max_size=3), max_size=40).map(sorted), max_size=8)


class MergedTests(SynchronousTestCase):
    @given(RUNS, st.integers(1, 64))
    def test_order(self, runs: list[list[bytes]], size: int) -> None:
        """P-LS-3: all names of all runs, in order, however big the pieces are."""
        self.assertEqual(sorted(name for run in runs for name in run), list(merged(runs, size)))

    def test_pieces(self) -> None:
        """P-LS-8: a piece is about as big as it should be, whether runs overlap or follow each other."""
        names = [b"%06d" % number for number in range(20_000)]
        for runs in ([names[start::20] for start in range(20)], [names[start : start + 1000] for start in range(0, 20_000, 1000)]):
            sizes = [len(piece) for piece in merging._pieces(runs, 800)]
            self.assertEqual(20_000, sum(sizes))
            self.assertLess(max(sizes), 2400)
