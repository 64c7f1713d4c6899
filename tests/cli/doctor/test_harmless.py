"""Tests of ``cli.doctor.harmless``: texts of servers made fit for a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.cli.doctor.harmless import harmless


class HarmlessTests(SynchronousTestCase):
    """``harmless``."""

    def test_examples(self) -> None:
        """Control characters and what is not UTF-8 become ``?``; letters stay."""
        self.assertEqual("a?[31mb ä?", harmless(b"a\x1b[31mb \xc3\xa4\xff\r\n"))
        self.assertEqual("x?y", harmless("x\u202ey"))
        self.assertEqual("user ********", harmless(b"user s3cret", "s3cret"))

    @given(st.binary(max_size=600) | st.text(max_size=600))
    def test_anything(self, octets: bytes | str) -> None:
        """Whatever comes is printable and has an end."""
        text = harmless(octets)
        self.assertTrue(text.isprintable())
        self.assertLessEqual(len(text), 303)

    @given(st.text(max_size=50), st.text("abcä?", min_size=1, max_size=5), st.text(max_size=400))
    def test_secrets(self, before: str, secret: str, after: str) -> None:
        """No password comes out whole, nor is one made by the replacing."""
        self.assertNotIn(secret, harmless(before + secret + after, secret))
