"""
The card as text, 100 columns wide: the sums and what is broken, then each row, with reason and transcript if it failed.

Not here: which rows there are, and printing.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from twistftp.cli.conform.card import Card, Outcome
from twistftp.cli.conform.row import Verdict

__all__ = ["as_text"]

_WIDTH = 100
_WORDS = {Verdict.PASS: "pass", Verdict.FAIL: "FAIL", Verdict.NOT_APPLICABLE: "n/a", Verdict.NOT_TRIED: "-"}


def as_text(card: Card) -> str:
    """All of it."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(card))


def _lines(card: Card) -> Iterator[str]:
    yield from _filled("FTP conformance of ", card.title)
    yield from _filled("  looked at ", f"{card.url}{f' on {card.date}' if card.date else ''}, by {card.made_by}")
    for name, text in card.server.items():
        yield from _filled(f"  {name:<10}", text)
    for remark in card.remarks:
        yield from _filled("  note      ", remark)
    yield ""
    yield f"{'':<18}{'pass':>6}{'FAIL':>6}{'n/a':>6}{'not tried':>11}"
    for level, counts in card.summary():
        numbers = "".join(f"{counts[verdict]:>{width}}" for verdict, width in zip(Verdict, (6, 6, 6, 11), strict=True))
        yield f"{level.value:<18}{numbers}"
    yield ""
    yield from _filled("result: ", card.result)
    if card.broken():
        yield ""
    for one in card.broken():
        yield from _filled(f"  {one.row.level.value:<7}{one.row.id:<21}", one.reason)
    for is_beyond, title in ((False, "The RFCs"), (True, "Beyond the RFCs: what this project asks of itself, and no clause of anybody else")):
        groups = card.part(is_beyond=is_beyond)
        if groups:
            yield ""
            yield title
            yield "=" * len(title)
        for group, outcomes in groups.items():
            yield ""
            yield group
            for one in outcomes:
                yield from _outcome(one)


def _outcome(one: Outcome) -> Iterator[str]:
    row = one.row
    level = f"{row.level.name} " if row.level.name == "SHOULD" else ""
    yield from _filled(f"  {_WORDS[one.verdict]:<5}{row.id:<21}", f"{row.required} [{level}{row.clause}]", indent=28)
    if one.verdict is not Verdict.PASS:
        yield from _filled(f"{'':<9}{'why: ' if one.verdict is Verdict.FAIL else ''}", one.reason, indent=14 if one.verdict is Verdict.FAIL else 9)
    if one.verdict is Verdict.FAIL:
        for line in one.transcript:
            yield from _filled(f"{'':<9}| ", line, indent=11)


def _filled(head: str, text: str, indent: int = 0) -> Iterator[str]:
    yield from fill(
        text, _WIDTH, initial_indent=head, subsequent_indent=" " * (indent or len(head)), break_on_hyphens=False, drop_whitespace=True
    ).split("\n")
