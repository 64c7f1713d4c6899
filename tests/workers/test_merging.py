"""Tests of ``workers.merging``: the reports of several as one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis.strategies import DrawFn, composite, dictionaries, integers, lists, sampled_from
from twisted.trial.unittest import SynchronousTestCase

from twistftp.workers.merging import added, merged_rows, merged_status, outlasting_rows, outlasting_status

COUNTS = integers(0, 1 << 40)
COUNTERS = ("twistftp_logins", "twistftp_bytes")


def site(name: str, sessions: int = 0, sessions_total: int = 0, **more: Any) -> dict[str, Any]:
    """A site of a status."""
    return {"name": name, "sessions": sessions, "sessions_total": sessions_total, **more}


@composite
def rows(draw: DrawFn) -> dict[str, Any]:
    """What ``metrics.rows`` gives, in small."""
    labels = sampled_from(["a", "b"])

    def values() -> list[Any]:
        return [[[label], value] for label, value in draw(dictionaries(labels, COUNTS)).items()]

    return {
        "values": {"twistftp_sessions": values(), "twistftp_logins": values(), "twistftp_bytes": values()},
        "commands": [[[label, "login"], [value, 1.0]] for label, value in draw(dictionaries(labels, COUNTS)).items()],
        "arrivals": draw(lists(COUNTS, min_size=3, max_size=3)),
    }


def totals(some: dict[str, Any], names: tuple[str, ...]) -> dict[str, float]:
    """The sums over all labels."""
    found = {name: sum(value for _, value in some["values"].get(name, ())) for name in names}
    return {**found, "commands": sum(row[0] for _, row in some["commands"]), "arrivals": sum(some["arrivals"])}


class AddedTests(SynchronousTestCase):
    """Two values of one place."""

    def test_values(self) -> None:
        """Numbers add up, tables too, key by key; texts and facts are not numbers."""
        for one, other, both in (
            (1, 2, 3),
            (1.5, None, 1.5),
            (None, 2, 2),
            ({"a": 1}, {"a": 2, "b": 3}, {"a": 3, "b": 3}),
            ("", "b", "b"),
            ("a", "b", "a"),
            (True, True, True),
            (False, True, False),
            (None, {"sessions": 1}, {"sessions": 1}),
            ({"sessions": 1}, None, {"sessions": 1}),
        ):
            self.assertEqual(both, added(one, other), (one, other))


class StatusTests(SynchronousTestCase):
    """``twistftp status`` of all."""

    def test_merged(self) -> None:
        """Sites by name in the order of the settings; one that a worker still has and the server has not is left out."""
        reports = [
            {"sites": [site("b", 1, 5, logins={"success": 1}), site("a", 2, 6)], "pool": {"leases": 1, "leased": 7}},
            {"sites": [site("a", 3, 7), site("gone", 9, 9)], "pool": {"leases": 2, "leased": 8}},
        ]
        own = {"pid": 7, "sites": [{"name": "a", "where": "port 21"}, {"name": "b", "where": "port 22"}], "pool": {"ports": "1024-1030"}}
        self.assertEqual(
            {
                "pid": 7,
                "sites": [site("a", 5, 13, where="port 21"), site("b", 1, 5, logins={"success": 1}, where="port 22")],
                "pool": {"ports": "1024-1030", "leases": 3, "leased": 15},
            },
            merged_status(reports, own),
        )

    def test_nobody(self) -> None:
        """Without any report there is what the server says itself."""
        own = {"sites": [{"name": "a"}], "pool": {"ports": "0-0"}}
        self.assertEqual(own, merged_status([], own))

    def test_outlasting(self) -> None:
        """Of a process that has ended the counters stay; what it had open, and words, do not."""
        report = {
            "pid": 3,
            "sites": [site("a", 4, 9, transfers_under_way=1, root="/srv", octets={"download": 5}, tls={"sessions": 2, "handshakes": {"x": 1}})],
            "pool": {"ports": "1-2", "leases": 1, "connections": 2, "open_ports": 3, "leased": 8},
        }
        self.assertEqual(
            {"sites": [{"name": "a", "sessions_total": 9, "octets": {"download": 5}, "tls": {"handshakes": {"x": 1}}}], "pool": {"leased": 8}},
            outlasting_status(report),
        )


class RowTests(SynchronousTestCase):
    """Metrics of all."""

    @given(lists(rows(), min_size=1, max_size=4))
    def test_sums(self, all_of: list[dict[str, Any]]) -> None:
        """Nothing is lost and nothing is counted twice, in any order."""
        names = ("twistftp_sessions", *COUNTERS)
        merged = merged_rows(all_of)
        each = [totals(one, names) for one in all_of]
        self.assertEqual({name: sum(one[name] for one in each) for name in each[0]}, totals(merged, names))
        self.assertEqual(totals(merged, names), totals(merged_rows(all_of[::-1]), names))
        self.assertEqual(totals(merged, names), totals(merged_rows([merged_rows(all_of[:1]), *all_of[1:]]), names))

    @given(rows(), rows())
    def test_counters_never_fall(self, left: dict[str, Any], new: dict[str, Any]) -> None:
        """A worker that is replaced takes its gauges with it, and nothing of what it has counted."""
        before = totals(left, COUNTERS)
        kept = outlasting_rows(left, COUNTERS)
        after = totals(merged_rows([kept, new]), COUNTERS)
        for name, count in before.items():
            self.assertGreaterEqual(after[name], count, name)
        gauges = ("twistftp_sessions",)
        self.assertEqual(totals(new, gauges)["twistftp_sessions"], totals(merged_rows([kept, new]), gauges)["twistftp_sessions"])

    def test_chosen(self) -> None:
        """Of a version, a start, a date and a fact there is no sum."""
        names = ("build_info", "start_time_seconds", "draining", "certificate_expiry_timestamp_seconds")

        def one(*values: float) -> dict[str, Any]:
            return {"values": {f"twistftp_{name}": [[[], value]] for name, value in zip(names, values, strict=True)}, "commands": [], "arrivals": []}

        merged = merged_rows([one(1, 100, 0, 9000), one(1, 200, 1, 8000)])
        self.assertEqual([1, 100, 1, 8000], [merged["values"][f"twistftp_{name}"][0][1] for name in names])
