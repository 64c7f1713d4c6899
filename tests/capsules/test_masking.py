"""Tests of masking: nothing of a secret is given out, and of everything else every octet."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.format import octets_of
from twistftp.capsules.masking import ClientTape, joined, mask_reply
from twistftp.session.verbs.table import SITE_VERBS
from twistftp.session.verbs.table import VERBS as MAIN_VERBS

VERBS = (MAIN_VERBS, SITE_VERBS)
SECRET = st.text("αβγδεζ§¶", min_size=1, max_size=12).map(lambda text: text.encode())
TELNET = st.sampled_from([b"", b"", b"\xff\xf1", b"\xff\xfb\x01", b"\xff\xfa\x18\x01\xff\xf0", b"\xff\xf4\xff\xf2"])


def pieces_of(octets: bytes, cuts: list[int]) -> list[bytes]:
    """These octets, cut there."""
    bounds = [0, *sorted({cut % (len(octets) + 1) for cut in cuts}), len(octets)]
    return [octets[start:end] for start, end in zip(bounds, bounds[1:], strict=False) if start != end]


def text_in(taken: list[Any]) -> str:
    return "".join(piece for piece in taken if isinstance(piece, str))


@st.composite
def passwords(draw: Any) -> bytes:
    """PASS or ACCT and a secret, spelled in some way."""
    verb = draw(st.sampled_from([b"PASS", b"pass", b"PaSs", b"ACCT", b"acct"]))
    at = draw(st.integers(0, 4))
    before = draw(st.sampled_from([b"", b" ", b"   "]))
    end = draw(st.sampled_from([b"\r\n", b"\n"]))
    return before + verb[:at] + draw(TELNET) + verb[at:] + b" " + draw(TELNET) + draw(SECRET) + draw(TELNET) + end


class ClientTapeTests(SynchronousTestCase):
    """:class:`ClientTape`."""

    def take(self, *pieces: bytes, limit: int = 8192) -> list[Any]:
        tape = ClientTape(limit)
        return [piece for data in pieces for piece in tape.take(data, VERBS)] + tape.rest(VERBS)

    CUTS = st.lists(st.integers(0, 400), max_size=12)
    HARMLESS = st.sampled_from([b"NOOP\r\n", b"USER alice\r\n", b"\r\n", b"CWD pub\r\n"])
    OTHERS = st.sampled_from([b"NOOP\r\n", b"USER \xe9\r\n", b"CWD a\xff\xffb\r\n", b"\xff\xf4\xff\xf2ABOR\r\n", b"\n", b"retr \xc3\xa9\n"])

    @given(st.lists(st.one_of(passwords(), HARMLESS), max_size=6), CUTS, st.integers(0, 30))
    def test_no_secret(self, lines: list[bytes], cuts: list[int], missing: int) -> None:
        """Not an octet of a password is given out, however it is cut, spelled or mixed with Telnet codes (PROTOCOL P-SEC-13)."""
        stream = b"".join(lines)
        shown = text_in(self.take(*pieces_of(stream[: len(stream) - missing], cuts)))
        self.assertEqual("", "".join(character for character in shown if character in "αβγδεζ§¶" or "\udcb0" <= character <= "\udccf"), shown)

    @given(st.lists(OTHERS), CUTS)
    def test_everything_else(self, lines: list[bytes], cuts: list[int]) -> None:
        """Every other octet is there, in order."""
        stream = b"".join(lines)
        self.assertEqual(stream, octets_of(text_in(self.take(*pieces_of(stream, cuts)))))

    def test_pieces(self) -> None:
        """The pieces are those that came; lines that came together stay together."""
        self.assertEqual(["NO", "OP\r\nSYST\r\n"], self.take(b"NO", b"OP\r\nSYST\r\n"))
        tape = ClientTape(100)
        self.assertEqual([], tape.take(b"CW", VERBS))
        self.assertEqual(["CW", "D ", "x\r\n"], [*tape.take(b"D ", VERBS), *tape.take(b"x\r\n", VERBS)])
        self.assertEqual(["USER a\r\nPASS ****\r\nPWD\r\n"], self.take(b"USER a\r\nPASS b\r\nPWD\r\n"))
        self.assertEqual(["PASS ****\r\nPWD\r\n"], self.take(b"PASS se", b"cret\r\nPWD\r\n"))

    def test_unknown(self) -> None:
        """Of what is no command the argument is not shown; between USER and the login nothing of it is, for it may be a password."""
        self.assertEqual(["SESAME ****\r\n"], self.take(b"SESAME open\r\n"))
        self.assertEqual(["****\r\n"], self.take(b"pass\tsecret\r\n"))
        tape = ClientTape(100)
        self.assertEqual(["USER a\r\n****\r\n"], tape.take(b"USER a\r\nsecret\r\n", VERBS))
        self.assertEqual(["PASS ****\r\n****\r\n"], tape.take(b"PASS x\r\nsecret\r\n", VERBS))
        tape.logged_in()
        self.assertEqual(["SESAME\r\n"], tape.take(b"SESAME\r\n", VERBS))

    def test_site(self) -> None:
        """Behind SITE, where other servers change passwords, no more is shown than of other verbs (PROTOCOL P-SEC-13)."""
        for line, shown in {
            b"SITE PSWD old new": "SITE PSWD ****",
            b"site  pass secret": "SITE PASS ****",
            b"SITE \xfcber secret": "SITE **** ****",
            b"SITE hunter2": "SITE HUNTER2",
            b"SITE CHMOD 644 a": "SITE CHMOD 644 a",
            b"site why": "site why",
            b"SITE": "SITE",
            b"SITE ": "SITE ",
        }.items():
            self.assertEqual([f"{shown}\r\n"], self.take(line + b"\r\n"), line)

    def test_other_protocols(self) -> None:
        """What the server knows other protocols by stays visible, or a replay would go on where the session ended."""
        for line, shown in {
            b"\x16\x03\x01\x02": "\x16****",
            b"Host: example.org": "****:",
            b"\0": "\0",
            b"[x] y": "****",
            b"get / HTTP/1.1": "GET ****",
            b"get": "****",
        }.items():
            self.assertEqual([f"USER a\r\n{shown}\r\n"], self.take(b"USER a\r\n" + line + b"\r\n"), line)

    def test_many_pieces(self) -> None:
        """A line that comes octet by octet has as many pieces, and the next lines are in the last of them."""
        tape = ClientTape(100)
        self.assertEqual([], [piece for octet in b"CWD x" for piece in tape.take(bytes((octet,)), VERBS)])
        self.assertEqual([*"CWD x", "\r\nPWD\r\n"], tape.take(b"\r\nPWD\r\nNO", VERBS))
        self.assertEqual(["NO", "OP\r\n"], tape.take(b"OP\r\n", VERBS))

    def test_too_long(self) -> None:
        """Of a line that is too long there is the length alone."""
        long = b"PASS " + b"s" * 200 + b"\r\n"
        self.assertEqual([{"filler": 207}, "NOOP\r\n"], self.take(long[:150], long[150:] + b"NOOP\r\n", limit=100))
        self.assertEqual([{"filler": 150, "open": 1}], self.take(long[:150], limit=100))

    def test_flood(self) -> None:
        """Nor anything behind a flood, which ends the session (PROTOCOL P-LINE-3)."""
        (filler,) = self.take(b"s" * (2 << 20), b"NOOP\r\nPASS secret\r\n")
        self.assertEqual({"filler": (2 << 20), "open": 1}, filler)
        self.assertEqual([{"filler": 201}] * 3, self.take(*[b"x" * 200 + b"\n"] * 3, b"PASS a\r\n", limit=100)[:3])

    def test_rest(self) -> None:
        """A line that never came to its end is masked as one that did."""
        self.assertEqual(["NOOP\r\n", "PASS ****"], self.take(b"NOOP\r\n", b"PASS sec"))
        self.assertEqual(["PA"], self.take(b"PA"))
        self.assertEqual(["PASS ****"], self.take(b"PASS sec\xff"))
        self.assertEqual(["****"], self.take(b"PASS sec\xff\xfa\x18"))

    def test_rest_is_forgotten(self) -> None:
        """What was cut off is no part of the next line, or that would not be known for what it is."""
        tape = ClientTape(100)
        tape.take(b"USER a", VERBS)
        self.assertEqual(["USER a"], tape.rest(VERBS))
        self.assertEqual(["PASS ****\r\n"], tape.take(b"PASS secret\r\n", VERBS))


class ReplyTests(SynchronousTestCase):
    """:func:`mask_reply`, :func:`joined`."""

    def test_echo(self) -> None:
        """A reply to an unknown verb repeats it; it is not shown."""
        said = b'220 x\r\n500 Unknown command "SECRET"; try HELP.\r\n250 "500 Unknown" is here\r\n'
        self.assertEqual(said.replace(b"SECRET", b"****"), mask_reply(said))
        self.assertEqual(b'500 Unknown command "SITE ****"; try SITE HELP.\r\n', mask_reply(b'500 Unknown command "SITE SECRET"; try SITE HELP.\r\n'))
        self.assertEqual(b'500 Unknown command "****"; try HELP.\r\n', mask_reply(b'500 Unknown command "a"; try "; try HELP.\r\n'))

    def test_joined(self) -> None:
        """One piece is a text, several are a list."""
        self.assertEqual("a", joined(["a"]))
        self.assertEqual(["a", {"filler": 1}], joined(["a", {"filler": 1}]))
