"""
A real ``twistd ftpsite --workers 2``, its clients, and what it says of itself.

Not here: what is proved with it.
"""

from __future__ import annotations

import ftplib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from twisted.trial.unittest import SynchronousTestCase

from tests.support.running import free_range
from tests.support.twistd import Twistd
from twistftp.cli.asking import ask

__all__ = ["Guest", "Office", "WorkersCase", "eventually", "is_alive"]

PATIENCE = 15.0
_NUMBERS = count(1)


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Ask until ``condition()`` is true; its value. Another process is to do something, and does not say when it has."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.02)
    return value


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Guest(ftplib.FTP):
    """A client that is logged in; ``worker`` is the number of the one that serves it."""

    worker = 0

    def offered(self) -> int:
        """The port of a new 227."""
        return self.makepasv()[1]


G = TypeVar("G", bound=Guest)


class Office(Twistd):
    """
    The server. ``range`` are its passive ports, ``control`` its control socket, ``root`` its content, in the directory ``place``.

    :param text: of a configuration file, behind what every one has; else there is none. ``port`` is its site's.
    :param folders: that are in the root.
    :param before: options of ``twistd`` itself.
    """

    def __init__(
        self,
        case: WorkersCase,
        *arguments: str,
        size: int = 20,
        text: str | None = None,
        port: int = 0,
        folders: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
        by: tuple[str, ...] = (),
    ) -> None:
        self.range = free_range(size)
        self.low, self.size = int(self.range.partition("-")[0]), size
        self.place = Path(tempfile.mkdtemp(prefix="twistftp-"))  # paths of sockets are short
        case.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.control = str(self.place / "c")
        self.root = self.place / "pub"
        self.root.mkdir()
        (self.root / "hello.txt").write_text("hello")
        for folder in folders:
            (self.root / folder).mkdir()
        if text is None:
            options = ["--root", "pub", "--port", "0", "--passive-ports", self.range, "--interface", "127.0.0.1", "--control-socket", "c"]
        else:
            options = ["--config", "ftp.toml"]
            self.write(text, port=port)
        super().__init__(*before, "ftpsite", "--workers", "2", *options, *arguments, directory=self.place, by=by)

    def write(self, text: str, ports: str = "", port: int = 0) -> None:
        """The configuration file."""
        head = f'[firewall_support]\ndata_channel_port_range = "{ports or self.range}"\n[server]\ncontrol_socket = "{self.control}"\n'
        site = f'[[site]]\nroot = "{self.root}"\naddress = "127.0.0.1"\nport = {port}\n'
        (self.place / "ftp.toml").write_text(head + site + text)

    def ask(self, command: str, **more: object) -> Any:
        """What the control socket says."""
        return ask(self.control, command=command, **more)

    def pids(self) -> list[int]:
        """The processes of the workers."""
        return [one["pid"] for one in self.ask("status")["workers"]]

    def both(self) -> list[int]:
        """The processes of the workers, when there are two."""
        return eventually(lambda: found if len(found := self.pids()) == 2 else None, "two workers")  # type: ignore[no-any-return]

    def sessions(self) -> list[Any]:
        """All sessions."""
        return self.ask("sessions")["sessions"]  # type: ignore[no-any-return]

    def guest(self, port: int, make: Callable[[], G] = Guest) -> G:  # type: ignore[assignment]
        """A client that is logged in."""
        guest = make()
        guest.connect("127.0.0.1", port, timeout=PATIENCE)
        guest.login()
        name = f"guest-{next(_NUMBERS)}"
        guest.sendcmd(f"CLNT {name}")
        guest.worker = next(session["worker"] for session in self.sessions() if session["program"] == name)
        return guest

    def guests(self, port: int, make: Callable[[], G] = Guest) -> tuple[G, G]:  # type: ignore[assignment]
        """One of each worker."""
        found: dict[int, G] = {}
        while len(found) < 2:
            guest = self.guest(port, make)
            if found.setdefault(guest.worker, guest) is not guest:
                guest.quit()
        return found[1], found[2]


    def told_to_end(self, port: int) -> tuple[Guest, socket.socket, int]:
        """Worker 2 is told to end while a client fetches 30 MB: the client, its data connection with the rest of it, and the process."""
        (self.root / "big").write_bytes(b"x" * 30_000_000)
        _, two = self.guests(port)
        data, _ = two.ntransfercmd("RETR big")
        data.recv(1000)
        pid = self.both()[1]
        os.kill(pid, signal.SIGTERM)
        self.wait_for("this worker is to end")
        return two, data, pid


class WorkersCase(SynchronousTestCase):
    """Tests with such a server; its processes are gone when a test is."""

    timeout = 60

    def office(self, *arguments: str, **how: Any) -> Office:
        """One that runs."""
        office = Office(self, *arguments, **how)
        office.__enter__()
        self.addCleanup(self._end, office)
        return office

    def _end(self, office: Office) -> None:
        children = _children(office.process.pid)
        office.__exit__(None, None, None)
        for pid in children:
            eventually(lambda pid=pid: not is_alive(pid), f"process {pid} ends with its supervisor")

    def greeting(self, port: int, source: str = "127.0.0.1", host: str = "127.0.0.1") -> tuple[socket.socket, str]:
        """A connection, and the code of its first reply, ``""`` if it was closed."""
        skt = socket.create_connection((host, port), PATIENCE, source_address=(source, 0))
        self.addCleanup(skt.close)
        with suppress(ConnectionError):
            return skt, skt.recv(512)[:3].decode()
        return skt, ""


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


