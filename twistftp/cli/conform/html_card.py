"""
The card as one HTML file that needs nothing else: light and dark, transcripts folded, every text escaped.

Not here: which rows there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from twistftp.cli.conform.card import Card, Outcome
from twistftp.cli.conform.row import Level, Row, Verdict

__all__ = ["as_html"]

_CLASSES = {Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.NOT_APPLICABLE: "none", Verdict.NOT_TRIED: "none"}
_STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --back: #fff; --line: #d0d7de; --good: #1a7f37; --bad: #cf222e; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #8b949e; --back: #0d1117; --line: #30363d; --good: #3fb950; --bad: #f85149; }
}
body { margin: 2rem auto; max-width: 68rem; padding: 0 1rem; font: 1rem/1.45 system-ui, sans-serif; color: var(--text); background: var(--back); }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; }
td.verdict { white-space: nowrap; font-weight: 600; }
.pass .verdict { color: var(--good); }
.fail .verdict { color: var(--bad); }
tr.none .verdict, .soft { color: var(--soft); }
tr.none .verdict { font-weight: 400; }
code, pre { font: .85rem/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; margin: .4rem 0; padding: .6rem; border: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
td code { white-space: nowrap; }
a { color: inherit; }
li { margin: .2rem 0; }
summary { cursor: pointer; color: var(--soft); }
dt { font-weight: 600; }
dd { margin: 0 0 .4rem 1rem; overflow-wrap: anywhere; }
"""


def as_html(card: Card) -> str:
    """The whole file."""
    return "\n".join(_lines(card)) + "\n"


def _text(text: str) -> str:
    """Escaped; octets that are no characters are replaced."""
    return escape(text.encode("utf-8", "replace").decode("utf-8"))


def _lines(card: Card) -> Iterator[str]:
    title = _text(f"FTP conformance of {card.title}")
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield f'<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>'
    yield f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>"
    yield f"<p>{_text(f'Looked at {card.url} on {card.date}, by {card.made_by}.')}</p>"
    yield f'<p class="{"pass" if card.is_fine else "fail"}"><strong class="verdict">{_text(card.result)}</strong></p>'
    for remark in card.remarks:
        yield f"<p>{_text(remark)}</p>"
    yield from _sums(card)
    if card.broken():
        yield "<h2>Broken</h2>\n<ul>"
        for one in card.broken():
            name = _text(one.row.id)
            demand = f'<span class="soft">({_text(_demand(one.row))})</span>'
            yield f'<li><a href="#{name}"><code>{name}</code></a> {_text(one.row.required)} {demand}</li>'
        yield "</ul>"
    yield "<h2>The server</h2>\n<dl>"
    for name, text in card.server.items():
        yield f"<dt>{_text(name)}</dt><dd><code>{_text(text)}</code></dd>"
    yield "</dl>"
    yield from _part(card, False, "The RFCs", "")
    yield from _part(card, True, "Beyond the RFCs", "What twistftp asks of itself; no clause asks it of anybody else.")
    yield "</body>\n</html>"


def _sums(card: Card) -> Iterator[str]:
    heads = "".join(f'<th class="number">{verdict.value}</th>' for verdict in Verdict)
    yield f"<table>\n<thead><tr><th>level</th>{heads}</tr></thead>\n<tbody>"
    for level, counts in card.summary():
        numbers = "".join(f'<td class="number">{counts[verdict]}</td>' for verdict in Verdict)
        yield f"<tr><td>{_text(level.value)}</td>{numbers}</tr>"
    yield "</tbody>\n</table>"


def _part(card: Card, is_beyond: bool, title: str, about: str) -> Iterator[str]:
    groups = card.part(is_beyond=is_beyond)
    if not groups:
        return
    yield f"<h2>{title}</h2>"
    if about:
        yield f"<p>{about}</p>"
    for group, outcomes in groups.items():
        yield f"<h3>{_text(group)}</h3>\n<table>\n<thead><tr><th>verdict</th><th>row</th><th>what is required, and where</th></tr></thead>\n<tbody>"
        for one in outcomes:
            yield _outcome(one)
        yield "</tbody>\n</table>"


def _demand(row: Row) -> str:
    return row.clause if row.level is Level.BEYOND else f"{row.level.value}, {row.clause}"


def _outcome(one: Outcome) -> str:
    row = one.row
    reason = f"<div>{_text(one.reason)}</div>" if one.reason else ""
    said = _text("\n".join(one.transcript))
    # What failed is why somebody reads this.
    is_open = " open" if one.verdict is Verdict.FAIL else ""
    folded = f"<details{is_open}><summary>what was said</summary><pre>{said}</pre></details>" if said else ""
    return (
        f'<tr id="{_text(row.id)}" class="{_CLASSES[one.verdict]}"><td class="verdict">{one.verdict.value}</td><td><code>{_text(row.id)}</code></td>'
        f'<td>{_text(row.required)} <span class="soft">({_text(_demand(row))})</span>{reason}{folded}</td></tr>'
    )
