"""Tests of ``--capture`` of a real server: capsules that replay, and directories that cannot be used."""

from __future__ import annotations

import ftplib
import json
import os
import signal
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import SkipTest
from unittest.mock import Mock

from twisted.internet.task import Clock

from tests.support.at_once import at_once
from tests.support.twistd import environment, run
from tests.test_monitoring import NOBODY, Case
from twistftp.capsules.reading import read_capsule
from twistftp.capsules.replay import play
from twistftp.monitoring import Monitoring
from twistftp.policy.settings import Logging
from twistftp.session.interpreter import ServerPI

CONFIG = """
[server]
control_socket = "off"
[[site]]
root = "pub"
address = "127.0.0.1"
port = 0
[site.logging]
capture = "{capture}"
"""


class _Site:
    """What of a site counts here."""

    protocol = ServerPI
    settings: Any


class CaptureTests(Case):
    """``--capture DIR`` and ``[site.logging] capture``."""

    def setUp(self) -> None:
        super().setUp()
        self.place = self.base / "capsules"
        self.place.mkdir()

    def visit(self, port: int) -> None:
        client = self.client(port)
        lines: list[str] = []
        client.retrlines("LIST", lines.append)
        client.retrbinary("RETR a.txt", lambda data: None)
        client.quit()

    def capsules(self, count: int) -> list[Path]:
        def found() -> list[Path]:
            return [path for path in sorted(self.place.iterdir()) if b'"closed"' in path.read_bytes()]

        self.until(lambda: len(found()) >= count, f"{count} capsules")
        return found()

    def replay(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "twistftp", "replay", *arguments]
        return subprocess.run(command, cwd=self.base, env=environment(), capture_output=True, text=True, timeout=30, check=False)

    def test_replay(self) -> None:
        """A session becomes a file of mode 0600 without its password, which replays; with other files it shows the difference."""
        with self.twistd("--root", "pub", "--capture", "capsules") as server:
            self.visit(server.port())
            (path,) = self.capsules(1)
            self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
            self.assertNotIn("example.org", path.read_text())
        ended = self.replay(str(path))
        self.assertEqual((0, "same: 12 replies\n", ""), (ended.returncode, ended.stdout, ended.stderr))
        self.assertEqual(0, self.replay(str(path), "--root", "pub").returncode)
        (self.base / "pub" / "a.txt").unlink()
        ended = self.replay(str(path), "--root", "pub")
        self.assertEqual(1, ended.returncode)
        self.assertIn("got:      550 a.txt: No such file or directory.", ended.stdout)

    def test_end(self) -> None:
        """The end of the server writes what waits; who is still there is told of."""
        with self.twistd("--root", "pub", "--capture", "capsules") as server:
            self.client(server.port())
            server.signal(signal.SIGTERM)
            server.wait_for("Server Shut Down")
        (path,) = self.capsules(1)
        events = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual("421 The server is shutting down; try again later.\r\n", [event["server"] for event in events if "server" in event][-1])

    def test_in_flight(self) -> None:
        """A transfer under TLS that SIGTERM cuts off: its capsule has its end, nothing of the password, and replays."""
        (self.base / "pub" / "large").write_bytes(bytes(32 << 20))
        users = ("--auth", "memory:alice:hunter2hunter2")
        with self.twistd("--root", "pub", "--capture", "capsules", "--self-signed", "--grace", "0.2", *users) as server:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client = ftplib.FTP_TLS(context=context, timeout=20)
            client.connect("127.0.0.1", server.port())
            self.addCleanup(client.close)
            client.login("alice", "hunter2hunter2")
            client.prot_p()
            client.voidcmd("TYPE I")
            with client.transfercmd("RETR large") as connection:
                connection.recv(1000)
                server.signal(signal.SIGTERM)
                server.wait_for("Server Shut Down")
        (path,) = self.capsules(1)
        text = path.read_text()
        self.assertNotRegex(text, "(?i)hunter2|private key")
        capsule = read_capsule(str(path))
        self.assertEqual("", capsule.lack)
        self.assertEqual(["CLOSING"], [event["ended"]["cause"] for event in capsule.events if "ended" in event])
        self.assertIs(None, play(capsule)[1])

    def test_hangup(self) -> None:
        """SIGHUP turns it on and off, for sessions that begin then."""
        path = self.base / "ftp.toml"
        path.write_text(CONFIG.format(capture=""))
        with self.twistd("--config", "ftp.toml") as server:
            port = server.port()
            self.visit(port)
            for capture, count in (("capsules", 1), ("", 1), ("capsules", 2)):
                path.write_text(CONFIG.format(capture=capture))
                server.signal(signal.SIGHUP)
                server.wait_for(rf"logging\.capture of site 'twistftp': .* -> '.*{capture}'$")
                self.visit(port)
                self.assertEqual(count, len(self.capsules(count)))

    def test_chroot(self) -> None:
        """Behind ``--chroot`` the directory is one in there."""
        if os.geteuid() != 0:
            raise SkipTest("needs root")
        os.chown(self.place, NOBODY, NOBODY)
        before = ("--chroot", str(self.base), "--uid", str(NOBODY))
        with self.twistd("--root", "/pub", "--capture", "/capsules", before=before) as server:
            self.visit(server.port())
            (path,) = self.capsules(1)
        self.assertEqual(0, self.replay(str(path)).returncode)

    def test_other_user(self) -> None:
        """The serving user writes; one who may not is refused at the start (--uid)."""
        if os.geteuid() != 0:
            raise SkipTest("needs root")
        before = ("--uid", str(NOBODY), "--gid", str(NOBODY))
        ended = run(*before, "-n", "--pidfile=", "ftpsite", "--root", "pub", "--port", "0", "--capture", "capsules", directory=self.base)
        self.assertEqual(1, ended.returncode)
        self.assertIn(f'--capture "capsules": is not writable for user {NOBODY} (--uid)', ended.stderr)
        os.chown(self.place, NOBODY, NOBODY)
        with self.twistd("--root", "pub", "--capture", "capsules", before=before) as server:
            self.visit(server.port())
            self.assertEqual(NOBODY, self.capsules(1)[0].stat().st_uid)

    def test_off(self) -> None:
        """A server that captures nothing does not even load what would do it."""
        code = "import sys, twistftp.service, twistftp.monitoring, twistftp.options; print([name for name in sys.modules if 'capsules' in name])"
        ended = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=30, check=True)
        self.assertEqual("[]\n", ended.stdout)

    def test_sites_share_a_directory(self) -> None:
        """Sites with the same directory have its room in common; each is turned off by itself."""
        sites: list[Any] = [_Site() for _ in range(2)]
        monitoring = Monitoring(Clock(), None, lambda: [Mock(site=site) for site in sites], lambda: 0.0, at_once)
        for site in sites:
            site.settings = Mock(logging=Logging(capture=str(self.place)))
            monitoring._capture(site)
            self.assertIsNot(ServerPI, site.protocol)
        self.assertEqual([str(self.place)], list(monitoring._recordings))
        began = sites[1].protocol
        sites[0].settings = Mock(logging=Logging())
        for site in sites:
            monitoring._capture(site)
        self.assertEqual([ServerPI, began], [site.protocol for site in sites])

    def test_unusable(self) -> None:
        """A directory that is none stops the start, in one line that names the option, the value and the rule."""
        for value, rule in (("none", "no such directory; make it, for it is not made by itself"), ("pub/a.txt", "is not a directory")):
            ended = run("-n", "--pidfile=", "ftpsite", "--root", "pub", "--port", "0", "--capture", value, directory=self.base)
            self.assertEqual((1, f'twistd ftpsite: --capture "{value}": {rule}\n'), (ended.returncode, ended.stderr))
        (self.base / "pub" / "capsules").mkdir()
        ended = run("-n", "--pidfile=", "ftpsite", "--root", "pub", "--port", "0", "--capture", "pub/capsules", directory=self.base)
        self.assertRegex(ended.stderr, r'^twistd ftpsite: --capture ".*/pub/capsules": lies in .*/pub, which is served: .*\n$')
        self.place.chmod(0o777)
        ended = run("-n", "--pidfile=", "ftpsite", "--root", "pub", "--port", "0", "--capture", "capsules", directory=self.base)
        self.assertEqual((1, 1), (ended.returncode, ended.stderr.count("everybody may write there")))
        (self.base / "ftp.toml").write_text(CONFIG.format(capture="none"))
        ended = run("-n", "--pidfile=", "ftpsite", "--config", "ftp.toml", directory=self.base)
        self.assertIn('ftp.toml: [site.logging] capture = "none": no such directory', ended.stderr)

    def test_upload(self) -> None:
        """A refused upload and a wrong password are sessions as others."""
        with self.twistd("--root", "pub", "--capture", "capsules") as server:
            client = self.client(server.port())
            self.assertRaises(ftplib.error_perm, client.mkd, "x")
            client.quit()
            (path,) = self.capsules(1)
        self.assertEqual(0, self.replay(str(path)).returncode)
