"""Tests of ``cli.doctor.certificate``: what a certificate says, and whose it is."""

from __future__ import annotations

from datetime import UTC, datetime

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.doctor import authority
from twistftp.cli.doctor.certificate import examined
from twistftp.cli.doctor.seen import Certificate
from twistftp.cli.doctor.target import Target

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def look(certificate: trustme.LeafCert, host: str) -> Certificate:
    der = x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes()).public_bytes(Encoding.DER)
    return examined(der, Target("ftpes", host, 21), NOW)


class CertificateTests(SynchronousTestCase):
    """``examined``."""

    def test_names(self) -> None:
        """Whose it is: exact names, a wildcard for one label, addresses; the common name does not count (RFC 9525 §6.3)."""
        own = authority().own.issue_cert("ftp.example.org", "*.example.net", "192.0.2.7", "2001:db8::7", common_name="cn.example.org")
        for host in ("ftp.example.org", "FTP.example.org", "ftp.example.org.", "a.example.net", "192.0.2.7", "2001:db8::7", "2001:db8:0::7%eth0"):
            self.assertEqual("", look(own, host).name_error, host)
        for host in ("example.org", "cn.example.org", "a.b.example.net", "example.net", "192.0.2.8", "2001:db8::8"):
            self.assertIn("is not valid for", look(own, host).name_error, host)
        self.assertEqual(("ftp.example.org", "*.example.net", "192.0.2.7", "2001:db8::7"), look(own, "h").names)
        self.assertEqual("cn.example.org", look(own, "h").subject)

    def test_time(self) -> None:
        """Whole days that are left; less than none once it has expired."""
        issue = authority().own.issue_cert
        for until, days in ((datetime(2026, 12, 23, 13, tzinfo=UTC), 30), (datetime(2026, 11, 23, 11, tzinfo=UTC), -1), (NOW, 0)):
            certificate = issue("h", not_before=datetime(2026, 1, 1, tzinfo=UTC), not_after=until)
            self.assertEqual((until, days), (look(certificate, "h").not_after, look(certificate, "h").days_left))

    @given(st.binary(max_size=200))
    def test_garbage(self, octets: bytes) -> None:
        """What is no certificate is a ValueError."""
        self.assertRaises(ValueError, examined, octets, Target("ftps", "h", 990), NOW)
