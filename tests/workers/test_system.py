"""Tests of two workers and what the system gives: rights, ports below 1024, sockets of systemd, files, memory; and of one worker, which is none."""

from __future__ import annotations

import ftplib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from tests.support.running import free_range
from tests.support.twistd import environment, run
from tests.workers.running import Guest, Office, WorkersCase, eventually
from twistftp.options import Options

NOBODY = 65534
_ACTIVATE = """
import os, socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="ftp", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Alice(Guest):
    """A client with a name, who may write."""

    def login(self, *arguments: Any, **more: Any) -> str:
        """Log in."""
        return super().login("alice", "secret")


def demand_root() -> None:
    """:raises SkipTest: we may not become others."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise SkipTest("needs root on Linux")


def free_below_1024() -> int:
    """A port that takes rights to be opened."""
    for port in range(1023, 900, -1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SkipTest("no port is free")


class RightsTests(WorkersCase):
    """``--uid``, ``--gid``, ``--chroot``."""

    def test_uid(self) -> None:
        """A port below 1024 is opened by root; all processes are the serving user's, one that takes another's place as well."""
        demand_root()
        port = free_below_1024()
        office = Office(self, "--port", str(port), before=("--uid", str(NOBODY), "--gid", str(NOBODY)))
        office.place.chmod(0o777)  # noqa: S103 (for the control socket)
        office.__enter__()
        self.addCleanup(self._end, office)
        self.assertEqual(port, office.port())
        for _ in range(2):
            for pid in [office.process.pid, *office.both()]:
                status = Path(f"/proc/{pid}/status").read_text("ascii")
                for name, expected in {"Uid": [NOBODY] * 4, "Gid": [NOBODY] * 4, "Groups": [NOBODY]}.items():
                    match = re.search(rf"^{name}:(.*)$", status, re.MULTILINE)
                    self.assertEqual(expected, [int(number) for number in match[1].split()], name)  # type: ignore[index]
            for guest in office.guests(port):
                self.assertEqual(["hello.txt"], guest.nlst())
                guest.quit()
            os.kill(office.both()[0], signal.SIGKILL)
            office.wait_for("another takes its place")
        office.both()
        office.signal(signal.SIGTERM)
        self.assertEqual(0, office.end())

    def test_chroot(self) -> None:
        """Behind ``--chroot``, too, a worker is replaced: it needs no file that is not there."""
        demand_root()
        office = Office(self, "--root", "/pub", "--control-socket", "/c", before=("--chroot", ".", "--uid", str(NOBODY)))
        office.place.chmod(0o777)  # noqa: S103
        office.__enter__()
        self.addCleanup(self._end, office)
        port = office.port()
        for _ in range(2):
            for guest in office.guests(port):
                self.assertEqual(["hello.txt"], guest.nlst())
                guest.quit()
            os.kill(office.both()[1], signal.SIGKILL)
            office.wait_for("another takes its place")
        office.both()
        office.signal(signal.SIGTERM)
        self.assertEqual(0, office.end())
        self.assertEqual([], [line for line in office.lines if "Traceback" in line])


class SocketTests(WorkersCase):
    """Where connections come from."""

    def test_systemd(self) -> None:
        """Socket activation: both accept from the socket that was there before the server."""
        port = int(free_range(1).partition("-")[0])
        office = self.office("--listen", "systemd:domain=INET:index=0", by=(sys.executable, "-c", _ACTIVATE, str(port)))
        office.wait_for("serving")
        for guest in office.guests(port):
            self.assertEqual(["hello.txt"], guest.nlst())
        office.signal(signal.SIGTERM)
        self.assertEqual(0, office.end())

    def test_active(self) -> None:
        """PORT and EPRT: both connect from the one source port at the same time."""
        source = int(free_range(1).partition("-")[0])
        office = self.office(text=f"[site.firewall_support]\nactive_port = {source}\n")
        (office.root / "big").write_bytes(b"x" * 3_000_000)
        guests = office.guests(office.port())
        with ExitStack() as streams:
            opened = []
            for guest in guests:
                guest.set_pasv(False)
                opened.append(streams.enter_context(guest.transfercmd("RETR big")))
            self.assertEqual([source] * 2, [data.getpeername()[1] for data in opened])
            for data in opened:
                count = 0
                while piece := data.recv(1 << 20):
                    count += len(piece)
                self.assertEqual(3_000_000, count)
        for guest in guests:
            guest.voidresp()


class FilesTests(WorkersCase):
    """Two clients of two workers and one name."""

    def pair(self, *arguments: str, **how: Any) -> tuple[Office, Alice, Alice]:
        """A server and one client of each worker."""
        office = self.office("--auth", "memory:alice:secret", *arguments, **how)
        return office, *office.guests(office.port(), Alice)

    def test_last_one_stays(self) -> None:
        """Of two uploads of one name each is whole, nobody sees a half, and the last one to end stays."""
        office, one, two = self.pair()
        path = office.root / "new"
        first, second = one.transfercmd("STOR new"), two.transfercmd("STOR new")
        first.sendall(b"1" * 100_000)
        second.sendall(b"2" * 200_000)
        self.assertFalse(path.exists())
        for data, guest, expected in ((second, two, b"2" * 200_000), (first, one, b"1" * 100_000)):
            data.close()
            guest.voidresp()
            self.assertEqual(expected, path.read_bytes())
        self.assertEqual(["hello.txt", "new"], sorted(os.listdir(office.root)))

    def test_appending(self) -> None:
        """Of two that add to one file the second is told 450 at once, and may when the first is done; nothing is lost."""
        office, one, two = self.pair()
        data = one.transfercmd("APPE hello.txt")
        data.sendall(b" one")
        with self.assertRaisesRegex(ftplib.error_temp, "^450"):
            two.transfercmd("APPE hello.txt")
        data.close()
        one.voidresp()
        data = two.transfercmd("APPE hello.txt")
        data.sendall(b" two")
        data.close()
        two.voidresp()
        self.assertEqual(b"hello one two", (office.root / "hello.txt").read_bytes())

    def test_in_place(self) -> None:
        """``keep_partial_uploads``: one upload of a name at a time and no reader; what arrived in a killed worker is resumed in the other."""
        authentication = '[site.authentication]\nstrcred = ["memory:alice:secret"]\n'
        office = self.office(text=f"{authentication}[site.file_handling]\nkeep_partial_uploads = true\n")
        one, two = office.guests(office.port(), Alice)
        data = one.transfercmd("STOR new")
        data.sendall(b"1" * 100_000)
        path = office.root / "new"
        eventually(lambda: path.exists() and path.stat().st_size == 100_000, "what was sent is there")
        for try_it in (lambda: two.transfercmd("STOR new"), lambda: two.transfercmd("RETR new"), lambda: two.delete("new")):
            self.assertRaisesRegex(ftplib.error_temp, "^450", try_it)
        os.kill(office.both()[0], signal.SIGKILL)
        data.close()
        office.wait_for("another takes its place")
        two.voidcmd("TYPE I")
        data = two.transfercmd("STOR new", 100_000)
        data.sendall(b"2" * 5)
        data.close()
        two.voidresp()
        self.assertEqual(b"1" * 100_000 + b"2" * 5, path.read_bytes())

    def test_new_names(self) -> None:
        """STOU in both at once: everybody's own file."""
        office, one, two = self.pair()
        names: list[str] = []

        def store(guest: Alice) -> None:
            for number in range(20):
                data = guest.transfercmd("STOU")
                data.sendall(str(number).encode())
                data.close()
                names.append(guest.voidresp())

        threads = [threading.Thread(target=store, args=(guest,)) for guest in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(40, len(names))
        self.assertEqual(41, len(os.listdir(office.root)))


class StartTests(SynchronousTestCase):
    """Values of ``--workers``."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="twistftp-")
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name)
        (self.place / "pub").mkdir()

    def test_bad_values(self) -> None:
        """One line and status 1: not a number, none, too many, more than there are passive ports; as an option and in a file."""
        rule = "must be 1-64, a number of processes; as many as there are processors is enough"
        few = "has 3 usable ports for 4 workers; each worker needs at least one of its own"
        for value, ports, line in (
            ("0", "50000-50010", f'--workers 0: {rule}'),
            ("-1", "50000-50010", f'--workers -1: {rule}'),
            ("65", "50000-50100", f'--workers 65: {rule}'),
            ("two", "50000-50010", '--workers "two": must be a whole number'),
            ("1.5", "50000-50010", '--workers "1.5": must be a whole number'),
            ("4", "50000-50002", f'--passive-ports "50000-50002": {few}'),
        ):
            options = ["--root", str(self.place), f"--workers={value}", "--passive-ports", ports]
            self.assertEqual(line, str(self.assertRaises(UsageError, Options().parseOptions, options)))
        site = f'[[site]]\nroot = "{self.place}"\n'
        for text, line in (
            (f"[server]\nworkers = 0\n{site}", f"[server] workers = 0: {rule}"),
            (f'[server]\nworkers = "two"\n{site}', '[server] workers = "two": must be a whole number'),
            (f'[server]\nworkers = 4\n[firewall_support]\ndata_channel_port_range = "50000-50003"\n{site}port = 50001\n', f'"50000-50003": {few}'),
        ):
            (self.place / "ftp.toml").write_text(text)
            error = str(self.assertRaises(UsageError, Options().parseOptions, ["--config", str(self.place / "ftp.toml")]))
            self.assertIn(line, error)
            self.assertNotIn("\n", error)

    def test_enough(self) -> None:
        """One passive port for each is enough, and the dynamic range always is."""
        for ports in ("50000-50003", "0-0"):
            options = Options()
            options.parseOptions(["--root", str(self.place), "--workers", "4", "--passive-ports", ports])
            self.assertEqual(4, options.settings.workers)

    def test_port_taken(self) -> None:
        """A port that somebody has: one line and status 1, as with one process."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            options = ("--root", "pub", "--workers", "2", "--interface", "127.0.0.1", "--port", str(port), "--control-socket", "off")
            ended = run("-n", "--pidfile=", "ftpsite", *options, directory=self.place)
        self.assertEqual(1, ended.returncode)
        self.assertRegex(ended.stderr, rf"^twistd ftpsite: twistftp: cannot listen on port {port} of 127\.0\.0\.1 .*listens there already\n$")

    def test_one(self) -> None:
        """``--workers 1`` is the one process that there always was: it imports nothing of several, and serves itself."""
        program = (
            "import sys\n"
            "from twistftp.service import makeService, Options\n"
            "options = Options()\n"
            "options.parseOptions(sys.argv[1:])\n"
            "service = makeService(options)\n"
            "ours = ('twistftp.workers', 'twistftp.transport.shared')\n"
            "print(type(service).__module__, *sorted(name for name in sys.modules if name.startswith(ours)))\n"
        )
        command = [sys.executable, "-c", program, "--root", "pub", "--workers", "1"]
        ran = subprocess.run(command, cwd=self.place, env=environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(("twistftp.server\n", ""), (ran.stdout, ran.stderr))

