"""What metrics and ``twistftp status`` say of TLS, and of the time to a data connection: real clients, real handshakes."""

from __future__ import annotations

import ftplib
import io
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from twisted.internet.threads import deferToThread

from tests.support.running import PATIENCE, RunningSite, SiteCase, until
from twistftp.cli.screen import status_lines
from twistftp.metrics import METRICS
from twistftp.reporting import sessions, status
from twistftp.site import FTPSite


class Source:
    """A running site as reports see it."""

    started = 0.0
    is_draining = False
    delayed_calls = 0

    def __init__(self, running: RunningSite) -> None:
        self._running, self.pool = running, running.site.pool
        self.latencies: dict[str, Any] = {}

    def sites(self) -> Iterator[tuple[FTPSite, str]]:
        yield self._running.site, "port 21"

    def lost_lines(self) -> Iterator[tuple[str, int]]:
        return iter(())


class ResumingFTP(ftplib.FTP_TLS):
    """Data connections resume the control connection's session, as RFC 4217 §10.2 likes it."""

    def ntransfercmd(self, cmd: str, rest: Any = None) -> Any:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        return self.context.wrap_socket(connection, session=self.sock.session), size  # type: ignore[union-attr]


class TLSTests(SiteCase):
    """Handshakes of all kinds."""

    def client(self, running: RunningSite, kind: Any = ftplib.FTP_TLS) -> Any:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        ftp = kind(context=context, timeout=PATIENCE)
        ftp.connect(running.address, running.port)
        ftp.login()
        ftp.prot_p()
        return ftp

    def values(self, running: RunningSite) -> dict[tuple[str, ...], float]:
        """The values of the metrics of TLS that are not 0."""
        names = ("twistftp_tls", "twistftp_pool_shared", "twistftp_pool_unproven")
        source = Source(running)
        return {
            (metric.name.removeprefix("twistftp_"), *labels[1:]): value
            for metric in METRICS
            if metric.name.startswith(names)
            for labels, value in metric.read(source)
            if value
        }

    def garble(self, running: RunningSite) -> None:
        """A client that says AUTH TLS and then something else than TLS."""
        with socket.create_connection((running.address, running.port), PATIENCE) as plain:
            plain.recv(1000)
            plain.sendall(b"AUTH TLS\r\n")
            plain.recv(1000)
            plain.sendall(b"this is no ClientHello at all\r\n")
            while plain.recv(1000):
                pass

    async def test_counts(self) -> None:
        """Control handshakes by version and result, data handshakes by what they resume, sessions in TLS now."""
        running = await self.serve({"f": b"hello"}, tls={"self_signed": True, "session": "off"})

        def visit() -> None:
            with self.client(running) as ftp:
                ftp.retrbinary("RETR f", lambda _: None)
                with self.client(running, ResumingFTP) as other:
                    other.retrbinary("RETR f", lambda _: None)
                    self.now = self.values(running)
                    self.answer = json.loads(json.dumps(status(Source(running), 5.0)))
                    self.sessions = sessions(Source(running))
            self.garble(running)

        await deferToThread(visit)
        await until(lambda: ("tls_handshakes", "none", "failure") in self.values(running), "the failure is counted")
        handshakes = {("tls_handshakes", "TLSv1.2", "success"): 2, ("tls_data_handshakes", "full"): 1, ("tls_data_handshakes", "resumed"): 1}
        self.assertEqual({("tls_sessions",): 2, **handshakes}, self.now)
        await until(lambda: ("tls_sessions",) not in self.values(running), "both have gone")
        self.assertEqual({("tls_handshakes", "none", "failure"): 1, **handshakes}, self.values(running))
        tls = self.answer["sites"][0]["tls"]
        expected = {"sessions": 2, "handshakes": {"TLSv1.2 success": 2}, "data_handshakes": {"full": 1, "resumed": 1}, "trouble": ""}
        self.assertEqual(expected, {key: tls[key] for key in expected})
        lines = status_lines(self.answer)
        expires = running.site.tls.identity.expires  # type: ignore[union-attr]
        self.assertIn(f"  TLS          2 sessions now; certificate until {expires:%Y-%m-%d %H:%M} UTC", lines)
        self.assertIn("    handshakes 2 TLSv1.2 success; data connections: 1 full, 1 resumed", lines)
        self.assertEqual(["TLSv1.2 ECDHE"] * 2, [one["tls"][:13] for one in self.sessions])

    async def test_refused(self) -> None:
        """A data connection that had to resume and did not."""
        running = await self.serve({"f": b"hello"}, tls={"self_signed": True, "session": "require"})

        def visit() -> None:
            with self.client(running) as ftp, self.assertRaises((ftplib.Error, OSError)):
                ftp.retrbinary("RETR f", lambda _: None)

        await deferToThread(visit)
        self.assertEqual(1, self.values(running)["tls_data_handshakes", "refused"])

    def expiry(self, running: RunningSite) -> list[Any]:
        (metric,) = (one for one in METRICS if one.name == "twistftp_certificate_expiry_timestamp_seconds")
        return list(metric.read(Source(running)))

    async def test_certificate(self) -> None:
        """When it ends."""
        running = await self.serve(tls={"self_signed": True})
        expires = running.site.tls.identity.expires.timestamp()  # type: ignore[union-attr]
        self.assertEqual([(("twistftp",), expires)], self.expiry(running))

    async def test_without(self) -> None:
        """A site without a certificate has no series of handshakes and none of an end, and status says nothing of TLS."""
        running = await self.serve()
        self.assertEqual([], self.expiry(running))
        found = [metric.name for metric in METRICS if metric.name.startswith("twistftp_tls") and list(metric.read(Source(running)))]
        self.assertEqual(["twistftp_tls_sessions"], found)
        self.assertEqual([], [line for line in status_lines(status(Source(running), 5.0)) if line.startswith("  TLS ")])

    async def test_arrivals(self) -> None:
        """Each passive data connection that came is in the histogram, and none that did not."""
        running = await self.serve({"f": b"hello"})

        def visit() -> None:
            with ftplib.FTP(timeout=PATIENCE) as ftp:
                ftp.connect(running.address, running.port)
                ftp.login()
                for _ in range(3):
                    ftp.retrbinary("RETR f", io.BytesIO().write)
                ftp.makepasv()

        await deferToThread(visit)
        arrivals = running.site.pool.counters.arrivals
        self.assertEqual(3, sum(arrivals.counts))
        self.assertLess(arrivals.seconds, PATIENCE)
