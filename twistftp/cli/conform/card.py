"""
The report card: what came of each row, and what it adds up to.

Not here: how it is shown (``text_card``, ``html_card``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import field, frozen

from twistftp import __version__
from twistftp.cli.conform.row import Level, Row, Verdict

__all__ = ["Card", "Outcome"]

FORMAT = 1
"""Of the JSON; it changes when a reader of the older one could not read the newer."""


@frozen
class Outcome:
    """What came of one row; ``reason`` says what else than a pass means."""

    row: Row
    verdict: Verdict
    reason: str
    transcript: tuple[str, ...] = ()


@frozen
class Card:
    """
    All outcomes. ``server`` is how the server introduces itself, by what says so; ``remarks`` are about the examination.
    """

    url: str
    server: dict[str, str]
    outcomes: tuple[Outcome, ...]
    remarks: tuple[str, ...] = field(default=())

    @property
    def is_fine(self) -> bool:
        """Whether something was looked at and no MUST has failed."""
        return any(one.verdict is Verdict.PASS for one in self.outcomes) and not self.count(Level.MUST, Verdict.FAIL)

    def count(self, level: Level, verdict: Verdict) -> int:
        """How many rows of a level ended so."""
        return sum(one.row.level is level and one.verdict is verdict for one in self.outcomes)

    def summary(self) -> Iterator[tuple[Level, dict[Verdict, int]]]:
        """For each level that has rows, how many ended in each way."""
        for level in Level:
            counts = {verdict: self.count(level, verdict) for verdict in Verdict}
            if any(counts.values()):
                yield level, counts

    def part(self, *, is_beyond: bool) -> dict[str, list[Outcome]]:
        """The outcomes by group: those of the RFCs, or those beyond."""
        groups: dict[str, list[Outcome]] = {}
        for one in self.outcomes:
            if (one.row.level is Level.BEYOND) == is_beyond:
                groups.setdefault(one.row.group, []).append(one)
        return groups

    def as_json(self) -> dict[str, Any]:
        """The form for programs."""
        return {
            "format": FORMAT,
            "made_by": f"twistftp {__version__}",
            "url": self.url,
            "server": self.server,
            "is_fine": self.is_fine,
            "remarks": list(self.remarks),
            "summary": {level.name: {verdict.name: count for verdict, count in counts.items()} for level, counts in self.summary()},
            "rows": [
                {
                    "id": one.row.id,
                    "group": one.row.group,
                    "clause": one.row.clause,
                    "level": one.row.level.name,
                    "required": one.row.required,
                    "needs": [need.value for need in one.row.needs],
                    "verdict": one.verdict.name,
                    "reason": one.reason,
                    "transcript": list(one.transcript),
                }
                for one in self.outcomes
            ],
        }
