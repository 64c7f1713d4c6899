"""
How long the commands of a site take, by class of command.

Not here: measuring (``transcript``), and Prometheus' form of it (``metrics``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping

from twistftp.policy.histogram import BUCKETS
from twistftp.session.tally import DIRECTIONS

__all__ = ["SHORTEST", "SUM", "Latencies"]

SHORTEST = BUCKETS[0]
"""Seconds; most commands take less, and belong into the first bucket of their row."""
SUM = len(BUCKETS) + 1
"""Where a row has the sum of its seconds."""

_CLASSES = {
    **dict.fromkeys(("USER", "PASS", "ACCT", "REIN", "HOST", "AUTH"), "login"),
    **dict.fromkeys(("PASV", "EPSV", "PORT", "EPRT"), "data_port"),
    **dict.fromkeys(("LIST", "NLST", "MLSD", "MLST", "STAT"), "listing"),
    **dict.fromkeys(DIRECTIONS, "transfer"),
}
"""Classes of commands; all others are ``other``."""


class Latencies:
    """
    A histogram for each class. ``rows`` has them by class: the commands in each bucket, the longer ones, and last the sum of their seconds.
    ``row_of`` has the same by verb: who counts there himself saves a call, which costs as much as the counting.
    """

    def __init__(self) -> None:
        names = (*dict.fromkeys(_CLASSES.values()), "other")
        self.rows: dict[str, list[float]] = {name: [0] * (len(BUCKETS) + 1) + [0.0] for name in names}
        other = self.rows["other"]
        self.row_of: Mapping[str, list[float]] = defaultdict(lambda: other, {verb: self.rows[name] for verb, name in _CLASSES.items()})

    def count(self, verb: str, seconds: float) -> None:
        """Count a command, in the first bucket whose bound it does not exceed."""
        row = self.row_of[verb]
        row[0 if seconds <= SHORTEST else bisect_left(BUCKETS, seconds)] += 1
        row[SUM] += seconds
