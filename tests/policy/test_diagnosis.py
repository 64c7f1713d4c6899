"""Tests of ``policy.diagnosis``."""

import string

from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.diagnosis import Cause, Verdict


class VerdictTests(SynchronousTestCase):
    """A verdict becomes a reply."""

    def test_every_cause_has_a_reply(self) -> None:
        """Each cause gives one printable line and a code that RFC 959 §5.4 allows where data connections fail."""
        for cause in Cause:
            verdict = Verdict(cause, port=50000, ports=5, range="50000-50004", seconds=30, address="192.0.2.1", reason="refused", octets=7)
            self.assertIn(verdict.code, {425, 426})
            self.assertTrue(verdict.text.isprintable())
            self.assertNotIn("{", verdict.text)
            self.assertTrue(set(verdict.text) <= set(string.printable))

    def test_particulars(self) -> None:
        """The text names what the administrator of a firewall must know."""
        verdict = Verdict(Cause.NEVER_ARRIVED, port=50003, seconds=30.0, range="50000-50100")
        self.assertEqual(425, verdict.code)
        self.assertEqual(
            "No connection reached port 50003 within 30 s: a firewall or NAT probably blocks the passive ports 50000-50100.", verdict.text
        )

    def test_braces_in_particulars(self) -> None:
        """What others wrote is shown as it is."""
        self.assertIn("({port})", Verdict(Cause.CONNECT_FAILED, reason="{port}").text)
