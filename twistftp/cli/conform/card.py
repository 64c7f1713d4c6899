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
    All outcomes. ``server`` is how the server introduces itself, by what says so; ``remarks`` are about the examination, and ``trouble`` is why
    much of it could not be done. ``name`` is what a person calls the server, ``date`` the day.
    """

    url: str
    server: dict[str, str]
    outcomes: tuple[Outcome, ...]
    remarks: tuple[str, ...] = field(default=())
    trouble: str = ""
    name: str = ""
    date: str = ""

    @property
    def title(self) -> str:
        """What was looked at."""
        return self.name or self.url

    @property
    def made_by(self) -> str:
        """What looked."""
        return f"twistftp {__version__}"

    @property
    def is_fine(self) -> bool:
        """Whether the server was looked at and no MUST has failed."""
        return not self.trouble and any(one.verdict is Verdict.PASS for one in self.outcomes) and not self.count(Level.MUST, Verdict.FAIL)

    @property
    def result(self) -> str:
        """In a few words."""
        broken = {level: self.count(level, Verdict.FAIL) for level in (Level.MUST, Level.SHOULD)}
        told = [f"{count or 'no'} {level.value} {'are' if count > 1 else 'is'} broken" for level, count in broken.items()]
        if self.trouble:
            told.insert(0, self.trouble)
        elif not any(one.verdict is not Verdict.NOT_TRIED for one in self.outcomes):
            told = ["nothing could be looked at"]
        return "; ".join(told)

    def count(self, level: Level, verdict: Verdict) -> int:
        """How many rows of a level ended so."""
        return sum(one.row.level is level and one.verdict is verdict for one in self.outcomes)

    def summary(self) -> Iterator[tuple[Level, dict[Verdict, int]]]:
        """For each level that has rows, how many ended in each way."""
        for level in Level:
            counts = {verdict: self.count(level, verdict) for verdict in Verdict}
            if any(counts.values()):
                yield level, counts

    def broken(self) -> list[Outcome]:
        """The failures by level, what an RFC demands first; not those beyond the RFCs."""
        return [one for level in (Level.MUST, Level.SHOULD) for one in self.outcomes if one.row.level is level and one.verdict is Verdict.FAIL]

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
            "made_by": self.made_by,
            "date": self.date,
            "name": self.name,
            "url": self.url,
            "server": self.server,
            "is_fine": self.is_fine,
            "trouble": self.trouble,
            "remarks": list(self.remarks),
            "result": self.result,
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
