"""Tests of ``policy.histogram``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.histogram import BUCKETS, Histogram


class HistogramTests(SynchronousTestCase):
    @given(st.lists(st.one_of(st.sampled_from(BUCKETS), st.floats(0, 100))))
    def test_buckets(self, times: list[float]) -> None:
        """Each is in one bucket, the first whose bound it does not exceed, or behind them all."""
        histogram = Histogram()
        for seconds in times:
            histogram.note(seconds)
        bounds = (-1.0, *BUCKETS, float("inf"))
        expected = [sum(low < seconds <= high for seconds in times) for low, high in zip(bounds, bounds[1:], strict=False)]
        self.assertEqual(expected, histogram.counts)
        self.assertAlmostEqual(sum(times), histogram.seconds)
