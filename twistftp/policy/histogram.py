"""
Seconds by size: how many took how long.

Not here: whose they are, and Prometheus' form of it (``metrics``).
"""

from __future__ import annotations

from bisect import bisect_left

__all__ = ["BUCKETS", "Histogram"]

BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
"""Upper bounds in seconds; longer ones are counted, too."""


class Histogram:
    """``counts`` of each bucket, the longer ones last, and the sum of all ``seconds``."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def note(self, seconds: float) -> None:
        """Count one: in the first bucket whose bound it does not exceed."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds
