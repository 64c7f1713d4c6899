"""Tests of ``metrics``: names, values, and the two pages."""

from __future__ import annotations

import tempfile
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from tests.support.observed import Observed
from twistftp.metrics import METRICS, Latencies, web_site
from twistftp.policy.diagnosis import Cause
from twistftp.policy.settings import LogonAttempts
from twistftp.session.verbs.table import VERBS
from twistftp.wire.replies import Reply


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.d = Dialogue(self, logon_attempts=LogonAttempts(delay=0))
        self.observed: Any = Observed(self.d)
        self.site = web_site(self.observed)
        self.site.startFactory()
        self.addCleanup(self.site.stopFactory)

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
        """Status, headers and body of a page."""
        transport = StringTransport()
        channel = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4000))
        channel.makeConnection(transport)
        channel.dataReceived(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = transport.value().decode().partition("\r\n\r\n")
        first, *rest = head.split("\r\n")
        return int(first.split()[1]), {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}, body

    def values(self) -> dict[tuple[str, ...], float]:
        """All samples, by name and values of labels in the order of the labels' names."""
        found = {}
        for family in text_string_to_metric_families(self.get("/metrics")[2]):
            for sample in family.samples:
                found[(sample.name, *(value for _, value in sorted(sample.labels.items())))] = sample.value
        return found


class MetricsTests(Case):
    """``/metrics``."""

    def test_values(self) -> None:
        """What has happened, by site, direction, outcome and cause."""
        d = self.d
        d.login()
        d.say("TYPE I")
        d.fetch("RETR binary")
        d.say("RETR binary")
        self.observed.pool.counters.unproven = 4
        for seconds in (0.0625, 0.1875, 70.0):
            self.observed.pool.counters.arrivals.note(seconds)
        found = self.values()
        expected = {
            ("twistftp_sessions", "twistftp"): 1,
            ("twistftp_sessions_opened_total", "twistftp"): 1,
            ("twistftp_logins_total", "success", "twistftp"): 1,
            ("twistftp_logins_total", "failure", "twistftp"): 0,
            ("twistftp_transfers_total", "download", "complete", "twistftp"): 1,
            ("twistftp_bytes_total", "download", "twistftp"): 1024,
            ("twistftp_verdicts_total", "not_set_up", "twistftp"): 1,
            ("twistftp_pool_range_ports",): 101,
            ("twistftp_pool_shared_total",): 0,
            ("twistftp_pool_unproven_total",): 4,
            ("twistftp_tls_sessions", "twistftp"): 0,
            ("twistftp_pool_arrival_seconds_bucket", "0.1"): 1,
            ("twistftp_pool_arrival_seconds_bucket", "0.5"): 2,
            ("twistftp_pool_arrival_seconds_count",): 3,
            ("twistftp_pool_arrival_seconds_sum",): 70.25,
            ("twistftp_access_log_lines_lost_total", "twistftp"): 3,
            ("twistftp_start_time_seconds",): 1000,
            ("twistftp_command_seconds_count", "login", "twistftp"): 2,
            ("twistftp_command_seconds_count", "transfer", "twistftp"): 2,
            ("twistftp_command_seconds_bucket", "transfer", "0.001", "twistftp"): 2,
            ("twistftp_command_seconds_bucket", "transfer", "+Inf", "twistftp"): 2,
        }
        self.assertEqual(expected, {key: found[key] for key in expected})

    def test_bounded(self) -> None:
        """What clients do makes no new series: labels come from closed lists and from the settings."""
        before = self.values().keys()
        self.d.login("x" * 50, "y")
        self.d.login()
        for number in range(20):
            self.d.fetch(f"RETR missing{number}")
            self.d.say(f"FOO{number}")
        self.assertEqual(before, self.values().keys())
        self.assertEqual(len(Cause), len([key for key in before if key[0] == "twistftp_verdicts_total"]))

    def test_names(self) -> None:
        """Each name is there once, begins with ours, and counters are told from others."""
        names = [metric.name for metric in METRICS]
        self.assertEqual(len(names), len(set(names)))
        for metric in METRICS:
            self.assertRegex(metric.name, r"^twistftp_[a-z_]+$")
            self.assertFalse(metric.name.endswith("_total"))
            self.assertTrue(metric.help.endswith("."))

    def test_page(self) -> None:
        """The content type is Prometheus' own; other methods and pages are refused without a traceback."""
        code, headers, body = self.get("/metrics")
        self.assertEqual(200, code)
        self.assertIn("text/plain", headers["content-type"])
        self.assertIn("# HELP twistftp_sessions Control connections.\n# TYPE twistftp_sessions gauge\n", body)
        self.assertEqual([405, 404, 404], [self.get(path, method)[0] for path, method in (("/metrics", "POST"), ("/", "GET"), ("/x/y", "GET"))])


class AbuseTests(Case):
    """Whoever reaches the port can ask for a page, and for no more than that."""

    def open(self) -> tuple[Any, StringTransport]:
        transport = StringTransport()
        channel = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4000))
        channel.makeConnection(transport)
        self.addCleanup(channel.connectionLost, Failure(ConnectionDone()))
        return channel, transport

    def test_one_page_a_connection(self) -> None:
        """Requests in a row are not answered in a row: a thousand of them would stop the server for seconds."""
        channel, transport = self.open()
        channel.dataReceived(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        self.assertEqual(1, transport.value().count(b"HTTP/1.1 200 OK"))
        self.assertIn(b"\r\nConnection: close\r\n", transport.value())
        self.assertTrue(transport.disconnecting)

    def test_no_body(self) -> None:
        """Octets behind a request are kept neither in memory nor in a file, however many are announced."""
        self.patch(tempfile, "TemporaryFile", lambda *arguments: self.fail("a file is written"))
        for head, piece in (
            (b"Content-Length: 3000000000", b"x" * 100_000),
            (b"Content-Length: 5000", b"x" * 5000),
            (b"Transfer-Encoding: chunked", b"186a0\r\n" + b"x" * 100_000 + b"\r\n"),
        ):
            for method in (b"POST", b"GET"):
                channel, transport = self.open()
                channel.dataReceived(method + b" /metrics HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
                for _ in range(3):
                    channel.dataReceived(piece)
                self.assertTrue(transport.value().startswith(b"HTTP/1.1 413 "), transport.value())
                self.assertTrue(transport.disconnecting)


class HealthTests(Case):
    """``/healthz``."""

    def test_ok(self) -> None:
        """200 while the server serves."""
        code, _, body = self.get("/healthz")
        self.assertEqual((200, "ok\n"), (code, body))

    def test_draining(self) -> None:
        """503 from when it shuts down, so that a load balancer sends nobody else."""
        self.observed.is_draining = True
        code, _, body = self.get("/healthz")
        self.assertEqual((503, "shutting down\n"), (code, body))


class LatencyTests(SynchronousTestCase):
    """The histogram."""

    def test_buckets(self) -> None:
        """A command is counted in the first bucket whose bound it does not exceed, by its class."""
        latencies = Latencies()
        ok = Reply.of(200, "OK.")
        for verb, seconds in (("PASS", 0.001), ("PASS", 0.0011), ("NOOP", 61.0), ("MLSD", 0.0), ("RETR", 60.0)):
            latencies.command(None, VERBS[verb], b"", ok, 0.0, seconds)  # type: ignore[arg-type]
        latencies.command(None, None, b"", ok, 0.0, 0.2)  # type: ignore[arg-type]
        shown = {name: [index for index, count in enumerate(row[:-1]) for _ in range(int(count))] for name, row in latencies.rows.items()}
        self.assertEqual({"login": [0, 1], "other": [4, 8], "listing": [0], "transfer": [7], "data_port": []}, shown)
        self.assertEqual(61.2, latencies.rows["other"][-1])
