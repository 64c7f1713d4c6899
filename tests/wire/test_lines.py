"""Tests of ``twistftp.wire.lines``."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.lines import Flood, LineSplitter, Oversize

_FLOOD = "flood"


def taken(splitter: LineSplitter) -> list[object]:
    """All lines that can be taken; the last is ``_FLOOD`` when the connection is to be closed."""
    lines: list[object] = []
    try:
        while (line := splitter.next_line()) is not None:
            lines.append(line)
    except Flood:
        lines.append(_FLOOD)
    return lines


def read(chunks: Iterable[bytes], limit: int = 8192) -> tuple[list[object], bytes]:
    """The lines of a stream that arrives in chunks, and the Telnet answers to it."""
    splitter = LineSplitter(limit)
    lines: list[object] = []
    for chunk in chunks:
        splitter.feed(chunk)
        lines += taken(splitter)
        if lines[-1:] == [_FLOOD]:
            break
    return lines, splitter.answers


def octets_of(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


_PIECES = st.sampled_from(
    [
        *(b"NOOP", b"ABOR", b" ", b"a", b"\xc3\xa9", b"\xe9", b"xxxxxxxxxxxxxxxx"),
        *(b"\r\n", b"\n", b"\r", b"\r\0", b"\0"),
        *(b"\xff", b"\xff\xff", b"\xff\xf4", b"\xff\xf2", b"\xff\xf0", b"\xff\xfa", b"\xff\xfa\x18\n\xff\xff\xf0\xff\xf0", b"\xf2"),
        *(b"\xff\xfb\x01", b"\xff\xfc\n", b"\xff\xfd\r", b"\xff\xfe\x03", b"\xff\xfb", b"\xff\xfd\xff", b"\xff\xfd\n"),
    ]
)
_STREAMS = st.lists(_PIECES | st.binary(max_size=6), max_size=30).map(b"".join)


class LineEndTests(SynchronousTestCase):
    """Where a line ends."""

    def test_crlf_and_lf(self) -> None:
        """A line ends at LF, with or without a CR before it (P-LINE-1)."""
        self.assertEqual([b"NOOP", b"SYST", b""], read([b"NOOP\r\nSYST\n\r\n"])[0])

    def test_only_one_cr_is_dropped(self) -> None:
        """Of several CR before LF the last is dropped, the others are data (P-LINE-1)."""
        self.assertEqual([b"a\r"], read([b"a\r\r\n"])[0])

    def test_cr_elsewhere_is_data(self) -> None:
        """CR not before LF is data, alone and as CR NUL (P-LINE-1)."""
        self.assertEqual([b"STOR a\rb\rc\r"], read([b"STOR a\rb\r\0c\r\0\r\n"])[0])

    def test_nul_is_left_for_the_argument(self) -> None:
        """NUL behind anything but CR stays in the line: the argument's kind refuses it (P-LINE-9)."""
        self.assertEqual([b"RETR a\0b"], read([b"RETR a\0b\r\n"])[0])

    def test_cr_and_lf_apart(self) -> None:
        """CR and LF may come in separate segments (P-LINE-1)."""
        splitter = LineSplitter()
        splitter.feed(b"NOOP\r")
        self.assertEqual([], taken(splitter))
        splitter.feed(b"\n")
        self.assertEqual([b"NOOP"], taken(splitter))

    def test_octets_are_kept(self) -> None:
        """Blanks and octets above 0x7F reach the verb unchanged (P-LINE-6)."""
        self.assertEqual([b"STOR  \xe9\xc3\xa9 "], read([b"STOR  \xe9\xc3\xa9 \r\n"])[0])

    def test_pending(self) -> None:
        """``pending`` counts what was fed and not taken (P-PIPE-4)."""
        splitter = LineSplitter()
        splitter.feed(b"NOOP\r\nSY")
        self.assertEqual(8, splitter.pending)
        splitter.next_line()
        self.assertEqual(2, splitter.pending)
        splitter.feed(b"ST\r\n")
        self.assertEqual([b"SYST"], taken(splitter))
        self.assertEqual(0, splitter.pending)

    def test_clear(self) -> None:
        """What was fed and not taken can be forgotten, lines and parts of lines (P-AUTH-6)."""
        splitter = LineSplitter(16)
        splitter.feed(b"AUTH TLS\r\nDELE x\r\nUSER ro")
        self.assertEqual(b"AUTH TLS", splitter.next_line())
        splitter.clear()
        self.assertEqual(0, splitter.pending)
        splitter.feed(b"NOOP\r\n")
        self.assertEqual([b"NOOP"], taken(splitter))

    def test_clear_within_an_overlong_line(self) -> None:
        """After ``clear`` nothing is left of an over-long line that had begun (P-AUTH-6)."""
        splitter = LineSplitter(16)
        splitter.feed(b"x" * 100)
        self.assertIsNone(splitter.next_line())
        splitter.clear()
        splitter.feed(b"NOOP\r\n")
        self.assertEqual([b"NOOP"], taken(splitter))


class CutTests(SynchronousTestCase):
    """Lines do not depend on where the network cut the stream."""

    @given(_STREAMS, st.lists(st.integers(0, 200), max_size=6), st.sampled_from([8, 24, 8192]))
    def test_any_cut(self, data: bytes, cuts: list[int], limit: int) -> None:
        """A stream cut at any octets gives the same lines and answers as in one piece (P-LINE-1, P-TEL-7)."""
        ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        self.assertEqual(read([data], limit), read([data[a:b] for a, b in pairwise(ends)], limit))

    @given(_STREAMS, st.sampled_from([8, 24, 8192]))
    def test_one_octet_at_a_time(self, data: bytes, limit: int) -> None:
        """A stream that comes octet by octet gives the same lines and answers (P-LINE-1, P-TEL-7)."""
        self.assertEqual(read([data], limit), read(octets_of(data), limit))

    def test_at_the_limit(self) -> None:
        """Near the limit too, whatever Telnet command crosses it (P-LINE-3, P-TEL-5, P-TEL-7)."""
        for command in (b"", b"\xff\xfd\n", b"\xff\xfd\r", b"\xff\xfa12\n34\xff\xf0", b"\xff\xfa1\n2", b"\xff\xff", b"\xff"):
            for before in range(26):
                data = b"x" * before + command + b"\nNOOP\r\n" + b"y" * 50 + b"\nSYST\n"
                self.assertEqual(read([data], 20), read(octets_of(data), 20), (before, command))


class WholeLineTests(SynchronousTestCase):
    """One line at a glance."""

    def test_taken(self) -> None:
        """What nearly every command comes as is a line without being fed (P-LINE-1)."""
        for data in (b"NOOP\r\n", b"NOOP\n", b"\r\n", b"RETR b\xc3\xbc cher\r\n", b"a\rb\r\r\n"):
            self.assertEqual([LineSplitter().whole_line(data)], read([data])[0])

    def test_not_taken(self) -> None:
        """Not with what was fed before, without an end, of several lines, or with octets that need a second look."""
        not_one = (b"", b"NOOP", b"NOOP\r", b"NOOP\r\nNOOP\r\n", b"NOOP\r\nN", b"\n\n")
        for data in (*not_one, b"a\0b\n", b"a\xffb\n", b"\xf2ABOR\r\n", b"x" * 8192 + b"\n"):
            self.assertIs(None, LineSplitter().whole_line(data))
        splitter = LineSplitter()
        splitter.feed(b"NO")
        self.assertIs(None, splitter.whole_line(b"OP\r\n"))

    @given(_STREAMS, st.integers(1, 12))
    def test_as_if_fed(self, data: bytes, limit: int) -> None:
        """A line that is taken so is the one that is cut off after feeding."""
        line = LineSplitter(limit).whole_line(data)
        if line is not None:
            self.assertEqual(([line], b""), read([data], limit))


class LimitTests(SynchronousTestCase):
    """Over-long lines, and what never becomes a line."""

    def test_the_limit(self) -> None:
        """As many octets as the limit before LF are a line, one more is not (P-LINE-3)."""
        self.assertEqual([b"x" * 8192], read([b"x" * 8192 + b"\n"])[0])
        self.assertEqual([Oversize.LINE], read([b"x" * 8193 + b"\n"])[0])

    def test_the_next_line_is_read(self) -> None:
        """An over-long line is one ``Oversize``; the stream goes on behind it (P-LINE-3)."""
        self.assertEqual([Oversize.LINE, b"NOOP"], read([b"x" * 100_000 + b"\r\nNOOP\r\n"])[0])

    def test_its_rest_is_no_command(self) -> None:
        """What follows the limit is never taken for a command, however it was cut (P-LINE-4)."""
        data = b"x" * 8193 + b"DELE x\r\nNOOP\r\n"
        self.assertEqual([Oversize.LINE, b"NOOP"], read([data])[0])
        self.assertEqual([Oversize.LINE, b"NOOP"], read([data[:8193], b"DELE x\r\n", b"NOOP\r\n"])[0])

    def test_three_are_too_many(self) -> None:
        """After three over-long lines the connection is given up, and stays so (P-LINE-3)."""
        splitter = LineSplitter(16)
        splitter.feed((b"x" * 17 + b"\n") * 4 + b"NOOP\r\n")
        self.assertEqual([Oversize.LINE] * 3 + [_FLOOD], taken(splitter))
        self.assertEqual([_FLOOD], taken(splitter))

    def test_a_megabyte_without_an_end(self) -> None:
        """Octets without LF are thrown away as they come; behind 1 MiB of them is ``Flood``, for good (P-LINE-3, P-SEC-10)."""
        splitter = LineSplitter()
        for _ in range((1 << 20) // 4096):
            splitter.feed(b"x" * 4096)
            self.assertEqual([], taken(splitter))
            self.assertLessEqual(splitter.pending, 8192)
        splitter.feed(b"x")
        self.assertEqual([_FLOOD], taken(splitter))
        splitter.feed(b"\nNOOP\r\n")
        self.assertEqual([_FLOOD], taken(splitter))

    def test_a_megabyte_at_once(self) -> None:
        """It makes no difference that LF comes in the same piece (P-LINE-3)."""
        self.assertEqual([_FLOOD], read([b"x" * ((1 << 20) + 1) + b"\nNOOP\r\n"])[0])
        self.assertEqual([Oversize.LINE, b"NOOP"], read([b"x" * (1 << 20) + b"\nNOOP\r\n"])[0])

    def test_nothing_is_held_when_all_is_taken(self) -> None:
        """An idle session holds no octets of what it has taken (P-SEC-10)."""
        splitter = LineSplitter()
        splitter.feed(b"NOOP\r\n" * 10_000)
        taken(splitter)
        self.assertEqual(b"", splitter._buffer)


class TelnetTests(SynchronousTestCase):
    """Telnet codes on the control connection."""

    def test_doubled_ff(self) -> None:
        """IAC IAC is one octet 0xFF of the argument (P-TEL-1)."""
        self.assertEqual([b"RETR \xff\xff."], read([b"RETR \xff\xff\xff\xff.\r\n"])[0])

    def test_requests_are_refused(self) -> None:
        """WILL is answered DONT, DO is answered WONT; neither stays in the line (P-TEL-2)."""
        self.assertEqual(([b"NOOP"], b"\xff\xfe\x01\xff\xfc\x06"), read([b"\xff\xfb\x01NO\xff\xfd\x06OP\r\n"]))

    def test_refusals_are_not_answered(self) -> None:
        """WONT and DONT are removed without an answer (P-TEL-3)."""
        self.assertEqual(([b"NOOP"], b""), read([b"\xff\xfc\x01\xff\xfe\x06NOOP\r\n"]))

    def test_commands_are_removed(self) -> None:
        """IP, DM and the other commands of two octets are removed (P-TEL-4)."""
        for code in range(0xF0, 0xFA):
            self.assertEqual(([b"ABOR"], b""), read([bytes((0xFF, code)) + b"AB" + bytes((0xFF, code)) + b"OR\r\n"]))

    def test_subnegotiations_are_removed(self) -> None:
        """IAC SB … IAC SE is removed, LF and doubled IAC in it too (P-TEL-5)."""
        for inner in (b"", b"\x18\0vt100", b"\n", b"\r\n\r\n", b"\xff\xff", b"\xff\xff\xf0", b"\xff\xffx\xff\xff", b"x" * 5000):
            self.assertEqual(([b"NOOP"], b""), read([b"NO\xff\xfa" + inner + b"\xff\xf0OP\r\n"]), inner)

    def test_an_unended_subnegotiation_is_bounded(self) -> None:
        """IAC SB without SE ends as an over-long line does (P-TEL-5, P-LINE-3)."""
        splitter = LineSplitter()
        splitter.feed(b"\xff\xfa\r\n" + b"x" * 8000)
        self.assertEqual([], taken(splitter))
        splitter.feed(b"x" * 1000)
        self.assertEqual([], taken(splitter))
        self.assertEqual(0, splitter.pending)
        splitter.feed(b"\r\nNOOP\r\n")
        self.assertEqual([Oversize.LINE, b"NOOP"], taken(splitter))

    def test_an_option_numbered_like_a_line_end(self) -> None:
        """The options 10 and 13 are no line ends (P-TEL-2, P-TEL-7)."""
        self.assertEqual(([b"NOOP"], b"\xff\xfc\n\xff\xfe\r"), read([b"NO\xff\xfd\nOP\xff\xfb\r\n"]))

    def test_sloppy_latin_1(self) -> None:
        """0xFF before anything below 0xF0 is data (P-TEL-6)."""
        self.assertEqual([b"RETR \xffa\xff", b"RETR \xff"], read([b"RETR \xffa\xff\r\nRETR \xff\n"])[0])

    def test_lftp(self) -> None:
        """ABOR as lftp and RFC 959 send it, with IP and DM before (P-TEL-4, P-TEL-8)."""
        self.assertEqual([b"ABOR"], read([b"\xff\xf4\xff", b"\xf2", b"ABOR\r\n"])[0])

    def test_stray_octets(self) -> None:
        """Octets above 0x7F before ABOR, STAT and QUIT are what was lost of Telnet codes (P-TEL-6, P-TEL-9)."""
        for stray in (b"\xf2", b"\xff", b"\xff\xf4\xff", b"\xf4\xf2", b"\x80", b"\xff\xff"):
            for verb in (b"ABOR", b"abor", b"STAT", b"QUIT", b"STAT a b", b"ABOR "):
                self.assertEqual([verb], read([stray + verb + b"\r\n"])[0], (stray, verb))

    def test_stray_octets_elsewhere(self) -> None:
        """Before other verbs, and within a line, they are kept (P-TEL-9)."""
        for line in (b"\xe9NOOP", b"\xe9ABORT", b"\xe9 ABOR", b"\xe9RETR \xe9ABOR", b"RETR \xe9QUIT"):
            self.assertEqual([line], read([line + b"\r\n"])[0], line)

    def test_answers_are_limited(self) -> None:
        """64 requests of a connection are answered, in their order; then silence (P-TEL-10)."""
        splitter = LineSplitter()
        for option in range(100):
            splitter.feed(bytes((0xFF, 0xFD, option)) + b"NOOP\r\n")
        self.assertEqual([b"NOOP"] * 100, taken(splitter))
        self.assertEqual(b"".join(bytes((0xFF, 0xFC, option)) for option in range(64)), splitter.answers)
        splitter.answers = b""
        splitter.feed(b"\xff\xfb\x01\r\n")
        self.assertEqual([b""], taken(splitter))
        self.assertEqual(b"", splitter.answers)

    def test_option_ff(self) -> None:
        """Option 255 is an option, not an escape (P-TEL-2)."""
        self.assertEqual(([b"NOOP"], b"\xff\xfc\xff"), read([b"\xff\xfd\xffNOOP\r\n"]))

    @given(st.lists(st.binary(max_size=40).map(lambda name: name.translate(None, b"\r\n\0")), max_size=5))
    def test_names_come_through(self, names: list[bytes]) -> None:
        """A client that doubles 0xFF can say any octet but CR, LF and NUL (P-TEL-1, P-PATH-2)."""
        sent = b"".join(b"RETR " + name.replace(b"\xff", b"\xff\xff") + b"\r\n" for name in names)
        self.assertEqual([b"RETR " + name for name in names], read([sent])[0])


class HostileTests(SynchronousTestCase):
    """A mebibyte or more of what is meant to be slow. These finish in well under a second or, quadratic, not at all."""

    def feed(self, data: bytes) -> int:
        """How many lines are read of data that comes as it would from a socket; a connection given up is followed by the next."""
        lines, splitter = 0, LineSplitter()
        for i in range(0, len(data), 65536):
            splitter.feed(data[i : i + 65536])
            got = taken(splitter)
            lines += len(got)
            if got[-1:] == [_FLOOD]:
                splitter = LineSplitter()
        return lines

    def test_line_ends(self) -> None:
        """Nothing but empty lines (P-SEC-10)."""
        self.assertEqual(1 << 17, self.feed(b"\n" * (1 << 17)))

    def test_empty_lines_at_once(self) -> None:
        """Many lines in one piece (P-SEC-10)."""
        self.assertEqual(1 << 17, len(read([b"\n" * (1 << 17)])[0]))

    def test_long_lines(self) -> None:
        """Lines of the greatest length, full of what Telnet codes and lost ones begin with (P-SEC-10, P-TEL-5, P-TEL-9)."""
        for unit in (
            *(b"\xff", b"\xff\xff", b"\xff\xfb", b"\xff\xf0", b"\xffa", b"\xff\xfa", b"\xff\xfa\xff\xff", b"\xff\xfa\xff\xf0"),
            *(b"\x80", b"\x80A", b"\r\0"),
        ):
            line = unit * (8191 // len(unit)) + b"\n"
            self.assertGreater(self.feed(line * 128), 0, unit)

    def test_no_lines(self) -> None:
        """The same without line ends (P-SEC-10)."""
        for unit in (b"\xff\xfa", b"\xff\xfa\n", b"\xff", b"\xff\xfb\n"):
            self.assertGreater(self.feed(unit * ((1 << 21) // len(unit))), 0, unit)
