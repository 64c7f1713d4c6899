"""
What several workers report, as if one had: counters and gauges added up, and the counters of those that have ended kept.

Not here: asking them (``overview``), and what there is to report (``reporting``, ``metrics``). Plain values of JSON in and out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["added", "merged_rows", "merged_status", "outlasting_rows", "outlasting_status"]

Json = dict[str, Any]

_NOW = frozenset({"sessions", "transfers_under_way", "open_ports", "leases", "connections"})
"""Numbers of a status that end with their process."""
_CHOSEN: Mapping[str, Callable[[Iterable[float]], float]] = {
    "twistftp_build_info": max,
    "twistftp_start_time_seconds": min,
    "twistftp_draining": max,
    "twistftp_certificate_expiry_timestamp_seconds": min,
}
"""Gauges of which the sum would mean nothing."""


def added(one: Any, other: Any) -> Any:
    """Two values of one place: numbers are added, tables key by key; of texts and facts the first that says something stays."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: added(one.get(key), other.get(key)) for key in {**one, **other}}
    if _is_number(one) and _is_number(other):
        return one + other
    return other if one is None or one == "" else one


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def merged_status(reports: Iterable[Json], own: Json) -> Json:
    """
    The status of all: sites are the same by name.

    :param own: what is said of the server as a whole; which sites there are, and in which order.
    """
    sites: dict[str, Json] = {site["name"]: site for site in own["sites"]}
    pool = own["pool"]
    for report in reports:
        for site in report["sites"]:
            if site["name"] in sites:
                sites[site["name"]] = added(sites[site["name"]], site)
        pool = added(pool, report["pool"])
    return {**own, "sites": list(sites.values()), "pool": pool}


def outlasting_status(report: Json) -> Json:
    """What stays of a report when its process has ended."""
    return {
        "sites": [{**_counted(site), "name": site["name"]} for site in report["sites"]],
        "pool": _counted(report["pool"]),
    }


def _counted(table: Json) -> Json:
    """The counters of a table, and of the tables in it."""
    counts = {name: _counted(value) if isinstance(value, dict) else value for name, value in table.items() if name not in _NOW}
    return {name: value for name, value in counts.items() if isinstance(value, dict) or _is_number(value)}


def merged_rows(all_rows: Iterable[Json]) -> Json:
    """The rows of ``metrics.rows`` of all."""
    values: dict[str, dict[tuple[str, ...], list[float]]] = {}
    commands: dict[tuple[str, ...], list[float]] = {}
    arrivals: list[float] = []
    for rows in all_rows:
        for name, found in rows["values"].items():
            of_metric = values.setdefault(name, {})
            for labels, value in found:
                of_metric.setdefault(tuple(labels), []).append(value)
        for labels, row in rows["commands"]:
            commands[tuple(labels)] = _sums(commands.get(tuple(labels), []), row)
        arrivals = _sums(arrivals, rows["arrivals"])
    return {
        "values": {name: [[list(labels), _CHOSEN.get(name, sum)(all_of)] for labels, all_of in found.items()] for name, found in values.items()},
        "commands": [[list(labels), row] for labels, row in commands.items()],
        "arrivals": arrivals,
    }


def _sums(one: list[float], other: list[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)] if one else other


def outlasting_rows(rows: Json, counters: Iterable[str]) -> Json:
    """The same of rows: ``counters`` are the names of those that only grow."""
    return {**rows, "values": {name: rows["values"][name] if name in counters else [] for name in rows["values"]}}
