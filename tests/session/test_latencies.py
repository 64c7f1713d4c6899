"""Tests of ``session.latencies``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twistftp.session.latencies import Latencies


class LatencyTests(SynchronousTestCase):
    """The histograms."""

    def test_buckets(self) -> None:
        """A command is counted in the first bucket whose bound it does not exceed, by its class; an unknown one is another."""
        latencies = Latencies()
        for verb, seconds in (("PASS", 0.001), ("PASS", 0.0011), ("NOOP", 61.0), ("MLSD", 0.0), ("RETR", 60.0), ("", 0.2)):
            latencies.count(verb, seconds)
        shown = {name: [index for index, count in enumerate(row[:-1]) for _ in range(int(count))] for name, row in latencies.rows.items()}
        self.assertEqual({"login": [0, 1], "other": [4, 8], "listing": [0], "transfer": [7], "data_port": []}, shown)
        self.assertEqual(61.2, latencies.rows["other"][-1])
