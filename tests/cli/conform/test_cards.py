"""Tests of the three forms of a card, and of what may stand in it."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import CHECKOUT
from twistftp.cli.conform.card import Card, Outcome
from twistftp.cli.conform.catalogue import ROWS
from twistftp.cli.conform.codes import Codes
from twistftp.cli.conform.html_card import as_html
from twistftp.cli.conform.row import Level, Row, Verdict
from twistftp.cli.conform.text_card import as_text
from twistftp.cli.conform.transcript import MASK, Transcript, shown

DIRECTORY = CHECKOUT / "docs" / "conformance"
CARDS = ("twistftp", "pyftpdlib", "vsftpd", "twisted")


def row(level: Level, number: int) -> Row:
    return Row(f"P-X-{number}", "Group", "RFC 959 §5.4", level, "It does <what> it should.", (), lambda visit: None)


def card(*outcomes: Outcome, trouble: str = "") -> Card:
    return Card("ftp://127.0.0.1:21/", {"greeting": "220 <b>Hi</b>"}, outcomes, ("A & B",), trouble, "Server 1", "2026-11-23")


ALL = card(
    Outcome(row(Level.MUST, 1), Verdict.PASS, "", ("C: NOOP", "S: 200 <i>")),
    Outcome(row(Level.MUST, 2), Verdict.FAIL, "it says <500>", ("C: NOOP", "S: 500 <i>")),
    Outcome(row(Level.SHOULD, 3), Verdict.NOT_APPLICABLE, "no such thing"),
    Outcome(row(Level.BEYOND, 4), Verdict.NOT_TRIED, "--write was not given"),
)


class Tags(HTMLParser):
    """Notes tags that are not closed, attributes, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.attributes += attributes
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, text: str) -> None:
        self.text += text


class HtmlTests(SynchronousTestCase):
    """One file that needs nothing else."""

    def test_whole(self) -> None:
        """Every tag is closed, every text escaped; nothing is fetched or run; there is a dark style."""
        page = as_html(ALL)
        tags = Tags()
        tags.feed(page)
        self.assertEqual([], tags.open)
        self.assertFalse({"src", "onclick", "style"} & {name for name, _ in tags.attributes})
        links = {(value or "")[:1] for name, value in tags.attributes if name == "href"}
        self.assertEqual({"#"}, links)
        for text in ("220 <b>Hi</b>", "it says <500>", "S: 500 <i>", "A & B", "Server 1", "2026-11-23", "RFC 959 §5.4"):
            self.assertIn(text, tags.text)
        self.assertIn("prefers-color-scheme: dark", page)
        self.assertNotIn("<script", page)
        self.assertNotRegex(page, r"url\(|@import")


class TextTests(SynchronousTestCase):
    """For terminals and mails."""

    def test_whole(self) -> None:
        """What failed has its reason and transcript, what passed a line; no line is longer than 100."""
        text = as_text(ALL)
        self.assertIn("why: it says <500>", text)
        self.assertIn("| S: 500 <i>", text)
        self.assertNotIn("S: 200 <i>", text)
        self.assertIn("\nresult: 1 MUST is broken; no SHOULD is broken\n\n  MUST   P-X-2                it says <500>\n", text)
        self.assertLessEqual(max(map(len, text.split("\n"))), 100)

    def test_trouble(self) -> None:
        """A card with trouble is not fine, and says why."""
        broken = card(Outcome(row(Level.MUST, 1), Verdict.PASS, ""), trouble="the time was up")
        self.assertFalse(broken.is_fine)
        self.assertIn("the time was up", as_text(broken))
        self.assertTrue(card(Outcome(row(Level.MUST, 1), Verdict.PASS, "")).is_fine)
        self.assertFalse(card().is_fine)


class JsonTests(SynchronousTestCase):
    """For programs."""

    def test_whole(self) -> None:
        """All is in it."""
        found = json.loads(json.dumps(ALL.as_json()))
        self.assertEqual({"PASS": 1, "FAIL": 1, "NOT_APPLICABLE": 0, "NOT_TRIED": 0}, found["summary"]["MUST"])
        self.assertEqual(["MUST", "MUST", "SHOULD", "BEYOND"], [one["level"] for one in found["rows"]])
        self.assertEqual(["C: NOOP", "S: 500 <i>"], found["rows"][1]["transcript"])
        self.assertFalse(found["is_fine"])


class CodesTests(SynchronousTestCase):
    """RFC 1123 §4.1.2.11: the kind of a reply is a MUST, its code a SHOULD."""

    def test_kinds(self) -> None:
        """Another code of the kind is accepted and noted; 4yz and 5yz are one kind; where codes are named none is."""
        codes = Codes()
        self.assertFalse(codes.accepts("REIN", 230, "220"))
        codes.is_exact = False
        replies = ((220, "220"), (230, "220"), (450, "5xx"), (331, "220"), (199, "220 5xx"))
        self.assertEqual([True, True, True, False, False], [codes.accepts("X", code, wanted) for code, wanted in replies])
        self.assertEqual(["X is answered 230, not 220", "X is answered 450, not 5xx"], codes.odd)


class TranscriptTests(SynchronousTestCase):
    """What was said, without secrets and control characters."""

    def test_secrets(self) -> None:
        """The argument of PASS is masked whatever it is; the password of the URL wherever it stands."""
        transcript = Transcript("hush")
        transcript.client(b"USER hush\r\npass other\r\n")
        transcript.server(b"230 Welcome, hush.\x1b[2J\xff")
        self.assertEqual((f"C: USER {MASK}", f"C: pass {MASK}", f"S: 230 Welcome, {MASK}.\\x1b[2J\\xff"), transcript.lines)

    def test_length(self) -> None:
        """Long lines are cut, and of long transcripts the middle."""
        self.assertLess(len(shown(b"x" * 10_000)), 400)
        transcript = Transcript()
        for number in range(1000):
            transcript.client(f"NOOP {number}\r\n".encode())
        self.assertEqual(("C: NOOP 0", "C: NOOP 999", 80), (transcript.lines[0], transcript.lines[-1], len(transcript.lines)))


class PublishedTests(SynchronousTestCase):
    """The cards in ``docs/conformance`` are those of the present rows."""

    def test_rows(self) -> None:
        """If this fails the rows have changed: make the cards anew, as the page there says."""
        rows = [(one.id, one.level.name, one.clause, one.required) for one in ROWS]
        for name in CARDS:
            found = json.loads((DIRECTORY / f"{name}.json").read_text("utf-8"))
            self.assertEqual(rows, [(one["id"], one["level"], one["clause"], one["required"]) for one in found["rows"]], name)
            self.assertRegex(found["name"], r"\d+\.\d+")

    def test_twistftp(self) -> None:
        """Its card has no failure."""
        found = json.loads((DIRECTORY / "twistftp.json").read_text("utf-8"))
        self.assertTrue(found["is_fine"])
        self.assertEqual([], [one["id"] for one in found["rows"] if one["verdict"] == "FAIL"])

    def test_the_page_names_them(self) -> None:
        """With the sums that the cards have."""
        page = (DIRECTORY / "README.md").read_text("utf-8")
        for name in CARDS:
            found = json.loads((DIRECTORY / f"{name}.json").read_text("utf-8"))
            self.assertIn(f"| {found['name']} |", page)
            for level, sums in found["summary"].items():
                self.assertIn(f"{sums['PASS']} of {sums['PASS'] + sums['FAIL']}", page, f"{name} {level}")
