"""The doctor looks at a twistftp with TLS, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import trustme
from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import CHECKOUT, Twistd, environment


class DoctorTests(SynchronousTestCase):
    """Each policy, both ways to begin TLS."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        (self.folder / "pub").mkdir(parents=True)
        (self.folder / "pub" / "file").write_text("content")
        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(str(self.folder / "ca.pem"))
        issued.cert_chain_pems[0].write_to_path(str(self.folder / "cert.pem"))
        issued.private_key_pem.write_to_path(str(self.folder / "key.pem"))

    def serving(self, *options: str) -> Twistd:
        """A server with a certificate."""
        where = ("--root", "pub", "-i", "127.0.0.1", "-p", "0", "--certificate", "cert.pem", "--private-key", "key.pem")
        return Twistd("ftpsite", *where, *options, directory=self.folder)

    def doctor(self, *arguments: str) -> tuple[int, str]:
        """Its exit status and what it says."""
        command = [sys.executable, "-m", "twistftp", "doctor", *arguments]
        ended = subprocess.run(command, cwd=CHECKOUT, env=environment(), capture_output=True, text=True, timeout=60, check=False)
        return ended.returncode, ended.stdout + ended.stderr

    def test_works(self) -> None:
        """P-TD-7, P-TD-8: TLS 1.3, a certificate that is the host's, data connections that resume, where TLS and that are required, too."""
        for scheme, *options in (
            ("ftpes",),
            ("ftpes", "--tls", "require"),
            ("ftpes", "--tls", "require-credentials/require", "--tls-session", "require"),
            ("ftps", "--implicit-tls"),
        ):
            with self.serving(*options) as server:
                status, text = self.doctor(f"{scheme}://localhost:{server.port()}", "--ca", str(self.folder.absolute() / "ca.pem"))
            self.assertEqual(0, status, text)
            self.assertIn("TLSv1.3", text)
            self.assertEqual(4, text.count("TLS session resumed"), text)

    def test_does_not_work(self) -> None:
        """Without the authority the certificate is not trusted; without TLS a server that requires it says so."""
        with self.serving("--tls", "require") as server:
            port = server.port()
            status, text = self.doctor(f"ftpes://127.0.0.1:{port}")
            self.assertEqual((1, True), (status, "the certificate is not trusted" in text), text)
            status, text = self.doctor(f"ftp://127.0.0.1:{port}")
            self.assertEqual((1, True), (status, "the server wants TLS" in text), text)
