"""Tests of ``endpoint_text``; what it says of a server without Twisted's TLS is in those of ``twisted_tls``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twistftp.endpoint_text import endpoint_trouble


class TroubleTests(SynchronousTestCase):
    """What cannot be used is said in one line."""

    def test_usable(self) -> None:
        """Twisted's own kinds, with what they need."""
        for text in ("tcp:2121", "tcp6:2121:interface=\\:\\:1", "unix:/run/ftp.sock", "haproxy:tcp:2121"):
            self.assertEqual("", endpoint_trouble(text))

    def test_unusable(self) -> None:
        """Kinds that there are not, and a part that is missing or wrong; with the reason, and examples."""
        for text, reason in (("tpc:2121", "Unknown endpoint type: 'tpc'"), ("tcp", "missing"), ("tcp:ftps-port", "invalid literal")):
            self.assertRegex(endpoint_trouble(text), rf"\Ais no usable Twisted endpoint, such as tcp:2121, [^\n]+ \([^\n]*{reason}[^\n]*\)\Z")
