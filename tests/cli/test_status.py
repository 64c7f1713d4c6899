"""Tests of ``cli.screen``, ``cli.asking`` and the options of ``cli.status``; with a server: ``tests.test_monitoring``."""

from __future__ import annotations

import io
import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from rich.console import Console
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twistftp.cli import asking
from twistftp.cli.asking import NoAnswer, ask
from twistftp.cli.command import main
from twistftp.cli.screen import sessions_table, size, status_lines, time_span
from twistftp.places import usual_places

SESSION = {
    "id": 7, "site": "s", "user": "alice", "is_logged_in": True, "client": "192.0.2.9", "program": "", "verb": "RETR", "path": "/[red]x\x1b[2J",
    "is_waiting": False, "octets": 3 << 20, "total": 5 << 20, "seconds": 3.0, "rate": 1 << 20, "idle": 0.0,
}  # fmt: skip
IDLE = SESSION | {"id": 8, "user": "", "is_logged_in": False, "verb": "", "path": "", "octets": 0, "total": None, "rate": 0, "idle": 61.0}


def shown(*arguments: Any) -> str:
    """A table as text."""
    console = Console(file=io.StringIO(), width=300)
    console.print(sessions_table(*arguments))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


class ScreenTests(SynchronousTestCase):
    """What people see."""

    def test_sessions(self) -> None:
        """Who does what, how fast, and since when nothing happens; names from clients are neither markup nor control characters."""
        text = shown([SESSION, IDLE])
        self.assertRegex(text, r"7   s +alice +192\.0\.2\.9 +RETR /\[red\]x\?\[2J \(3\.0 MiB of 5\.0 MiB\) +1\.0 MiB/s")
        self.assertRegex(text, r"8   s +\(not logged in\) +192\.0\.2\.9 +- +1 min 1 s")
        self.assertNotIn("\x1b", text)
        waiting = shown([SESSION | {"is_waiting": True}])
        self.assertIn("(waiting for the data connection)", waiting)

    def test_present_rate(self) -> None:
        """Between two looks the rate is the present one; a transfer that began meanwhile shows its mean."""
        self.assertIn("512.0 KiB/s", shown([SESSION], {7: (2 << 20, 1.0)}, 2.0))
        self.assertIn("1.0 MiB/s", shown([SESSION], {7: (9 << 20, 1.0)}, 2.0))
        self.assertIn("1.0 MiB/s", shown([SESSION], {}, 2.0))

    def test_status(self) -> None:
        """One screen: what is now, what was, and what never happened is left out."""
        pool = {"ports": "0-0", **dict.fromkeys(("open_ports", "leases", "connections", "leased", "waits", "shared", "refused"), 0)}
        pool |= {"strangers": 0, "unproven": 2, "unbindable": 0}
        site = {
            "name": "s", "root": "/srv", "where": "port 21", "sessions": 1, "transfers_under_way": 0, "sessions_total": 5, "refused": 2,
            "logins": {"success": 3}, "transfers": {"download": {"complete": 4, "failed": 0}}, "octets": {"download": 2048}, "verdicts": {},
            "tls": {
                "sessions": 1, "expires": "2027-01-02T03:04:05+00:00", "trouble": "certificate c.pem expires\x1b",
                "handshakes": {"TLSv1.3 success": 7}, "data_handshakes": {},
            },
        }  # fmt: skip
        lines = status_lines({"version": "1", "pid": 5, "is_draining": True, "uptime": 90.0, "sites": [site], "pool": pool})
        self.assertEqual("twistftp 1, process 5, shutting down for 1 min 30 s", lines[0])
        self.assertIn("    downloads  4 complete; 2.0 KiB", lines)
        self.assertIn("  data connections that failed: none", lines)
        self.assertIn("  TLS          1 sessions now; certificate until 2027-01-02 03:04 UTC", lines)
        self.assertIn("    certificate c.pem expires?", lines)
        self.assertIn("    handshakes 7 TLSv1.3 success; data connections: none", lines)
        self.assertIn("  0 connections of strangers dropped, 2 to shared ports that proved to be nobody's", lines)
        self.assertTrue(any("system's dynamic range" in line for line in lines))

    def test_workers(self) -> None:
        """Several processes are named, each with its sessions."""
        pool = {"ports": "1-2", **dict.fromkeys(("open_ports", "leases", "connections", "leased", "waits", "shared", "refused"), 0)}
        pool |= dict.fromkeys(("strangers", "unproven", "unbindable"), 0)
        workers = [{"worker": 1, "pid": 6, "sessions": 0}, {"worker": 2, "pid": 7, "sessions": 3}]
        lines = status_lines({"version": "1", "pid": 5, "is_draining": False, "uptime": 1.0, "sites": [], "pool": pool, "workers": workers})
        self.assertEqual(["  worker 1: process 6, 0 sessions", "  worker 2: process 7, 3 sessions", ""], lines[1:4])

    def test_units(self) -> None:
        """Octets and seconds for people."""
        self.assertEqual(["0 B", "1023 B", "1.0 KiB", "1.5 GiB", "2048.0 TiB"], [size(octets) for octets in (0, 1023, 1024, 1.5 * 2**30, 2**51)])
        self.assertEqual(["0 s", "1 min 0 s", "2 h 5 min", "3 d 1 h"], [time_span(seconds) for seconds in (0.9, 60, 7500, 262800)])


class AskingTests(SynchronousTestCase):
    """Where a server is looked for, and what can answer."""

    def answering(self, answer: bytes) -> str:
        """The path of a socket that gives this answer to whatever is asked."""
        if not hasattr(socket, "AF_UNIX"):
            raise SkipTest("needs Unix sockets")
        directory = tempfile.TemporaryDirectory(prefix="twistftp-")
        self.addCleanup(directory.cleanup)
        path = str(Path(directory.name) / "s")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(listener.close)
        return path

    def test_places(self) -> None:
        """XDG_RUNTIME_DIR first, then /run; a relative one does not count."""
        self.patch(os, "environ", {"XDG_RUNTIME_DIR": "/run/user/5"})
        self.assertEqual(["/run/user/5/twistftp.sock", "/run/twistftp.sock"], usual_places())
        for environment in ({}, {"XDG_RUNTIME_DIR": "x"}):
            self.patch(os, "environ", environment)
            self.assertEqual(["/run/twistftp.sock"], usual_places())

    def test_each_place(self) -> None:
        """The first that answers is asked."""
        path = self.answering(b'{"a": 1}\n')
        self.patch(asking, "usual_places", lambda: ["/nonexistent/s", path])
        self.assertEqual({"a": 1}, ask(None, command="status"))

    def test_nobody(self) -> None:
        """One line names every place, and how to name another."""
        self.patch(asking, "usual_places", lambda: ["/nonexistent/a", "/nonexistent/b"])
        error = self.assertRaises(NoAnswer, ask, None, command="status")
        expected = "no server listens at /nonexistent/a; no server listens at /nonexistent/b (--control-socket names another place)"
        self.assertEqual(expected, str(error))

    def test_others(self) -> None:
        """What is no twistftp is not taken for one."""
        for answer in (b"HTTP/1.1 400\n", b""):
            path = self.answering(answer)
            self.assertEqual(f"{path}: what answers there is no twistftp", str(self.assertRaises(NoAnswer, ask, path, command="status")))

    def test_usage(self) -> None:
        """A session's id is a number: status 2."""
        ended = CliRunner().invoke(main, ["disconnect", "x"])
        self.assertEqual(2, ended.exit_code)
