"""Tests of ``policy.diagnosis``."""

import string

from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.diagnosis import Cause, Verdict, refused_target


class VerdictTests(SynchronousTestCase):
    """A verdict becomes a reply."""

    def test_every_cause_has_a_reply(self) -> None:
        """P-TEXT-14: each cause gives one printable line, a cure and a code of data connections; no text holds the word ``ABOR``."""
        particulars = {"range": "50000-50004", "address": "192.0.2.1", "peer": "192.0.2.2", "reason": "refused", "by": "PASV", "instead": "EPSV"}
        for cause in Cause:
            verdict = Verdict(cause, port=50000, ports=5, seconds=30, octets=7, **particulars)  # type: ignore[arg-type]
            self.assertIn(verdict.code, {425, 426, 501, 522})
            for text in (verdict.text, verdict.cure):
                self.assertTrue(text.isprintable())
                self.assertTrue(text.endswith("."))
                self.assertNotIn("{", text)
                self.assertNotIn("ABOR", text)
                self.assertTrue(set(text) <= set(string.printable))

    def test_particulars(self) -> None:
        """P-TEXT-11: the text names what the administrator of a firewall must know."""
        verdict = Verdict(Cause.NEVER_ARRIVED, port=50003, seconds=30.0, range="50000-50100")
        self.assertEqual(425, verdict.code)
        self.assertEqual(
            "No connection reached port 50003 within 30 s: a firewall or NAT probably blocks it; open TCP 50000-50100 to this server.", verdict.text
        )
        self.assertIn("Open TCP 50000-50100", verdict.cure)

    def test_braces_in_particulars(self) -> None:
        """What others wrote is shown as it is."""
        self.assertIn("({port})", Verdict(Cause.CONNECT_FAILED, reason="{port}").text)


class TargetTests(SynchronousTestCase):
    """Where a client wants the server to connect to."""

    def test_refused_target(self) -> None:
        """P-TEXT-30: a PORT that names another address than the client's; one that a NAT has hidden is told apart."""
        verdict = refused_target("PORT", "192.168.7.101", "203.0.113.1")
        self.assertEqual((Cause.PRIVATE_TARGET, 501), (verdict.cause, verdict.code))
        self.assertEqual(
            "PORT names 192.168.7.101, you come from 203.0.113.1: a NAT lies between; use passive mode, or name your own address.", verdict.text
        )
        for host, peer in (("198.51.100.7", "203.0.113.1"), ("10.0.0.1", "10.0.0.2")):
            verdict = refused_target("EPRT", host, peer)
            self.assertEqual(f"EPRT names {host}, you come from {peer}: use passive mode, or name your own address.", verdict.text)
