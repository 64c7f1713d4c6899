"""Tests of comparing: replies cut out of octets, and what may differ between two of them."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.comparing import RULES, Replies, code_of, normal

STREAM = b'220 one\r\n211-many\r\n 211 not yet\r\n lines\r\n211 end\r\n\xff\xfc\x01200 ok\r\nno reply\r\n250 "\xe9"\r\n'
REPLIES = ["220 one", "211-many\n 211 not yet\n lines\n211 end", "Telnet fffc01", "200 ok", "no reply", '250 "\udce9"']


class RepliesTests(SynchronousTestCase):
    """:class:`Replies`."""

    @given(st.lists(st.integers(0, len(STREAM)), max_size=8))
    def test_cut_anywhere(self, cuts: list[int]) -> None:
        """However the octets are cut, the replies are the same."""
        parser, bounds = Replies(), [0, *sorted(cuts), len(STREAM)]
        found = [reply for start, end in zip(bounds, bounds[1:], strict=False) for reply in parser.feed(STREAM[start:end])]
        self.assertEqual((REPLIES, ""), (found, parser.rest))

    def test_rest(self) -> None:
        """What is no whole reply is kept, and shown."""
        parser = Replies()
        self.assertEqual([], parser.feed(b"211-a\r\n b\r\n211"))
        self.assertEqual("211-a\r\n b\r\n211", parser.rest)

    def test_code(self) -> None:
        """Answers to Telnet options have no code."""
        self.assertEqual(["220", ""], [code_of(reply) for reply in (REPLIES[0], REPLIES[2])])


class NormalTests(SynchronousTestCase):
    """:func:`normal`."""

    SAME = (
        ("227 Entering Passive Mode (127,0,0,1,195,80).", "227 Entering Passive Mode (192,0,2,1,4,5)."),
        ("229 Entering Extended Passive Mode (|||50000|)", "229 Entering Extended Passive Mode (|||1024|)"),
        ("425 No connection reached port 1 within 30 s: open TCP 1-2 to it.", "425 No connection reached port 2 within 30 s: open TCP 5-9 to it."),
        ("425 All 5 passive ports are in use.", "425 All 28 passive ports are in use."),
        ("150 FILE: upload.1", "150 FILE: upload.2"),
        ("213 Status: 5 of 9 bytes transferred", "213 Status: 9 of 9 bytes transferred"),
        ("226 Transfer complete (10 bytes, deflated).", "226 Transfer complete (11 bytes, deflated)."),
        (
            "211-S\n Control connection: TLSv1.3 A; data connections: encrypted",
            "211-S\n Control connection: TLSv1.2 B; data connections: encrypted, resuming",
        ),
        ("421 Too many connections from your address (limit 2); close", "421 Too many connections (limit 3); close"),
        ("421 Too many failed logins; try again in 3 seconds.", "421 Too many failed logins; try again in 9 seconds."),
        ("214-Commands:\n A\n214 End", "214 Syntax: A - b"),
    )
    DIFFERENT = (
        ("227 Entering Passive Mode (1,2,3,4,5,6).", "227 Passive Mode (1,2,3,4,5,6)."),
        ("226 Transfer complete (10 bytes).", "226 Transfer complete (11 bytes)."),
        ("213 5", "213 6"),
        ("213 Status: 5 of 8 bytes transferred", "213 Status: 9 of 9 bytes transferred"),
        ("250 (1,2,3,4,5,6)", "250 (1,2,3,4,5,7)"),
        ("425 No connection reached port 1 within 30 s", "425 No connection reached port 1 within 31 s"),
        ("214 x", "250 x"),
    )

    OTHER_FILES = (
        ("150 Opening data connection (5 bytes).", "150 Opening data connection (7 bytes)."),
        ("226 Transfer complete (5 bytes).", "226 Transfer complete (7 bytes)."),
        ("213 20240105090700", "213 20250105090700.5"),
        ("250-L\n type=file;modify=1;perm=r;unique=2; /a\n250 E", "250-L\n type=file;modify=3;perm=adfrw;unique=4; /a\n250 E"),
        (
            "212-S\n -rw-r--r--   1 ftp      ftp             6 Jan  5  2024 a\n212 E",
            "212-S\n -rw-r--r--   1 ftp      ftp             6 Nov 23 11:06 a\n212 E",
        ),
    )

    def test_other_files(self) -> None:
        """Of other files the times and sizes may differ; else they may not."""
        self.assertEqual([], [pair for pair in self.OTHER_FILES if normal(pair[0], is_other=True) != normal(pair[1], is_other=True)])
        self.assertEqual([], [pair for pair in self.OTHER_FILES if normal(pair[0]) == normal(pair[1])])

    def test_same(self) -> None:
        """What the table names may differ."""
        self.assertEqual([], [pair for pair in self.SAME if normal(pair[0]) != normal(pair[1])])

    def test_different(self) -> None:
        """Nothing else may."""
        self.assertEqual([], [pair for pair in self.DIFFERENT if normal(pair[0]) == normal(pair[1])])

    def test_every_rule_is_needed(self) -> None:
        """Each row of the table has an example above."""
        texts = [text for pair in self.SAME for text in pair]
        unused = [rule.why for rule in RULES if not any(text.startswith(rule.codes) and rule.pattern.search(text) for text in texts)]
        self.assertEqual([], unused)
