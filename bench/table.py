"""
Figures as Markdown: one table for each measure, with the ratio of ours to the best peer's.

Not here: how a figure comes about (``compare``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

OURS = "twistftp"
FAILED = "FAILED"


class NotOffered(str):
    """Says what a server does not have: shown in its cell, and no failure."""

    __slots__ = ()


Figures = dict[str, float]  # measure: value; of one round, or the medians of several
Results = dict[str, dict[str, Figures | str]]  # work: server: figures, or why there are none


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"


def _time(seconds: float) -> str:
    for limit, factor, unit in ((1e-2, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{_short(seconds * factor)} {unit}"
    return f"{seconds:.2f} s"


def round_time(seconds: float) -> str:
    """For an axis."""
    factor, unit = next(((factor, unit) for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")) if seconds < limit * 0.999), (1.0, "s"))
    return f"{seconds * factor:.3g} {unit}"


@dataclass(frozen=True)
class Measure:
    """A table: what it shows, in which unit, and which of several values is the best; None if none is better than another."""

    title: str
    unit: str
    best: Callable[..., str] | None
    text: Callable[[float], str]
    target: float | None = None  # ours; then a plot shows the values themselves


MEASURES = {
    "cpu": Measure("CPU time of the server, user and system (less is better)", "per {}", min, _time),
    "rate": Measure("Rate (more is better)", "{}s/s", max, _short),
    "p99": Measure("Latency of one operation, 99th percentile (less is better)", "each", min, _time),
    "start": Measure("Time to the first greeting (less is better)", "per {}", min, _time),
    "resumed": Measure("Data connections that resumed the TLS session", "of all", None, "{:.0%}".format),
    "others": Measure("Another client’s NOOP meanwhile, 99th percentile (less is better)", "each", min, _time, 20e-3),
    "worst": Measure("Another client’s NOOP meanwhile, the slowest (less is better)", "each", min, _time, 20e-3),
    "beside": Measure("The same of an idle server beside it, 99th percentile: what the machine does to it", "each", None, _time),
    "footprint": Measure("Memory of a server that has just started (less is better)", "MiB", min, _short),
    "memory": Measure("Memory of an idle session (less is better)", "KiB per {}", min, _short),
}


def _ratio(measured: str, row: Mapping[str, Figures | str]) -> str:
    """Ours to the best peer's, and which that is."""
    values = {name: figures[measured] for name, figures in row.items() if not isinstance(figures, str)}
    ours = values.pop(OURS, None)
    choose = MEASURES[measured].best
    best = choose(values, key=values.__getitem__) if choose and values else ""
    return f"{ours / values[best]:.2f} ({best})" if ours is not None and best and values[best] > 0 else "–"


def _cell(measured: str, figures: Figures | str) -> str:
    if isinstance(figures, str):
        return figures if isinstance(figures, NotOffered) else FAILED
    return MEASURES[measured].text(figures[measured])


def table(measured: str, names: list[str], titles: Mapping[str, tuple[str, str]], results: Results) -> list[str]:
    """
    The lines of one table, with an empty one behind it; none if no work has this measure.

    :param names: the servers, in the order of the columns
    :param titles: of each work, its title and what one operation of it is
    """
    shown = {work: row for work, row in results.items() if any(not isinstance(figures, str) and measured in figures for figures in row.values())}
    if not shown:
        return []
    measure = MEASURES[measured]
    lines = [f"**{measure.title}**", "", f"| Work | Unit | {' | '.join(names)} | {OURS} : best peer |", "|---|---|" + "--:|" * (len(names) + 1)]
    for work, row in shown.items():
        title, unit = titles[work]
        cells = [title, measure.unit.format(unit), *(_cell(measured, row[name]) for name in names), _ratio(measured, row)]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]
