"""
:class:`FTPServer`, a site for a test: started and stopped by ``with``, asked for what it has seen.

Not here: the process in which it runs (``link``, ``worker``), and the fixture for pytest (``plugin``).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from attrs import frozen

from twistftp.testing import chaos as faults
from twistftp.testing.asked import checked_port, checked_sections, checked_users, tls_kind
from twistftp.testing.faults.base import Fault
from twistftp.testing.files import Content, DiskFiles, Files, MemoryFiles, flat, plant
from twistftp.testing.link import Link, link

__all__ = ["FTPServer", "SessionSeen", "ftp_site"]

_HERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where clients of this machine find a site that listens on all addresses."""
_PATIENCE = 10.0


@frozen
class SessionSeen:
    """One control connection that is open. ``is_protected``: PROT P; ``has_resumed``: a data connection has resumed its TLS session."""

    number: int
    peer: str
    user: str
    directory: str
    is_secure: bool
    is_protected: bool
    has_resumed: bool
    is_busy: bool


class FTPServer:
    """
    An FTP site on a free port of this machine, for the length of a ``with`` (or ``async with``), or from :meth:`start` to :meth:`stop`.

    :param files: what there is: ``{"a.txt": b"hello", "dir": {"b": "text"}, "empty": None}``.
    :param root: serve this directory (``files`` are written into it) instead of files in memory.
    :param on_disk: serve a temporary directory, which goes with the site.
    :param users: names and passwords; the first is :attr:`user`. All see the same files.
    :param anonymous: whether anonymous users may log in; they only read.
    :param writable: whether the users may change anything.
    :param tls: ``True`` or ``"explicit"``: AUTH TLS is offered; ``"required"``: and demanded, for data too; ``"implicit"``: TLS from the first octet.
    :param chaos: what goes wrong (``twistftp.testing.chaos``): values, or texts such as ``"reset_at(1000)"``.
    :param address: of this machine: ``"::1"`` for IPv6, ``"0.0.0.0"`` to be found by others.
    :param port: ``None``: a free one.
    :param passive_ports: ``"LOW-HIGH"``; ``"0-0"``: free ones.
    :param settings: sections of the configuration file: ``limits={"max_connections": 2}``.
    :raises TypeError: (and ``ValueError``) one of these is not as it should be; of ``settings`` and ``passive_ports``, :meth:`start` tells.
    """

    def __init__(
        self,
        files: Mapping[str, Content] | None = None,
        *,
        root: str | os.PathLike[str] | None = None,
        on_disk: bool = False,
        users: Mapping[str, str] | None = None,
        anonymous: bool = True,
        writable: bool = True,
        tls: bool | str | None = False,
        chaos: Iterable[Fault | str] | Fault | str = (),
        address: str = "127.0.0.1",
        port: int | None = None,
        passive_ports: str = "0-0",
        **settings: Any,
    ) -> None:
        self._first = flat(files or {})
        self.users = checked_users(users) if users is not None else {"user": "password"}
        self.tls = tls_kind(tls)
        self.host = _HERE.get(address, address)
        self.port = 0
        self.chaos = self._read(chaos)
        self._root = Path(root) if root is not None else None
        self._on_disk = on_disk and root is None
        self._folders: list[Callable[[], object]] = []  # each call removes one
        self._ca_file = ""
        self._wanted = {
            "address": address,
            "port": checked_port(port),
            "tls": self.tls,
            "users": self.users,
            "anonymous": anonymous,
            "writable": writable,
            "passive_ports": passive_ports,
            "settings": checked_sections(settings, FTPServer),
        }
        self._link: Link | None = None
        self._number = 0

    def _read(self, chaos: Any) -> tuple[Fault, ...]:
        read = faults.read(chaos)
        if not self.tls and (lost := [fault.name for fault in read if fault.needs_tls]):
            raise ValueError(f"{lost[0]} needs a site with tls=")
        return read

    # -- its life ------------------------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """
        Open the port; when this returns clients can connect. The first site of a process takes half a second, others a millisecond.

        :raises ValueError: a setting is not as it should be. :raises OSError: the port cannot be had, or the directory not be used.
        """
        if self._link is not None:
            raise RuntimeError("the site has been started already")
        try:
            if self._on_disk:
                self._root = self._new_folder()
            if self._root is not None:
                if not self._root.is_dir():
                    raise NotADirectoryError(f"root: there is no directory {self._root}")
                self._plant_on_disk(self._root)
            self._link = link()
            wanted = {**self._wanted, "root": str(self._root.resolve()) if self._root else "", "chaos": [fault.as_json() for fault in self.chaos]}
            opened = self._link.ask("open", wanted=wanted)
        except BaseException:
            self._link = None
            self._let_go()
            raise
        self._number, self.port = opened["site"], opened["port"]
        try:
            if self._root is None and self._first:
                plant(self._ask, self._first)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it; connections that are open are reset. Twice does no harm."""
        ended, self._link = self._link, None
        if ended is not None and not ended.is_here:
            return  # a fork: neither the site nor its directory is this process's to end
        try:
            if ended is not None and ended.is_alive:
                ended.ask("close", number=self._number)
        finally:
            self._let_go()

    def _plant_on_disk(self, root: Path) -> None:
        there = DiskFiles(root)
        for path, content in self._first.items():
            if content is None:
                there.make_directory(path)
            else:
                there[path] = content

    def _new_folder(self) -> Path:
        """One that goes with the site, or with the process: its own, and not a fork of it."""
        folder = tempfile.mkdtemp(prefix="ftp-site-")
        self._folders.append(weakref.finalize(self, _remove, folder, os.getpid()))
        return Path(folder)

    def _let_go(self) -> None:
        self._ca_file = ""
        while self._folders:
            self._folders.pop()()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    async def __aenter__(self) -> Self:
        """Start, without holding asyncio's loop up."""
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await asyncio.to_thread(self.stop)

    def _ask(self, do: str, **question: Any) -> Any:
        if self._link is None:
            raise RuntimeError("the site is not running; use it inside of with")
        return self._link.ask(do, site=self._number, **question)

    # -- for clients ---------------------------------------------------------------------------------------------------------------------

    @property
    def user(self) -> str:
        """The name of the first user; ``anonymous`` if there is none."""
        return next(iter(self.users), "anonymous")

    @property
    def password(self) -> str:
        """That user's password."""
        return next(iter(self.users.values()), "user@example.org")

    @property
    def url(self) -> str:
        """``ftp://user:password@host:port/``; ``ftps://`` is implicit TLS."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ftp{'s' if self.tls == 'implicit' else ''}://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{host}:{self.port}/"

    @property
    def ca_pem(self) -> str:
        """The certificate of whoever has issued the site's, in PEM form; that is for localhost, 127.0.0.1 and ::1."""
        return (self._link or link()).authority

    @property
    def ca_file(self) -> str:
        """A file with :attr:`ca_pem`, for clients that want one; it goes with the site."""
        if not self._ca_file:
            path = self._new_folder() / "ca.pem"
            path.write_text(self.ca_pem, "ascii")
            self._ca_file = str(path)
        return self._ca_file

    def client_context(self) -> ssl.SSLContext:
        """A new ``ssl`` context that verifies the site's certificate."""
        return ssl.create_default_context(cadata=self.ca_pem)

    # -- what it has --------------------------------------------------------------------------------------------------------------------

    @property
    def root(self) -> Path | None:
        """The directory that is served; ``None``: the files are in memory."""
        return self._root

    @property
    def files(self) -> Files:
        """What there is now: ``site.files["uploaded.bin"]``."""
        return MemoryFiles(self._ask) if self._root is None else DiskFiles(self._root)

    @property
    def commands(self) -> list[str]:
        """What clients have said since the start, or :meth:`forget`, line by line in the order in which it was acted on; passwords too."""
        return [line for _, line in self._ask("commands")]

    @property
    def commands_by_session(self) -> dict[int, list[str]]:
        """The same for each connection by itself."""
        found: dict[int, list[str]] = {}
        for number, line in self._ask("commands"):
            found.setdefault(number, []).append(line)
        return found

    @property
    def sessions(self) -> list[SessionSeen]:
        """The connections that are open."""
        return [SessionSeen(**seen) for seen in self._ask("sessions")]

    @property
    def log(self) -> list[str]:
        """What the site has noted: logins, each command with its reply, transfers, failures; passwords masked."""
        return list(self._ask("log"))

    def forget(self) -> None:
        """Begin :attr:`commands` and :attr:`log` anew."""
        self._ask("forget")

    # -- what it does -------------------------------------------------------------------------------------------------------------------

    def use_chaos(self, *chaos: Fault | str) -> None:
        """From the next command on these faults, instead of those that were; none: all goes well."""
        read = self._read(chaos)
        self._ask("use_chaos", faults=[fault.as_json() for fault in read])
        self.chaos = read

    def disconnect(self) -> None:
        """Reset every control connection."""
        self._ask("disconnect")

    def wait_until_idle(self, timeout: float = _PATIENCE) -> None:
        """
        Return when no command is being carried out and no data connection is open.

        :raises TimeoutError: that was not so within ``timeout`` seconds. Under asyncio: ``await asyncio.to_thread(site.wait_until_idle)``.
        """
        self._ask("wait_until_idle", within=timeout)

    def wait_until_empty(self, timeout: float = _PATIENCE) -> None:
        """Return when every client is gone. :raises TimeoutError: as above."""
        self._ask("wait_until_empty", within=timeout)

    def wait_for_command(self, verb: str, count: int = 1, timeout: float = _PATIENCE) -> None:
        """Return when a client has said ``verb``, or ``"RETR a.txt"``, or that for the ``count``-th time. :raises TimeoutError: as above."""
        self._ask("wait_for_command", verb=verb, count=count, within=timeout)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def ftp_site(files: Mapping[str, Content] | None = None, **options: Any) -> FTPServer:
    """A site for a ``with``; its options are :class:`FTPServer`'s."""
    return FTPServer(files, **options)
