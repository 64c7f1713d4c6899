"""``twistd ftpsite`` with a certificate: what it says at the start, what clients see, and a certificate that is renewed."""

from __future__ import annotations

import ftplib
import hashlib
import os
import ssl
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.tls import authority, client_context, write_files
from tests.support.twistd import PATIENCE, Twistd


class TwistdTests(SynchronousTestCase):
    """One server each; a client asks it for its certificate."""

    timeout = PATIENCE

    def setUp(self) -> None:
        self.here = Path(self.mktemp()).absolute()
        (self.here / "pub").mkdir(parents=True)
        (self.here / "pub" / "file").write_bytes(b"hello")

    def serve(self, *options: str) -> Twistd:
        return Twistd("ftpsite", "--root", "pub", "--port", "0", "--interface", "127.0.0.1", *options, directory=self.here)

    def fingerprint(self, port: int, context: ssl.SSLContext) -> str:
        """That of the certificate which a client of this site sees, after it has fetched a file."""
        with ftplib.FTP_TLS(context=context, timeout=PATIENCE) as ftp:
            ftp.connect("localhost", port)
            ftp.login()
            ftp.prot_p()
            octets: list[bytes] = []
            ftp.retrbinary("RETR file", octets.append)
            self.assertEqual([b"hello"], octets)
            assert isinstance(ftp.sock, ssl.SSLSocket)
            certificate = ftp.sock.getpeercert(True)
        assert certificate is not None
        return hashlib.sha256(certificate).digest().hex(":").upper()

    def test_self_signed(self) -> None:
        """CONTRACT §2: ``--self-signed`` makes a certificate and prints its fingerprint."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self.serve("--self-signed") as server:
            port = server.port()
            told = server.wait_for("SHA-256 fingerprint ([0-9A-F:]+)")[1]
            self.assertEqual(told, self.fingerprint(port, context))

    def test_renewed(self) -> None:
        """P-TLS-8: a certificate that is replaced on disk is shown to those who come then, without a restart; the log says which."""
        certificate, key = write_files(self.here, authority().issue_cert("localhost"))
        with self.serve("--certificate", certificate, "--private-key", key) as server:
            port = server.port()
            first = server.wait_for("SHA-256 fingerprint ([0-9A-F:]+)")[1]
            self.assertEqual(first, self.fingerprint(port, client_context()))
            write_files(self.here, authority().issue_cert("localhost"))
            stamp = time.time() + 2
            os.utime(certificate, (stamp, stamp))
            deadline = time.monotonic() + PATIENCE / 2
            while (shown := self.fingerprint(port, client_context())) == first and time.monotonic() < deadline:
                pass
            self.assertEqual(shown, server.wait_for("were read again; .* fingerprint ([0-9A-F:]+)")[1])

    def test_unusable(self) -> None:
        """A key that belongs to another certificate stops the start with one line."""
        certificate, _ = write_files(self.here, authority().issue_cert("localhost"))
        _, key = write_files(self.here / "other", authority().issue_cert("localhost"))
        with self.serve("--certificate", certificate, "--private-key", key) as server:
            self.assertEqual(1, server.end())
        self.assertIn(f"the private key {key} does not belong to the certificate {certificate}", "\n".join(server.lines))
        self.assertNotIn("Traceback", "\n".join(server.lines))
