"""
The four servers: how each is started on a port of 127.0.0.1, and how it is ended.

Not here: what they need on the disk (``place``), what is asked of them (``compare``, ``load``) and how they are measured (``accounting``).
"""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from accounting import Account, ProcessId, anonymous_kib, identify, lives, open_account
from place import PASSWORD, USER, Place, environment, vsftpd_program

_HERE = Path(__file__).resolve().parent
_HOST = "127.0.0.1"
_PORTS = 10_000, 32_000
_TRIES = 1000
_START_LIMIT = 30.0
_END_LIMIT = 10.0
_ANONYMOUS = ("anonymous", "bench@example.org")


class Unavailable(Exception):
    """A server cannot be started here; the text says why."""


class Service(NamedTuple):
    """What a server has to do beyond plain anonymous reading; what it does not have to do is not configured either."""

    tls: bool = False
    writing: bool = False
    workers: int = 1
    anew: bool = False  # listings, even if nothing has changed
    synced: bool = False  # uploads, before they are answered: twistftp alone can


Command = Callable[[Place, int, Service], list[str]]


@dataclass(frozen=True)
class Program:
    """How a server is started, as whom clients log in to write, and what it does not have: verbs, and "TLS"."""

    command: Command
    writer: tuple[str, str] = (USER, PASSWORD)
    lacks: frozenset[str] = frozenset()


# --- commands ------------------------------------------------------------------------------------------------------------------------------------


def twistftp_command(place: Place, port: int, service: Service) -> list[str]:
    """By ``twistd``, as a user would."""
    twistd = Path(sys.executable).parent / "twistd"
    if not twistd.exists():
        raise Unavailable(f"{twistd} does not exist: run compare.py with a Python that has Twisted")
    command = [str(twistd), "-n", "--pidfile=", "ftpsite", "--root", str(place.root), "--interface", _HOST, "--port", str(port)]
    if service.tls:
        command += ["--certificate", str(place.certificate), "--private-key", str(place.private_key)]
    if service.writing:
        command += ["--users", str(place.users)]
    if service.workers > 1:
        command += ["--workers", str(service.workers)]
    if service.anew or service.synced:
        configuration = place.directory / "twistftp.toml"
        cache, syncs = "listing_cache = 0\n" * service.anew, "[site.file_handling]\nsync_uploads = true\n" * service.synced
        configuration.write_text(f"[server]\n{cache}[[site]]\n{syncs}")
        command += ["--config", str(configuration)]
    return command


def _vsftpd(place: Place, port: int, service: Service) -> list[str]:
    program = vsftpd_program()
    if not program:
        raise Unavailable("vsftpd is not installed: see --setup")
    if os.geteuid() != 0:
        raise Unavailable("vsftpd wants to be started by root")
    empty = place.directory / "empty"
    empty.mkdir(exist_ok=True, mode=0o755)
    settings = {
        "listen": "YES", "listen_address": _HOST, "listen_port": port, "background": "NO", "anonymous_enable": "YES", "local_enable": "NO",
        "anon_root": place.root, "secure_chroot_dir": empty, "max_clients": 0, "max_per_ip": 0,
        "seccomp_sandbox": "NO",  # 3.0.3 is killed by its own filter on newer kernels
    }  # fmt: skip
    if service.tls:
        settings |= {
            "ssl_enable": "YES", "allow_anon_ssl": "YES", "rsa_cert_file": place.certificate, "rsa_private_key_file": place.private_key,
            "require_ssl_reuse": "NO",  # a session that cannot be resumed shows in the figures; it is no failure
            "ssl_ciphers": "HIGH",  # for TLS 1.2, where its default is 3DES; TLS 1.3 has its own
        }  # fmt: skip
    if service.writing:  # by anonymous users: a name with a password would have to be an account of the machine
        settings |= {"write_enable": "YES", "anon_upload_enable": "YES", "anon_umask": "022"}
    configuration = place.directory / "vsftpd.conf"
    configuration.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return [program, str(configuration)]


def _peer(name: str) -> Command:
    def command(place: Place, port: int, service: Service) -> list[str]:
        if not place.python.exists():
            raise Unavailable(f"{place.python} does not exist: see --setup")
        command = [str(place.python), str(_HERE / "peers.py"), name, str(port), str(place.root)]
        if service.tls:
            command += ["--certificate", str(place.certificate), "--private-key", str(place.private_key)]
        if service.writing:
            command += ["--user", USER, "--password", PASSWORD]
        return command

    return command


SERVERS = {
    "twistftp": Program(twistftp_command),
    "vsftpd": Program(_vsftpd, writer=_ANONYMOUS, lacks=frozenset({"MLSD", "HASH"})),
    "pyftpdlib": Program(_peer("pyftpdlib"), lacks=frozenset({"HASH"})),
    "twisted": Program(_peer("twisted"), lacks=frozenset({"MLSD", "HASH", "TLS"})),
}


# --- running -------------------------------------------------------------------------------------------------------------------------------------


def free_ports(count: int = 1) -> int:
    """The first of so many free ports in a row, below those that the system gives to clients: until it is used nobody takes it by chance."""
    for _ in range(_TRIES):
        first = random.randrange(*_PORTS)
        try:
            for port in range(first, first + count):
                socket.create_server((_HOST, port)).close()
        except OSError:
            continue
        return first
    raise Unavailable(f"there are no {count} free ports in a row")


class Server:
    """A running server: a context manager, which ends what it started however the block is left."""

    def __init__(
        self, name: str, place: Place, service: Service, *, proc: bool = False, beside: bool = False, program: Program | None = None
    ) -> None:
        """
        :param proc: whether to count by ``/proc``, whatever else there is.
        :param beside: whether another one of this name may run meanwhile.
        :param program: instead of the one of that name.
        """
        program = program or SERVERS[name]
        self.place = place
        self.port = free_ports()
        self.login = program.writer if service.writing else _ANONYMOUS
        self.greeting = ""
        self.cipher = ""  # for its user to note what was negotiated
        self.seconds_to_start = 0.0
        self._command = program.command(place, self.port, service)
        self._environment = environment(place, ours=name == "twistftp")
        self._directory = place.directory
        self._name, self._proc = f"{name}-beside" if beside else name, proc
        self._log = place.directory / f"{self._name}.log"

    def __enter__(self) -> Self:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.account: Account = open_account(self._name, proc=self._proc)

        def before_exec() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            self.account.enter()

        began = time.perf_counter()
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._directory, env=self._environment,
                    start_new_session=True, preexec_fn=before_exec,  # noqa: PLW1509 (this process has no threads)
                )  # fmt: skip
        except BaseException:
            self.account.close()
            raise
        try:
            self._await_greeting(began)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def _await_greeting(self, began: float) -> None:
        while time.perf_counter() - began < _START_LIMIT:
            if self._process.poll() is not None:
                raise Unavailable(f"ended at its start: {self.last_words()}")
            try:
                with socket.create_connection((_HOST, self.port), _START_LIMIT) as probe:
                    self.greeting = probe.recv(500).decode("utf-8", "replace").strip()
            except OSError:
                time.sleep(0.002)
                continue
            self.seconds_to_start = time.perf_counter() - began
            return
        raise Unavailable(f"no greeting within {_START_LIMIT:.0f} s: {self.last_words()}")

    def _end(self) -> None:
        """By their numbers: the first process in good order, then what is left of the others."""
        mine = identify(self.account.pids(self._process.pid))
        try:
            self._process.terminate()
            self._process.wait(_END_LIMIT)
        except subprocess.TimeoutExpired:
            pass  # and is killed like one that we were interrupted in waiting for
        finally:
            self._process.kill()  # nothing happens to one that has ended
            self._process.wait(_END_LIMIT)
            _kill_left(mine)
            self.account.close()

    def last_words(self) -> str:
        """The last line of its log, and its exit status if it ended."""
        lines = self._log.read_text(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
        status = self._process.poll()
        return said if status is None else f"{said} (exit status {status})"

    @property
    def ended(self) -> bool:
        """Whether its first process is gone."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Its first process."""
        return self._process.pid

    def pids(self) -> list[int]:
        """The numbers of all its processes."""
        return self.account.pids(self._process.pid)

    def cpu(self) -> float:
        """Seconds of CPU until now, of the whole tree of processes."""
        return self.account.cpu(self._process.pid)

    def memory_kib(self) -> float:
        """Anonymous memory now, of the whole tree of processes."""
        return anonymous_kib(self.account.pids(self._process.pid))


def _kill_left(processes: list[ProcessId]) -> None:
    """A session's process may take a moment to see that its client has gone; then it is killed."""
    deadline = time.perf_counter() + 2
    while (left := [process for process in processes if lives(process)]) and time.perf_counter() < deadline:
        time.sleep(0.05)
    for process in left:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # just ended
