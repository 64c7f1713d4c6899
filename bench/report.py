"""
What a run has found, as Markdown, as JSON and as plots; JSON can be read back, so that the others can be made again without measuring.

Not here: measuring (``compare``), the form of a table (``table``), drawing (``plot``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plot import Row, bars, dots
from table import MEASURES, OURS, Figures, Measure, NotOffered, Results, round_time, table

_MANY = 3  # works of a measure from which on its plot shows ratios: the units of works differ


def machine() -> str:
    """What a run was made on, and when."""
    cpu = Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    model = next((line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")), platform.machine())
    where = f"{os.cpu_count()} × {model}, Linux {platform.release()}, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d')}, {where}; load average {os.getloadavg()[0]:.1f}"


@dataclass(frozen=True)
class Run:
    """The results of a run, and under which conditions they came about; ``titles``: of each work, and what one operation of it is."""

    conditions: str
    servers: list[str]
    titles: dict[str, tuple[str, str]]
    results: Results

    def markdown(self) -> str:
        """The tables, and under them why some cells are empty."""
        lines = [self.conditions, ""]
        lines += (line for measured in MEASURES for line in table(measured, self.servers, self.titles, self.results))
        failures = [f"- {self.titles[work][0]}, {name}: {outcome}" for work, name, outcome in self._failures()]
        return "\n".join([*lines, *(["FAILED:", "", *failures] if failures else [])])

    def tell(self, json_file: Path | None, plots: Path | None) -> None:
        """Print the tables; save and draw where that is asked for."""
        print(self.markdown())
        if json_file:
            self.save(json_file)
        if plots:
            self.draw(plots)

    def _failures(self) -> Iterator[tuple[str, str, str]]:
        for work, row in self.results.items():
            for name, outcome in row.items():
                if isinstance(outcome, str) and not isinstance(outcome, NotOffered):
                    yield work, name, outcome

    def save(self, path: Path) -> None:
        """As JSON."""
        results = {work: {name: _plain(outcome) for name, outcome in row.items()} for work, row in self.results.items()}
        values = {"conditions": self.conditions, "servers": self.servers, "titles": self.titles, "results": results}
        path.write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> Run:
        """
        What ``save`` has written.

        :raises ValueError: something else is in the file.
        """
        values = json.loads(path.read_text("utf-8"))
        try:
            results = {work: {name: _outcome(plain) for name, plain in row.items()} for work, row in values["results"].items()}
            titles = {work: (title, unit) for work, (title, unit) in values["titles"].items()}
            return cls(values["conditions"], values["servers"], titles, results)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} holds no results: {error!r}") from None

    def draw(self, directory: Path) -> list[Path]:
        """A plot for each table of which one value is better than another, named by its measure."""
        drawn = []
        for measured, measure in MEASURES.items():
            rows = {work: _values(measured, row) for work, row in self.results.items()}
            rows = {work: values for work, values in rows.items() if values}
            if rows and measure.best:
                path = directory / f"{measured}.svg"
                draw = self._draw_times if measure.target else self._draw_ratios if len(rows) >= _MANY else self._draw_values
                draw(path, measure, rows)
                drawn.append(path)
        return drawn

    def _draw_ratios(self, path: Path, measure: Measure, rows: dict[str, Figures]) -> None:
        """All in multiples of ours, which is at 1 in all rows and stands beside them."""
        shown = []
        for work, values in rows.items():
            if ours := values.get(OURS):
                multiples = {name: value / ours for name, value in values.items()}
                shown.append(Row(self.titles[work][0], multiples, f"{measure.text(ours)} {self._unit(measure, work)}"))
        side = "left" if measure.best is min else "right"
        about = f"in multiples of {OURS}’s value, at the right edge; {side} of the line is better"
        dots(path, measure.title, about, self.servers, shown, "{:g}×".format, 1.0)

    def _unit(self, measure: Measure, work: str) -> str:
        unit = measure.unit.format(self.titles[work][1])
        return "" if unit == "each" else unit.replace("per ", "/ ")

    def _draw_times(self, path: Path, measure: Measure, rows: dict[str, Figures]) -> None:
        """As they are, with our target."""
        shown = [Row(self.titles[work][0], values, measure.text(values[OURS]) if OURS in values else "") for work, values in rows.items()]
        about = f"{OURS}’s value at the right edge; the line is its target"
        dots(path, measure.title, about, self.servers, shown, round_time, measure.target)

    def _draw_values(self, path: Path, measure: Measure, rows: dict[str, Figures]) -> None:
        shown = [Row(self.titles[work][0], values) for work, values in rows.items()]
        unit = measure.unit.format(self.titles[next(iter(rows))][1])
        bars(path, measure.title, unit, self.servers, shown, measure.text)


def tell_again(options: argparse.Namespace) -> None:
    """What a run has found whose ``--json`` is given now as ``--from-json``; the process ends if it is none."""
    try:
        Run.load(options.from_json).tell(options.json, options.plots)
    except (OSError, ValueError) as error:
        sys.exit(str(error))


def _values(measured: str, row: dict[str, Figures | str]) -> Figures:
    return {name: figures[measured] for name, figures in row.items() if not isinstance(figures, str) and measured in figures}


def _plain(outcome: Figures | str) -> Any:
    if isinstance(outcome, str):
        return {"lacks" if isinstance(outcome, NotOffered) else "failed": str(outcome)}
    return outcome


def _outcome(plain: dict[str, Any]) -> Figures | str:
    if "lacks" in plain:
        return NotOffered(plain["lacks"])
    return str(plain["failed"]) if "failed" in plain else {name: float(value) for name, value in plain.items()}
