"""Tests of ``twistftp.wire.replies``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.paths import decode_name
from twistftp.wire.replies import Reply, cleaned, encode_text, exact, quoted

_TEXT = st.binary(max_size=60).map(decode_name)
_CLEAN = _TEXT.map(cleaned)


def read(octets: bytes) -> tuple[int, list[bytes]]:
    """What a client by the book reads: the code and the lines (RFC 959 §4.2). Only CRLF ends a line."""
    *lines, rest = octets.replace(b"\xff\xff", b"\xff").split(b"\r\n")
    if rest:
        raise ValueError("the reply does not end with CRLF")
    code = lines[0][:3]
    if lines[0][3:4] == b" ":
        if len(lines) > 1:
            raise ValueError("lines follow a single line")
        return int(code), [lines[0][4:]]
    if lines[0][3:4] != b"-" or lines[-1][:4] != code + b" ":
        raise ValueError("not the multi-line form")
    for line in lines[1:-1]:
        if line[:1] != b" ":
            raise ValueError("a middle line could be taken for the last")
    return int(code), [lines[0][4:], *(line[1:] for line in lines[1:-1]), lines[-1][4:]]


class ReplyTests(SynchronousTestCase):
    """A reply and its octets."""

    def test_one_line(self) -> None:
        """One line is code, SP, text, CRLF (P-GEN-3)."""
        self.assertEqual(b"200 Type set to I.\r\n", Reply.of(200, "Type set to I.").octets)

    def test_several_lines(self) -> None:
        """Several lines begin with code and hyphen, go on one blank in, and end with code and blank (P-GEN-3)."""
        reply = Reply.listing(211, "Features:", ["EPSV", "211 UTF8"], "End")
        self.assertEqual(b"211-Features:\r\n EPSV\r\n 211 UTF8\r\n211 End\r\n", reply.octets)

    def test_a_listing_without_middle(self) -> None:
        """A listing stays in the multi-line form when it is empty (P-STAT-3)."""
        self.assertEqual(b"212-Status of /:\r\n212 End of status.\r\n", Reply.listing(212, "Status of /:", [], "End of status.").octets)

    def test_message(self) -> None:
        """An administrator's message has as many lines as it was written in, whatever ended them (P-PASS-1)."""
        self.assertEqual(b"230-Hello\r\n \r\n 230 is no code\r\n230 bye\r\n", Reply.message(230, "\nHello\r\n\n230 is no code\rbye\n").octets)
        self.assertEqual(b"220 Hello\r\n", Reply.message(220, "Hello\n").octets)
        self.assertEqual(b"220 \r\n", Reply.message(220, " \n").octets)

    def test_message_has_no_control_characters(self) -> None:
        """Control characters of a message become blanks (P-GEN-4)."""
        self.assertEqual(b"220 a b c\r\n", Reply.message(220, "a\0b\tc\x07").octets)

    def test_doubled_ff(self) -> None:
        """0xFF of a name is doubled (P-TEL-1, P-GEN-4)."""
        self.assertEqual(b"550 a\xff\xffb\r\n", Reply.of(550, decode_name(b"a\xffb")).octets)

    def test_facts(self) -> None:
        """What a reply says of itself follows from its code."""
        said = {code: (reply.is_preliminary, reply.is_positive) for code in (150, 226, 331, 450, 550) for reply in [Reply.of(code, "x")]}
        self.assertEqual({150: (True, True), 226: (False, True), 331: (False, True), 450: (False, False), 550: (False, False)}, said)
        self.assertEqual("a", Reply.listing(211, "a", ["b"], "c").text)

    def test_closes(self) -> None:
        """Only a reply that is told to closes the connection (P-GEN-11)."""
        self.assertEqual((False, True), (Reply.of(221, "x").closes, Reply.of(421, "x", closes=True).closes))

    @given(st.integers(100, 599), _CLEAN)
    def test_round_trip_of_one_line(self, code: int, text: str) -> None:
        """A client reads the text that was meant, octet by octet (P-GEN-3, P-GEN-4)."""
        self.assertEqual((code, [encode_text(text).replace(b"\xff\xff", b"\xff")]), read(Reply.of(code, text).octets))

    @given(st.integers(100, 599), st.lists(_CLEAN, min_size=2, max_size=6))
    def test_round_trip_of_several(self, code: int, lines: list[str]) -> None:
        """A client reads all lines of a multi-line reply, whatever they begin with (P-GEN-3)."""
        expected = [encode_text(line).replace(b"\xff\xff", b"\xff") for line in lines]
        self.assertEqual((code, expected), read(Reply.listing(code, lines[0], lines[1:-1], lines[-1]).octets))

    @given(st.text(max_size=80))
    def test_any_message_is_a_reply(self, text: str) -> None:
        """No message of an administrator breaks the form (P-GEN-3, P-GEN-4)."""
        octets = Reply.message(220, text.encode("utf-8", "replace").decode()).octets
        self.assertEqual(220, read(octets)[0])
        self.assertNotIn(b"\0", octets)


class EncodeTextTests(SynchronousTestCase):
    """Text as octets of the control connection."""

    def test_utf_8(self) -> None:
        """Text goes out as UTF-8 (P-PATH-2)."""
        self.assertEqual("Grüße".encode(), encode_text("Grüße"))

    @given(st.binary())
    def test_names_of_any_octets(self, octets: bytes) -> None:
        """Octets of a name come through, UTF-8 or not; only 0xFF is doubled (P-PATH-2, P-TEL-1)."""
        self.assertEqual(octets.replace(b"\xff", b"\xff\xff"), encode_text(decode_name(octets)))


class CleanedTests(SynchronousTestCase):
    """Names and arguments in free text."""

    def test_control_characters(self) -> None:
        """Control characters become question marks, everything else stays (P-GEN-4)."""
        self.assertEqual("a??b?c?d é", cleaned("a\r\nb\0c\x7fd é"))

    def test_limit(self) -> None:
        """At most 512 octets of an argument are repeated (P-LINE-11)."""
        self.assertEqual("a" * 512, cleaned("a" * 512))
        self.assertEqual("a" * 512 + "...", cleaned("a" * 513))

    def test_no_half_characters(self) -> None:
        """The cut does not leave half of a character (P-LINE-11)."""
        self.assertEqual("aé...", cleaned("aéé", 4))

    def test_octets_before_the_cut_are_kept(self) -> None:
        """Octets that are not UTF-8 are not lost when a long name is cut (P-PATH-2)."""
        self.assertEqual(decode_name(b"\xe9\xe9a") + "...", cleaned(decode_name(b"\xe9\xe9abc"), 3))

    @given(_TEXT, st.integers(4, 40))
    def test_is_bounded_and_clean(self, text: str, limit: int) -> None:
        """The result is a part of one line, and no longer than the limit says (P-GEN-4, P-LINE-11)."""
        octets = cleaned(text, limit).encode("utf-8", "surrogateescape")
        self.assertLessEqual(len(octets), limit + 3)
        self.assertEqual([], [octet for octet in octets if octet < 32 or octet == 127])


class QuotedTests(SynchronousTestCase):
    """Exact names, in 257 and MLST."""

    def test_quotes_are_doubled(self) -> None:
        """A path stands in quotes, those in it are doubled (P-QUOT-1)."""
        self.assertEqual('"/a""b"', quoted('/a"b'))

    def test_exact(self) -> None:
        """CR goes out as CR NUL; LF and NUL cannot be said (P-GEN-4)."""
        self.assertEqual("a\r\0b?c?d\x07", exact("a\rb\nc\0d\x07"))

    @given(st.binary(max_size=40).map(lambda octets: octets.translate(None, b"\n\0")))
    def test_round_trip(self, octets: bytes) -> None:
        """A client that reads 257 by the book has the exact path (P-QUOT-1, P-GEN-4, P-PATH-2)."""
        text = read(Reply.of(257, f"{quoted(decode_name(octets))} created.").octets)[1][0]
        path = text[1 : text.rindex(b'"')].replace(b'""', b'"').replace(b"\r\0", b"\r")
        self.assertEqual(octets, path)
