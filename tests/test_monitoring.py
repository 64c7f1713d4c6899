"""Tests of ``monitoring``: what watches a server, from its start to its end. At the end with a real ``twistd``."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import SkipTest

from tests.support.clients import ClientsCase
from tests.support.running import free_range
from tests.support.twistd import Twistd, environment, run

NOBODY = 65534


class Case(ClientsCase):
    """A folder with a site's content and a place for a log and a socket."""

    def setUp(self) -> None:
        if os.name != "posix":
            raise SkipTest("needs Unix sockets and signals")
        directory = tempfile.TemporaryDirectory(prefix="twistftp-")
        self.addCleanup(directory.cleanup)
        self.base = Path(directory.name)
        self.base.chmod(0o755)
        (self.base / "pub").mkdir()
        (self.base / "pub" / "a.txt").write_bytes(b"hello\n")
        (self.base / "log").mkdir()
        self.log = self.base / "log" / "access.log"

    def twistd(self, *arguments: str, before: tuple[str, ...] = ()) -> Twistd:
        options = ("--interface", "127.0.0.1", "--port", "0", "--control-socket", "s") if "--config" not in arguments else ()
        return Twistd(*before, "ftpsite", *options, *arguments, directory=self.base)

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for another process."""
        deadline = time.monotonic() + 20
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not in time: {what}")
            time.sleep(0.02)
        return value

    def lines(self, path: Path) -> list[str]:
        return [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")] if path.exists() else []

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``twistftp`` with these arguments."""
        return subprocess.run(
            [sys.executable, "-m", "twistftp", *arguments], cwd=self.base, env=environment(), capture_output=True, text=True, timeout=30, check=False
        )


class AccessLogTests(Case):
    """``--access-log`` of a real server."""

    def test_logrotate(self) -> None:
        """The file is opened again on SIGHUP, also without a configuration file; no line is lost, each file has its header."""
        with self.twistd("--root", "pub", "--access-log", "log/access.log") as server:
            port = server.port()
            first = self.client(port)
            first.voidcmd("NOOP")
            self.until(lambda: any(" NOOP " in line for line in self.lines(self.log)), "lines within a second")
            old = self.log.with_suffix(".1")
            self.log.rename(old)
            first.voidcmd("TYPE I")
            server.signal(signal.SIGHUP)
            server.wait_for("SIGHUP: nothing has changed")
            first.voidcmd("TYPE A")
            self.until(lambda: any(" TYPE A " in line for line in self.lines(self.log)), "lines in the new file")
            first.quit()
            self.hang_up()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
        methods = [line.split(" ")[10] for path in (old, self.log) for line in self.lines(path)]
        self.assertEqual(["ControlChannelOpened", "USER", "PASS", "NOOP", "TYPE", "TYPE", "QUIT", "ControlChannelClosed"], methods)
        for path in (old, self.log):
            self.assertIn("#Fields: date time c-ip ", path.read_text())

    def test_formats_by_site(self) -> None:
        """Each site has its own log; SIGHUP opens, changes and closes them."""
        ports = [int(text) for text in free_range(2).split("-")]
        site = "[[site]]\nname = '{}'\nroot = 'pub'\naddress = '127.0.0.1'\nport = {}\n"
        one, two = site.format("one", ports[0]), site.format("two", ports[1])
        file = self.base / "ftp.toml"
        file.write_text(f"[server]\ncontrol_socket = 's'\n{one}[site.logging]\nfile = 'log/one.log'\nformat = 'xferlog'\n{two}")
        with self.twistd("--config", "ftp.toml") as server:
            server.wait_for("two: serving")
            client = self.client(ports[0])
            client.retrbinary("RETR a.txt", io.BytesIO().write)
            other = self.client(ports[1])
            self.until(lambda: self.lines(self.base / "log" / "one.log"), "a line")
            file.write_text(f"[server]\ncontrol_socket = 's'\n{one}{two}[site.logging]\nfile = 'log/two.log'\nformat = 'json'\n")
            server.signal(signal.SIGHUP)
            server.wait_for("SIGHUP: logging.file of site 'two': '' -> ")
            other.voidcmd("NOOP")
            client.voidcmd("NOOP")
            client.retrbinary("RETR a.txt", io.BytesIO().write)
            self.until(lambda: self.lines(self.base / "log" / "two.log"), "a line")
            self.hang_up()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
        (line,) = self.lines(self.base / "log" / "one.log")
        self.assertRegex(line, r" 1 127\.0\.0\.1 6 /a\.txt b _ o a me@example\.org ftp 0 \* c$")
        found = self.lines(self.base / "log" / "two.log")
        self.assertTrue(all('"site":"two"' in line for line in found))

    def test_unwritable(self) -> None:
        """A log that cannot be opened ends the start: one line, status 1; at SIGHUP the old one stays."""
        ended = run("-n", "--pidfile=", "ftpsite", "--root", "pub", "--port", "0", "--access-log", "nowhere/access.log", directory=self.base)
        self.assertEqual(1, ended.returncode)
        rule = "there is no directory to make it in; make that first"
        self.assertEqual(f'twistd ftpsite: --access-log "nowhere/access.log": {rule}\n', ended.stderr)
        self.assertNotIn("Traceback", ended.stdout)

    def test_privileges(self) -> None:
        """Root opens the log where the serving user may not; the file is that user's. It can still be moved away if the folder is."""
        if os.geteuid() != 0:
            raise SkipTest("needs root, to become somebody else")
        (self.base / "log").chmod(0o755)
        with self.twistd("--root", "pub", "--access-log", "log/access.log", before=("--uid", str(NOBODY), "--gid", str(NOBODY))) as server:
            client = self.client(server.port())
            self.until(lambda: self.lines(self.log), "lines")
            self.assertEqual(NOBODY, self.log.stat().st_uid)
            server.signal(signal.SIGHUP)
            server.wait_for("SIGHUP: nothing has changed")
            self.log.rename(self.log.with_suffix(".1"))
            server.signal(signal.SIGHUP)
            server.wait_for(r"access log .*: permission denied; lines go on into the file that was open\. Let the serving user write there")
            client.voidcmd("NOOP")
            self.until(lambda: any(" NOOP " in line for line in self.lines(self.log.with_suffix(".1"))), "lines in the old file")
            client.close()
            self.hang_up()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())


    def test_chroot(self) -> None:
        """Behind ``--chroot`` paths begin there; log, metrics and control socket work, and the log can be moved away."""
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            raise SkipTest("needs root on Linux")
        os.chown(self.base / "log", NOBODY, NOBODY)
        port = free_range(1).partition("-")[0]
        options = ("--access-log", "/log/access.log", "--control-socket", "/s", "--metrics", f"tcp:{port}:interface=127.0.0.1")
        before = ("-n", "--pidfile=", "--chroot", str(self.base), "--uid", str(NOBODY))
        with Twistd(*before[2:], "ftpsite", "--root", "/pub", "--interface", "127.0.0.1", "--port", "0", *options, directory=self.base) as server:
            client = self.client(server.port())
            self.until(lambda: self.lines(self.log), "lines")
            self.log.rename(self.log.with_suffix(".1"))
            server.signal(signal.SIGHUP)
            server.wait_for("SIGHUP: nothing has changed")
            client.voidcmd("NOOP")
            self.until(lambda: self.lines(self.log), "lines in the new file")
            self.assertIn("1 now", self.command("status", "--control-socket", "s").stdout)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
                self.assertIn(b"twistftp_sessions", answer.read())
            client.close()
            self.hang_up()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
            self.assertFalse([line for line in server.lines if "Traceback" in line])


class EndpointTests(Case):
    """``--metrics`` of a real server."""

    def get(self, url: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def test_metrics(self) -> None:
        """Both pages; during the end of the server health is 503 while the last transfer goes on."""
        port = free_range(1).partition("-")[0]
        (self.base / "pub" / "big").write_bytes(bytes(50_000_000))
        with self.twistd("--root", "pub", "--metrics", f"tcp:{port}:interface=127.0.0.1") as server:
            client = self.client(server.port())
            self.assertEqual((200, "ok\n"), self.get(f"http://127.0.0.1:{port}/healthz"))
            code, text = self.get(f"http://127.0.0.1:{port}/metrics")
            self.assertEqual(200, code)
            self.assertIn('twistftp_sessions{site="twistftp"} 1.0\n', text)
            self.assertIn("process_open_fds", text)
            client.voidcmd("TYPE I")
            data = client.transfercmd("RETR big")
            server.signal(signal.SIGTERM)
            server.wait_for("stopping: new connections are refused")
            self.assertEqual((503, "shutting down\n"), self.get(f"http://127.0.0.1:{port}/healthz"))
            with data:
                while data.recv(1 << 20):
                    pass
            self.hang_up()
            self.assertEqual(0, server.end())

    def test_taken(self) -> None:
        """An endpoint that cannot be had ends the start in one line; one that is none is refused before."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            place = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            ended = run("-n", "--pidfile=", "ftpsite", "--root", "pub", "--port", "0", "--metrics", place, directory=self.base)
        self.assertEqual(1, ended.returncode)
        self.assertRegex(ended.stderr, rf"\Atwistd ftpsite: metrics: cannot listen on {place}: another program, [^\n]+\n\Z")
        ended = run("-n", "--pidfile=", "ftpsite", "--root", "pub", "--metrics", "9121:x", directory=self.base)
        self.assertRegex(ended.stderr, r"\Atwistd ftpsite: --metrics \"9121:x\": is no usable Twisted endpoint[^\n]+\n\Z")


class CommandTests(Case):
    """``twistftp status``, ``sessions`` and ``disconnect`` of a real server."""

    def test_commands(self) -> None:
        """They show the server and its sessions, and end one; session numbers are unique across sites."""
        ports = [int(text) for text in free_range(2).split("-")]
        site = "[[site]]\nname = '{}'\nroot = 'pub'\naddress = '127.0.0.1'\nport = {}\n"
        (self.base / "ftp.toml").write_text("[server]\ncontrol_socket = 's'\n" + site.format("one", ports[0]) + site.format("two", ports[1]))
        with self.twistd("--config", "ftp.toml") as server:
            server.wait_for("two: serving")
            self.assertEqual(0o600, stat.S_IMODE((self.base / "s").stat().st_mode))
            clients = [self.client(port) for port in ports]
            shown = self.command("status", "--control-socket", "s")
            self.assertEqual((0, ""), (shown.returncode, shown.stderr))
            for text in ("site 'one'", "site 'two'", f"port {ports[1]} of 127.0.0.1", "1 now, 1 so far", "passive ports"):
                self.assertIn(text, shown.stdout)
            shown = self.command("sessions", "--control-socket", "s")
            rows = [re.findall(r"\S+", line)[:4] for line in shown.stdout.splitlines() if "127.0.0.1" in line]
            self.assertEqual([["1", "one", "anonymous", "127.0.0.1"], ["2", "two", "anonymous", "127.0.0.1"]], rows)
            ended = self.command("disconnect", "2", "--control-socket", "s")
            self.assertEqual((0, "session 2 of anonymous from 127.0.0.1 is ended\n"), (ended.returncode, ended.stdout))
            self.assertEqual("421 Disconnected by the administrator.", clients[1].getline())
            server.wait_for("two #2 127.0.0.1 anonymous: disconnected by the administrator")
            clients[0].voidcmd("NOOP")
            self.hang_up()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
        self.assertFalse((self.base / "s").exists())
        for arguments in (("status",), ("sessions", "--watch"), ("disconnect", "1")):
            ended = self.command(*arguments, "--control-socket", "s")
            self.assertEqual((1, "", f"twistftp {arguments[0]}: no server listens at s\n"), (ended.returncode, ended.stdout, ended.stderr))

    def test_no_socket(self) -> None:
        """A place that cannot be used is told in one line, and the server serves; ``off`` is not worth a line."""
        for place, line in (("nowhere/s", "no control socket at .*/nowhere/s: no such file or directory; 'twistftp status' cannot ask"), ("off", "")):
            with self.twistd("--root", "pub", "--control-socket", place) as server:
                port = server.port()
                self.client(port).close()
                self.hang_up()
                server.signal(signal.SIGTERM)
                self.assertEqual(0, server.end())
            said = [text for text in server.lines if "control socket" in text]
            self.assertEqual(1 if line else 0, len(said))
            if line:
                self.assertRegex(said[0], line)
