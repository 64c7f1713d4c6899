"""Tests of ``cli.check``."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from twistftp.accounts.hashing import hash_password
from twistftp.cli import main
from twistftp.configuration import load
from twistftp.dynamic import dynamic_range
from twistftp.policy.traps import traps


class CheckTests(SynchronousTestCase):
    """``twistftp check``."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        (self.directory / "pub").mkdir(parents=True)
        self.patch(importlib.import_module("twistftp.cli.check"), "cautions", lambda *_: ())  # they have tests of their own

    def check(self, text: str) -> Result:
        self.path = str(self.directory / "ftp.toml")
        Path(self.path).write_text(text, "utf-8")
        return CliRunner().invoke(main, ["check", self.path])

    def test_good(self) -> None:
        """A file without traps: what each site does, no warning, status 0."""
        result = self.check('[[site]]\nname = "Mirror"\nroot = "pub"\n')
        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn("site 'Mirror'\n", result.output)
        self.assertNotIn("warning", result.output)

    def test_traps(self) -> None:
        """Traps are warnings: all of them are shown, and the status stays 0."""
        result = self.check('[[site]]\nroot = "pub"\naddress = "127.0.0.1"\n[site.firewall_support]\nexternal_address = "192.168.1.7"\n')
        self.assertEqual(0, result.exit_code, result.output)
        expected = traps(load(self.path), dynamic_range())
        self.assertEqual([f"warning: {trap}" for trap in expected], [line for line in result.output.splitlines() if line.startswith("warning: ")])
        self.assertIn("192.168.1.7", "".join(expected))
        self.assertIn("remote clients cannot reach this", result.output)

    def test_users_file(self) -> None:
        """How many users it has; a line that breaks a rule; and that others can read it, or clients fetch it."""
        section = "[[site]]\nroot = 'pub'\n[site.authentication]\nusers_file = '{}'\n"
        encoded = hash_password(b"secret")
        users = self.directory.absolute() / "users"
        users.write_text(f"alice:{encoded}\nbob:{encoded}\n")
        users.chmod(0o600)
        result = self.check(section.format("users"))
        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn(f"users with names log in by the users file {users} (2 users) and may write\n", result.output)
        self.assertNotIn("warning", result.output)
        users.chmod(0o644)
        self.assertIn(f"warning: users file {users} may be read by everybody on this machine", self.check(section.format("users")).output)
        users.rename(self.directory / "pub" / "users")
        self.assertIn("pub/users lies in the content root of site 'twistftp': clients can fetch", self.check(section.format("pub/users")).output)
        users.write_text("alice\n")
        result = self.check(section.format("users"))
        line = f'twistftp check: {self.path}: [site.authentication] users_file = "users": line 1: must be NAME:HASH\n'
        self.assertEqual((1, line), (result.exit_code, result.output))

    def test_certificate(self) -> None:
        """P-TLS-8: a certificate that ends soon is warned of; files that are not there or do not belong together are refused."""
        section = "[[site]]\nroot = 'pub'\n[site.tls]\ncertificate = 'cert.pem'\nprivate_key = 'key.pem'\n"
        result = self.check(section)
        line = f'twistftp check: {self.path}: [site.tls] certificate = "{self.directory.absolute() / "cert.pem"}": no such file or directory\n'
        self.assertEqual((1, line), (result.exit_code, result.output))
        authority, now = trustme.CA(), datetime.now(UTC)
        for days, words in ((400, ""), (10, "expires on"), (-1, "has expired on")):
            issued = authority.issue_cert("ftp.example.org", not_after=now + timedelta(days=days, hours=1))
            issued.cert_chain_pems[0].write_to_path(str(self.directory / "cert.pem"))
            issued.private_key_pem.write_to_path(str(self.directory / "key.pem"))
            result = self.check(section)
            self.assertEqual(0, result.exit_code, result.output)
            self.assertEqual(bool(words), "warning: certificate" in result.output)
            self.assertIn(words, result.output)
        authority.issue_cert("x").private_key_pem.write_to_path(str(self.directory / "key.pem"))
        result = self.check(section)
        certificate, key = (self.directory.absolute() / name for name in ("cert.pem", "key.pem"))
        line = f'[site.tls] private_key = "{key}": the private key {key} does not belong to the certificate {certificate}\n'
        self.assertEqual((1, f"twistftp check: {self.path}: {line}"), (result.exit_code, result.output))
        (self.directory / "key.pem").write_text("no key")
        self.assertIn(f'[site.tls] private_key = "{key}": holds no private key in PEM form\n', self.check(section).output)
        (self.directory / "cert.pem").write_text("no certificate")
        self.assertIn(f'[site.tls] certificate = "{certificate}": holds no certificate in PEM form\n', self.check(section).output)

    def test_bad(self) -> None:
        """What the server would refuse is refused with the same line, and status 1."""
        for text, words in (
            ('[[site]]\nroot = "nowhere"\n', "no such directory"),
            ('[[site]]\nroot = "pub"\nport = "21"\n', "must be a whole number"),
            ("", "has no [[site]]"),
            ("[[site]\n", "not valid TOML"),
        ):
            result = self.check(text)
            self.assertEqual(1, result.exit_code, text)
            self.assertTrue(result.output.startswith(f"twistftp check: {self.path}: "), result.output)
            self.assertIn(words, result.output)
            self.assertEqual(1, result.output.count("\n"))

    def test_no_file(self) -> None:
        """A missing file, too."""
        result = CliRunner().invoke(main, ["check", "/does/not/exist"])
        self.assertEqual((1, "twistftp check: /does/not/exist: no such file or directory\n"), (result.exit_code, result.output))
