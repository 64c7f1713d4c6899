"""Tests of ``twistftp.transport.certificates``."""

from __future__ import annotations

import hashlib
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from tests.support.tls import authority, authority_file, files
from twistftp.transport.certificates import SOON, Identity, load_authorities, load_identity, make_identity

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)


class LoadTests(SynchronousTestCase):
    """A pair of PEM files."""

    def file(self, content: bytes) -> str:
        path = os.path.abspath(self.mktemp())
        Path(path).write_bytes(content)
        return path

    def refusal(self, certificate: str, key: str) -> str:
        return str(self.assertRaises(ValueError, load_identity, certificate, key))

    def test_pair(self) -> None:
        """The first certificate is the server's; those behind it are its chain."""
        authority_above = trustme.CA()
        intermediate = authority_above.create_child_ca()
        identity = load_identity(*files(self, intermediate.issue_cert("ftp.example.org")))
        self.assertEqual(1, len(identity.chain))
        self.assertEqual(identity.certificate.issuer, identity.chain[0].subject)
        self.assertEqual((), load_identity(*files(self)).chain)

    def test_fingerprint(self) -> None:
        """As ``openssl x509 -fingerprint -sha256`` writes it."""
        certificate, key = files(self)
        octets = ssl.PEM_cert_to_DER_cert(Path(certificate).read_text())
        self.assertEqual(hashlib.sha256(octets).hexdigest().upper(), load_identity(certificate, key).fingerprint.replace(":", ""))
        self.assertRegex(load_identity(certificate, key).fingerprint, r"^([0-9A-F]{2}:){31}[0-9A-F]{2}$")

    def test_in_one_file(self) -> None:
        """Certificate and key may be in the same file."""
        certificate, key = files(self)
        both = self.file(Path(certificate).read_bytes() + Path(key).read_bytes())
        self.assertEqual(load_identity(certificate, key).certificate, load_identity(both, both).certificate)

    def test_refusals(self) -> None:
        """Each fault names the file and says what is wrong; no content of a key is told."""
        certificate, key = files(self)
        other, other_key = files(self, authority().issue_cert("ftp.example.org"))
        empty, junk = self.file(b""), self.file(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        self.assertEqual(f"{empty}: holds no certificate in PEM form", self.refusal(empty, key))
        self.assertEqual(f"{junk}: holds no certificate in PEM form", self.refusal(junk, key))
        self.assertEqual(f"{key}: holds no certificate in PEM form", self.refusal(key, certificate))
        self.assertEqual(f"{certificate}: holds no private key in PEM form", self.refusal(certificate, certificate))
        self.assertEqual(f"the private key {other_key} does not belong to the certificate {certificate}", self.refusal(certificate, other_key))
        locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
        )
        told = self.refusal(other, self.file(locked))
        self.assertIn("the private key is encrypted; store it without a pass phrase", told)
        self.assertNotIn("secret", told)

    def test_missing(self) -> None:
        """A file that is not there is an ``OSError`` that names it."""
        certificate, key = files(self)
        for pair in ((certificate, "/nowhere"), ("/nowhere", key)):
            self.assertEqual("/nowhere", self.assertRaises(FileNotFoundError, load_identity, *pair).filename)

    def test_authorities(self) -> None:
        """All certificates of the file; none is refused."""
        path = authority_file(self)
        self.assertEqual(1, len(load_authorities(path)))
        self.assertEqual(2, len(load_authorities(self.file(Path(path).read_bytes() * 2))))
        self.assertRaises(ValueError, load_authorities, self.file(b"nothing"))
        self.assertRaises(OSError, load_authorities, "/nowhere")


class DateTests(SynchronousTestCase):
    """What is said about a certificate's dates."""

    def test_trouble(self) -> None:
        """Before, in good time, soon, at the end and after it."""
        identity = make_identity(["a.example"], NOW)
        end = identity.expires
        for moment, trouble in (
            (NOW - timedelta(hours=2), "is not valid before 2030-06-15 11:00 UTC"),
            (NOW, ""),
            (end - SOON - timedelta(seconds=1), ""),
            (end - SOON, f"expires on {end:%Y-%m-%d %H:%M} UTC, in 30 days; renew it"),
            (end - timedelta(hours=1), f"expires on {end:%Y-%m-%d %H:%M} UTC, in 0 days; renew it"),
            (end, f"has expired on {end:%Y-%m-%d %H:%M} UTC; clients refuse it"),
        ):
            self.assertEqual(trouble, identity.trouble(moment))


class SelfSignedTests(SynchronousTestCase):
    """``--self-signed``."""

    def names(self, identity: Identity) -> list[str]:
        found = identity.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [str(name.value) for name in found]

    def test_names(self) -> None:
        """Host names and addresses, each once, empty ones not at all, those of other scripts in ASCII."""
        identity = make_identity(["ftp.example.org", "", "192.0.2.1", "::1", "ftp.example.org", "bücher.example"], NOW)
        self.assertEqual(["ftp.example.org", "192.0.2.1", "::1", "xn--bcher-kva.example"], self.names(identity))
        self.assertEqual(["localhost"], self.names(make_identity([], NOW)))

    def test_odd_names(self) -> None:
        """A machine's own name may be no host name by the rules; that must not stop the start."""
        for name in ("my_host", "a" * 70, "a..b", ".example", "host name", "a" * 300):
            identity = make_identity([name, "localhost"], NOW)
            self.assertIn("localhost", self.names(identity))

    def test_what_it_is(self) -> None:
        """It signs itself, serves servers, is no authority, and its key is its own; valid an hour ago, for clocks differ."""
        identity = make_identity(["a.example"], NOW)
        certificate = identity.certificate
        certificate.verify_directly_issued_by(certificate)
        self.assertFalse(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        self.assertIn(ExtendedKeyUsageOID.SERVER_AUTH, certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        self.assertEqual(certificate.public_key(), identity.private_key.public_key())
        self.assertIsInstance(certificate.signature_hash_algorithm, hashes.SHA256)
        self.assertEqual(("", NOW - timedelta(hours=1)), (identity.trouble(NOW), certificate.not_valid_before_utc))
        self.assertGreater(identity.expires - NOW, timedelta(days=365))

    def test_never_the_same(self) -> None:
        """Each has a key and a number of its own."""
        one, other = make_identity(["a"], NOW), make_identity(["a"], NOW)
        self.assertNotEqual(one.fingerprint, other.fingerprint)
        self.assertNotEqual(one.certificate.serial_number, other.certificate.serial_number)
        self.assertNotEqual(one, evolve(one, certificate=other.certificate))
