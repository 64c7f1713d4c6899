"""Tests of ``twistftp.wire.arguments``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.arguments import (
    NOTHING,
    NOTHING_AT_ALL,
    NUMBER,
    OPTIONAL_PATHNAME,
    PASSWORD,
    PATHNAME,
    Argument,
    ArgumentError,
    text,
    word,
)
from twistftp.wire.paths import encode_name


class ArgumentCase(SynchronousTestCase):
    """What all kinds are asked."""

    def check(self, argument: Argument, octets: bytes, expected: object) -> None:
        self.assertEqual(expected, argument.parse(octets))

    def check_refused(self, argument: Argument, *refused: bytes) -> None:
        for octets in refused:
            self.assertRaises(ArgumentError, argument.parse, octets)


class NothingTests(ArgumentCase):
    """Verbs without an argument."""

    def test_junk_is_ignored(self) -> None:
        """Most verbs ignore what follows them (P-GEN-7)."""
        for octets in (b"", b"1", b" ", b"\0\xff"):
            self.check(NOTHING, octets, None)

    def test_junk_is_refused(self) -> None:
        """FEAT does not (P-GEN-7, P-FEAT-1)."""
        self.check(NOTHING_AT_ALL, b"", None)
        self.check_refused(NOTHING_AT_ALL, b"x", b" ")


class PathnameTests(ArgumentCase):
    """Names of files."""

    def test_is_exact(self) -> None:
        """Blanks at both ends belong to the name, so do all other octets (P-LINE-6, P-PATH-2)."""
        self.check(PATHNAME, b" a ", " a ")
        self.check(PATHNAME, b" ", " ")
        self.check(PATHNAME, b"a\tb\r\x07", "a\tb\r\x07")
        self.check(PATHNAME, b'"a b"', '"a b"')  # P-QUOT-2

    def test_is_needed(self) -> None:
        """A missing name is refused where one is needed (P-GEN-8)."""
        self.check_refused(PATHNAME, b"")
        self.check(OPTIONAL_PATHNAME, b"", "")

    def test_nul(self) -> None:
        """NUL is refused (P-LINE-9)."""
        self.check_refused(PATHNAME, b"\0", b"a\0b")
        self.check_refused(OPTIONAL_PATHNAME, b"\0", b"a\0b")

    @given(st.binary(min_size=1).filter(lambda octets: b"\0" not in octets))
    def test_any_octets(self, octets: bytes) -> None:
        """Any other octets are a name (P-PATH-2)."""
        self.assertEqual(octets, encode_name(PATHNAME.parse(octets)))
        self.assertEqual(octets, encode_name(OPTIONAL_PATHNAME.parse(octets)))

    def test_is_a_path(self) -> None:
        """Names of files are known as such, no other kind is."""
        kinds = (PATHNAME, OPTIONAL_PATHNAME, NOTHING, NOTHING_AT_ALL, word("[x]", optional=True), PASSWORD, NUMBER, word("x"), text("x"))
        self.assertEqual([True, True, *[False] * 7], [kind.is_path for kind in kinds])


class WordTests(ArgumentCase):
    """Arguments that are neither names of files nor passwords."""

    def test_is_trimmed(self) -> None:
        """Blanks and tabs at both ends are dropped (P-LINE-7)."""
        self.check(word("I"), b"\t I \t", "I")
        self.check(word("A"), b"A N", "A N")
        self.check(word("[x]", optional=True), b" x ", "x")

    def test_is_needed(self) -> None:
        """A missing word is refused unless it is optional (P-GEN-8)."""
        self.check_refused(word("I"), b"", b" ", b"\t ")
        self.check(word("[x]", optional=True), b"", "")
        self.check(word("[x]", optional=True), b" \t", "")

    def test_nul(self) -> None:
        """NUL is refused (P-LINE-9)."""
        self.check_refused(word("I"), b"\0", b"I\0")
        self.check_refused(word("[x]", optional=True), b"\0")


class TextTests(ArgumentCase):
    """Names of users."""

    def test_blanks(self) -> None:
        """Blanks within stay, those at the end are dropped (P-USER-1)."""
        self.check(text("<user>"), b"DOMAIN\\a b@c  ", "DOMAIN\\a b@c")
        self.check(text("<user>"), b" a", " a")

    def test_is_needed(self) -> None:
        """A missing name is refused (P-GEN-8)."""
        self.check_refused(text("<user>"), b"", b"  ")

    def test_nul(self) -> None:
        """NUL is refused (P-LINE-9)."""
        self.check_refused(text("<user>"), b"a\0", b"\0")


class PasswordTests(ArgumentCase):
    """Secrets."""

    @given(st.binary())
    def test_is_exact(self, octets: bytes) -> None:
        """Every octet counts, and none at all is an empty password (P-PASS-2)."""
        self.assertEqual(octets, PASSWORD.parse(octets))

    def test_is_secret(self) -> None:
        """A password, and what is declared so, is secret; nothing else is (P-SEC-13)."""
        kinds = (PASSWORD, word("x", is_secret=True), text("x", is_secret=True), PATHNAME, NUMBER, word("x"), text("x"))
        self.assertEqual([True, True, True, False, False, False, False], [kind.is_secret for kind in kinds])


class NumberTests(ArgumentCase):
    """Offsets and sizes."""

    def test_bounds(self) -> None:
        """0 to 2^63-1, nothing above (P-REST-1)."""
        self.check(NUMBER, b"0", 0)
        self.check(NUMBER, b" 007\t", 7)
        self.check(NUMBER, b"9223372036854775807", 2**63 - 1)
        self.check_refused(NUMBER, b"9223372036854775808", b"9" * 20, b"1" + b"0" * 8000)

    def test_digits_only(self) -> None:
        """Only ASCII digits make a number (P-REST-1)."""
        self.check_refused(NUMBER, b"", b" ", b"-1", b"+1", b"1.0", b"1e3", b"0x10", b"1_0", b"1 0", b"a", b"1\0", b"1\r", b"\x0b1")
        self.check_refused(NUMBER, "²".encode(), "٣".encode(), "１".encode(), b"1\xb2")

    @given(st.integers(0, 2**63 - 1))
    def test_round_trip(self, number: int) -> None:
        """Every such number is read (P-REST-1)."""
        self.assertEqual(number, NUMBER.parse(str(number).encode()))
