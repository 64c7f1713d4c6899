"""Tests of ``twistftp.transport.tls``."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.tls import (
    NAME,
    TLS12,
    VERSIONS,
    Link,
    TLSClient,
    authority,
    authority_file,
    begin_on,
    client_context,
    files,
    site_tls,
    tls_settings,
    write_files,
)
from twistftp.policy.tls import TLSSettings
from twistftp.transport import tls
from twistftp.transport.tls import SiteTLS


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(site: SiteTLS, name: str = NAME, version: Any = None, trust: trustme.CA | None = None, for_name: Any = None) -> bytes:
    """The certificate that a new connection shows, in DER."""
    context = client_context(version)
    if trust is not None:
        trust.configure_trust(context)
    link = Link(begin_on(site, for_name=for_name), TLSClient(context, name=name)).shake_hands()
    if not link.client.is_secure:
        raise AssertionError(link.client.error)
    octets: bytes = link.client.ssl.getpeercert(True)
    return octets


def der(issued: trustme.LeafCert) -> bytes:
    """A certificate in DER."""
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


class ReloadTests(SynchronousTestCase):
    """P-TLS-8: certificate and key are read again when their files change."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.old = authority().issue_cert(NAME)
        certificate, key = files(self, self.old)
        self.directory = Path(certificate).parent
        self.site = SiteTLS(TLSSettings(certificate=certificate, private_key=key), clock=self.clock)

    def later(self, seconds: float = 1.0) -> list[tuple[Any, str]]:
        """Some time passes and a client comes: what is logged."""
        self.clock.now += seconds
        with capturedLogs() as events:
            self.site.refresh()
        return [(event["log_level"], formatEvent(event)) for event in events]

    def touch(self) -> None:
        """See that a change shows, however coarse the file system's clock."""
        for name in ("cert.pem", "key.pem"):
            path = self.directory / name
            if path.exists():
                stamp = path.stat().st_mtime_ns + 10**9
                os.utime(path, ns=(stamp, stamp))

    def test_changed(self) -> None:
        """New connections get the new one, one line tells its fingerprint; those that are open go on."""
        link = Link(begin_on(self.site)).shake_hands()
        new = authority().issue_cert(NAME)
        write_files(self.directory, new)
        self.touch()
        events = self.later()
        self.assertEqual(1, len(events))
        self.assertIn(f"fingerprint {self.site.identity.fingerprint}", events[0][1])
        self.assertEqual(der(new), shown(self.site))
        link.say(b"still here")
        self.assertEqual(b"still here", link.upper.octets)
        self.assertEqual([], self.later())

    def test_a_new_session_after_a_change(self) -> None:
        """A session that began before shows the new certificate on its next data connection, and its tickets still work."""
        context = self.site.session_context()
        first = TLSClient()
        Link(lambda octets: self._fed(self.site.full(context, is_data=False), octets), first).shake_hands()
        new = authority().issue_cert(NAME)
        write_files(self.directory, new)
        self.touch()
        self.later()
        second = TLSClient()
        Link(lambda octets: self._fed(self.site.full(context, is_data=True), octets), second).shake_hands()
        self.assertEqual(der(new), second.ssl.getpeercert(True))

    def _fed(self, connection: Any, octets: bytes) -> Any:
        connection.bio_write(octets)
        return connection

    def test_looked_at_once_a_second(self) -> None:
        """Not more often: a busy server does not look at files all the time."""
        write_files(self.directory, authority().issue_cert(NAME))
        self.touch()
        self.assertEqual([], self.later(0.5))
        self.assertEqual(1, len(self.later(0.5)))

    def test_not_changed(self) -> None:
        """Nothing is read, nothing is said."""
        self.patch(tls, "load_identity", lambda *paths: self.fail("read"))
        self.assertEqual([], self.later())

    def test_broken(self) -> None:
        """A pair that cannot be used is logged once, as an error that says why; the old one stays; the next good one is taken."""
        (self.directory / "cert.pem").write_text("nothing")
        self.touch()
        [(level, line)] = self.later()
        self.assertEqual(LogLevel.error, level)
        self.assertIn("so the old certificate stays", line)
        self.assertIn("holds no certificate in PEM form", line)
        self.assertEqual([], self.later())
        self.assertEqual(der(self.old), shown(self.site))
        new = authority().issue_cert(NAME)
        write_files(self.directory, new)
        self.touch()
        self.assertEqual(1, len(self.later()))
        self.assertEqual(der(new), shown(self.site))

    def test_half_written(self) -> None:
        """A new certificate whose key has not come yet is such a pair; when the key comes, both are taken."""
        new = authority().issue_cert(NAME)
        old_key = (self.directory / "key.pem").read_bytes()
        write_files(self.directory, new)
        new_key = (self.directory / "key.pem").read_bytes()
        (self.directory / "key.pem").write_bytes(old_key)
        self.touch()
        [(_, line)] = self.later()
        self.assertIn("does not belong to the certificate", line)
        self.assertEqual(der(self.old), shown(self.site))
        (self.directory / "key.pem").write_bytes(new_key)
        self.touch()
        self.later()
        self.assertEqual(der(new), shown(self.site))

    def test_gone(self) -> None:
        """Files that are away for a while are no reason to stop serving."""
        (self.directory / "cert.pem").unlink()
        [(level, line)] = self.later()
        self.assertEqual((LogLevel.error, True), (level, "No such file or directory" in line))
        self.assertEqual([], self.later())
        self.assertEqual(der(self.old), shown(self.site))

    def test_not_permitted(self) -> None:
        """CONTRACT: a re-read that the serving user may not do is logged with the cure, and the old one stays."""

        def denied(*paths: str) -> None:
            raise PermissionError(13, "Permission denied", paths[1])

        self.patch(tls, "load_identity", denied)
        self.touch()
        [(level, line)] = self.later()
        self.assertEqual(LogLevel.error, level)
        self.assertIn("key.pem has changed and the serving user may not read it", line)
        self.assertIn("let that user read it, or restart", line)
        self.assertEqual(der(self.old), shown(self.site))

    def test_self_signed(self) -> None:
        """One that was made here stays as it is."""
        site = SiteTLS(TLSSettings(self_signed=True), [NAME], clock=self.clock)
        fingerprint = site.identity.fingerprint
        self.clock.now += 100
        site.refresh()
        self.assertEqual(fingerprint, site.identity.fingerprint)

    def test_expiry(self) -> None:
        """One that ends soon, or has ended, is warned of by its file; one that is good is not."""
        self.assertEqual("", self.site.trouble())
        for days, words in ((10, "expires on"), (-1, "has expired on")):
            issued = authority().issue_cert(NAME, not_before=datetime(2020, 1, 1), not_after=datetime.now(UTC) + timedelta(days=days, hours=1))
            write_files(self.directory, issued)
            self.touch()
            (_, said), (level, warned) = self.later()
            self.assertIn("were read again", said)
            self.assertEqual(LogLevel.warn, level)
            self.assertTrue(warned.startswith(f"certificate {self.directory / 'cert.pem'} {words}"), warned)


class StartTests(SynchronousTestCase):
    def test_refusals(self) -> None:
        """What cannot be used stops the start: certificate, key, client CA."""
        certificate, key = files(self)
        for settings in (TLSSettings(certificate=key, private_key=key), TLSSettings(certificate=certificate, private_key=certificate)):
            self.assertRaises(ValueError, SiteTLS, settings)
        self.assertRaises(OSError, SiteTLS, TLSSettings(certificate="/nowhere", private_key=key))
        self.assertRaises(ValueError, site_tls, self, client_certificates="allow", client_ca=key)


class VersionTests(SynchronousTestCase):
    """P-TLS-1, P-TLS-2."""

    def connect(self, site: SiteTLS, context: ssl.SSLContext) -> Link:
        return Link(begin_on(site), TLSClient(context)).shake_hands()

    def old(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        return client_context(version, least=ssl.TLSVersion.TLSv1)

    def test_versions(self) -> None:
        """P-TLS-1: 1.2 and 1.3 work, 1.1 and 1.0 are refused, with a reason that names the version."""
        site = site_tls(self)
        for version, name in zip(VERSIONS, ("TLSv1.2", "TLSv1.3"), strict=True):
            self.assertEqual(name, self.connect(site, client_context(version)).client.ssl.version())
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            link = self.connect(site, self.old(version))
            self.assertFalse(link.client.is_secure)
            self.assertIn("protocol", link.failed[0])

    def test_lowered(self) -> None:
        """P-TLS-1: for old cameras the minimum can be lowered; modern ones get TLS 1.3 all the same."""
        site = site_tls(self, minimum_version="1.0")
        for version, name in ((ssl.TLSVersion.TLSv1, "TLSv1"), (ssl.TLSVersion.TLSv1_1, "TLSv1.1"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            self.assertEqual(name, self.connect(site, self.old(version)).client.ssl.version())

    def test_raised(self) -> None:
        """TLS 1.3 alone."""
        site = site_tls(self, minimum_version="1.3")
        self.assertFalse(self.connect(site, client_context(TLS12)).client.is_secure)
        self.assertTrue(self.connect(site, client_context()).client.is_secure)

    def test_ciphers(self) -> None:
        """P-TLS-2: forward secrecy and AEAD, for keys of both kinds; the server chooses."""
        for kind in (trustme.KeyType.RSA, trustme.KeyType.ECDSA):
            certificate, key = files(self, authority().issue_cert(NAME, key_type=kind))
            site = SiteTLS(TLSSettings(certificate=certificate, private_key=key))
            context = client_context(TLS12)
            self.assertRegex(self.connect(site, context).client.ssl.cipher()[0], f"^ECDHE-{kind.name}-AES128-GCM")  # type: ignore[index]
            context.set_ciphers("ALL:!AESGCM:!CHACHA20:!AESCCM:!ARIAGCM:@SECLEVEL=0")
            self.assertFalse(self.connect(site, context).client.is_secure)
            context.set_ciphers("kRSA:DHE:@SECLEVEL=0")
            self.assertFalse(self.connect(site, context).client.is_secure)
            context.set_ciphers("ECDHE+CHACHA20:ECDHE+AESGCM")
            self.assertIn("AES128-GCM", self.connect(site, context).client.ssl.cipher()[0])  # type: ignore[index]

    def test_chain(self) -> None:
        """The chain behind the certificate is sent: clients know the root alone."""
        root = trustme.CA()
        issued = root.create_child_ca().issue_cert(NAME)
        certificate, key = files(self, issued)
        self.assertEqual(der(issued), shown(SiteTLS(TLSSettings(certificate=certificate, private_key=key)), trust=root))

    def test_no_renegotiation(self) -> None:
        """P-TLS-3: a client that wants to shake hands again under TLS 1.2 is told no, and nothing else comes of it."""
        site = site_tls(self)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        client = SSL.Connection(context, None)
        client.set_connect_state()
        link = Link(begin_on(site))

        def carry() -> None:
            """Octets both ways until nobody has any."""
            for _ in range(4):
                for act in (client.do_handshake, lambda: link.push(client.bio_read(1 << 16)), lambda: client.bio_write(link.below.taken())):
                    try:
                        act()
                    except SSL.Error:  # nothing to read or to write
                        pass

        carry()
        self.assertTrue(link.secure.is_secure)
        self.assertTrue(client.renegotiate())
        carry()
        self.assertEqual((0, []), (link.secured[0].total_renegotiations(), link.below.events))
        link.secure.write(b"x")
        client.bio_write(link.below.taken())
        self.assertIn("no renegotiation", str(self.assertRaises(SSL.Error, client.recv, 100)))


class ProtocolTests(SynchronousTestCase):
    """P-TLS-4, P-TLS-5, P-TW-6, P-SEC-14: ALPN."""

    def test_chosen(self) -> None:
        """None is accepted; ``ftp`` is chosen wherever it stands, ``ftp-data`` where it stands alone."""
        site = site_tls(self)
        for version in VERSIONS:
            for offered, chosen in (
                ((), None),
                (("ftp",), "ftp"),
                (("x-filezilla-ftp", "ftp"), "ftp"),
                (("http/1.1", "ftp-data"), "ftp-data"),
                (("ftp-data", "ftp"), "ftp"),
            ):
                link = Link(begin_on(site), TLSClient(client_context(version, alpn=offered))).shake_hands()
                self.assertEqual((True, chosen), (link.secure.is_secure, link.client.ssl.selected_alpn_protocol()), offered)

    def test_refused(self) -> None:
        """Whoever speaks other protocols alone gets the alert that is there for it, and the reason is told."""
        site = site_tls(self)
        for version in VERSIONS:
            for offered in (("h2", "http/1.1"), ("imap",), ("ftpx",), ("xftp",), ("FTP",)):
                link = Link(begin_on(site), TLSClient(client_context(version, alpn=offered))).shake_hands()
                self.assertIn("NO_APPLICATION_PROTOCOL", str(link.client.error).upper().replace(" ", "_"))
                self.assertEqual(["the client offers no ALPN protocol of FTP"], link.failed)


class NameTests(SynchronousTestCase):
    """P-TLS-6: SNI."""

    def test_sites(self) -> None:
        """The name picks another site's certificate; one that nobody has gets the first."""
        other = authority().issue_cert("other.example.org")
        certificate, key = files(self, other)
        one, two = site_tls(self), SiteTLS(TLSSettings(certificate=certificate, private_key=key))
        asked: list[str] = []

        def for_name(name: str) -> SiteTLS | None:
            asked.append(name)
            return {"other.example.org": two, NAME: one}.get(name)

        for version in VERSIONS:
            self.assertEqual(der(other), shown(one, "other.example.org", version, for_name=for_name))
            self.assertNotEqual(der(other), shown(one, NAME, version, for_name=for_name))
        self.assertEqual(["other.example.org", NAME] * 2, asked)
        self.assertIsNotNone(Link(begin_on(one, for_name=for_name), TLSClient(name="third.example.org")).shake_hands().client.error)


class ClientCertificateTests(SynchronousTestCase):
    """P-TLS-7, P-TD-10."""

    def connect(self, site: SiteTLS, identity: trustme.LeafCert | None, version: Any, is_data: bool = False) -> Link:
        return Link(begin_on(site, is_data=is_data), TLSClient(client_context(version, identity=identity))).shake_hands()

    def test_asked_for(self) -> None:
        """Ignored, allowed, required: who gets through with none, with a good one, and with one of somebody else's authority."""
        good, foreign = authority().issue_cert("alice@example.org"), trustme.CA().issue_cert("alice@example.org")
        for mode, through in (("ignore", (True, True, True)), ("allow", (True, True, False)), ("require", (False, True, False))):
            options = {} if mode == "ignore" else {"client_ca": authority_file(self)}
            site = site_tls(self, client_certificates=mode, **options)
            for version in VERSIONS:
                links = [self.connect(site, identity, version) for identity in (None, good, foreign)]
                self.assertEqual(through, tuple(link.secure.is_secure for link in links), (mode, version))
                self.assertEqual(through, tuple(not link.failed for link in links))
                shows = links[1].secured[0].get_peer_certificate() is not None
                self.assertEqual(mode != "ignore", shows)

    def test_data(self) -> None:
        """P-TD-10: a data connection need not show it again; a bad one is refused there, too."""
        site = site_tls(self, client_certificates="require", client_ca=authority_file(self))
        for version in VERSIONS:
            self.assertTrue(self.connect(site, None, version, is_data=True).secure.is_secure)
            self.assertFalse(self.connect(site, trustme.CA().issue_cert("x@example.org"), version, is_data=True).secure.is_secure)


class SettingsTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """The settings are there for whoever asks."""
        settings = tls_settings(self, session="require")
        self.assertIs(settings, SiteTLS(settings).settings)
