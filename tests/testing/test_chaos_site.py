"""Each fault of a whole site and of its TLS, as ftplib sees it."""

from __future__ import annotations

import io
import ssl
from ftplib import FTP_TLS, error_perm, error_temp
from time import monotonic

from tests.testing.support import CONTENT, ResumingFTP, SitesCase
from twistftp.testing import chaos


class MissingTests(SitesCase):
    """What a site does not have."""

    def test_no_epsv(self) -> None:
        client = self.client(self.serve("no_epsv"))
        self.assertNotIn("EPSV", client.sendcmd("FEAT"))
        for line in ("EPSV", "EPRT |1|127.0.0.1|2000|"):
            self.assertRaisesRegex(error_perm, "^502", client.sendcmd, line)
        self.assertEqual(CONTENT, self.fetch(client))

    def test_no_mlsd(self) -> None:
        client = self.client(self.serve("no_mlsd"))
        self.assertNotIn("MLST", client.sendcmd("FEAT"))
        self.assertRaisesRegex(error_perm, "^502", list, client.mlsd())
        self.assertEqual(["a.bin"], client.nlst())

    def test_no_commands(self) -> None:
        client = self.client(self.serve(chaos.no_commands(["SIZE", "rest"]), chaos.no_commands("MDTM")))
        for line in ("SIZE a.bin", "REST 1", "MDTM a.bin"):
            self.assertRaisesRegex(error_perm, "^502", client.sendcmd, line)

    def test_no_utf8(self) -> None:
        client = self.client(self.serve("no_utf8"))
        features = client.sendcmd("FEAT")
        self.assertNotIn("UTF8", features)
        self.assertIn("TVFS", features)
        self.assertRaisesRegex(error_perm, "^501", client.sendcmd, "OPTS UTF8 ON")
        self.assertEqual("200", client.sendcmd("OPTS MLST type;")[:3])
        self.assertEqual("200", self.client(self.serve()).sendcmd("OPTS UTF8 ON")[:3])

    def test_ms_dos_listing(self) -> None:
        client = self.client(self.serve("ms_dos_listing"))
        lines: list[str] = []
        client.retrlines("LIST", lines.append)
        self.assertRegex(lines[0], r"^\d\d-\d\d-\d\d  \d\d:\d\d[AP]M +5120 a\.bin$")
        self.assertEqual("215 Windows_NT", client.sendcmd("SYST"))
        self.assertRaisesRegex(error_perm, "^502", list, client.mlsd())

    def test_connection_limit(self) -> None:
        site = self.serve(chaos.connection_limit(1))
        first = self.client(site)
        self.assertRaisesRegex(error_temp, "^421", self.connect, site)
        first.quit()
        site.wait_until_empty()
        self.client(site)

    def test_slow_data(self) -> None:
        client = self.client(self.serve(chaos.slow_data(20_000), files={"a.bin": bytes(40_000)}))
        begun = monotonic()
        self.assertEqual(bytes(40_000), self.fetch(client))
        self.assertGreater(monotonic() - begun, 0.5)


class TLSTests(SitesCase):
    """What is wrong with TLS."""

    def has_resumed(self, *faults: object) -> bool:
        client = self.client(self.serve(*faults, tls=True), ResumingFTP)
        connection = self.begin(client)
        self.assertEqual(CONTENT, self.exactly(connection, len(CONTENT)))
        return bool(connection.session_reused)

    def test_no_resumption(self) -> None:
        """A data connection that wants to resume the session cannot, and is served all the same."""
        self.assertTrue(self.has_resumed())
        self.assertFalse(self.has_resumed("no_resumption"))

    def test_require_resumption(self) -> None:
        """Who does not resume is told so, who does is served."""
        site = self.serve("require_resumption", tls=True)
        self.assertRaisesRegex((error_perm, OSError), "^522|reset|EOF|pipe", self.fetch, self.client(site, FTP_TLS))
        site.wait_until_idle()
        self.assertIn("RETR a.bin -> 522", "\n".join(site.log))
        self.assertEqual(CONTENT, self.fetch(self.client(site, ResumingFTP)))
        self.assertEqual([False, True], [session.has_resumed for session in site.sessions])

    def test_wrong_certificate(self) -> None:
        """Three ways of being wrong, and the right one."""
        reasons = {"name": "mismatch", "expired": "expired", "untrusted": "self-signed certificate in certificate chain"}
        for kind, reason in reasons.items():
            site = self.serve(chaos.wrong_certificate(kind), tls=True)
            with self.assertRaises(ssl.SSLCertVerificationError) as caught:
                self.client(site)
            self.assertIn(reason, caught.exception.verify_message + str(caught.exception))
            site.use_chaos()
            self.assertEqual(CONTENT, self.fetch(self.client(site)))

    def test_faults_of_tls_need_it(self) -> None:
        """A site without TLS cannot have them."""
        for fault in ("no_resumption", "require_resumption", "wrong_certificate", "truncated_tls"):
            self.assertRaisesRegex(ValueError, f"^{fault} needs a site with tls=$", self.serve, fault)


class UploadTests(SitesCase):
    """Faults are for a site in a directory as for one in memory."""

    def test_on_disk(self) -> None:
        site = self.serve(chaos.disk_full_at(1000, times=1), on_disk=True)
        client = self.client(site)
        connection = self.begin(client, "STOR b.bin")
        connection.sendall(CONTENT)
        self.assertRaisesRegex(error_temp, "^452", client.voidresp)
        client.storbinary("STOR b.bin", io.BytesIO(CONTENT))
        self.assertEqual({"a.bin": CONTENT, "b.bin": CONTENT}, dict(site.files))
