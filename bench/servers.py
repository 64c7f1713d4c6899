"""
The four servers: what they need (``--setup``), how each is started on a port of 127.0.0.1, and how it is ended.

Not here: what is asked of them (``compare``, ``load``) and how they are measured (``accounting``).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from accounting import Account, ProcessId, anonymous_kib, identify, lives, open_account

_HERE = Path(__file__).resolve().parent
_HOST = "127.0.0.1"
_START_LIMIT = 30.0
_END_LIMIT = 10.0
_FILES = {"1k.bin": 1 << 10, "10m.bin": 10 << 20, "1g.bin": 1 << 30}
_DIRECTORIES = {"dir1k": 1000, "dir20k": 20000}


class Unavailable(Exception):
    """A server cannot be started here; the text says why."""


@dataclass(frozen=True)
class Place:
    """The directory that ``--setup`` fills; logs and configuration files go there too."""

    directory: Path

    @property
    def root(self) -> Path:
        """The tree that is served."""
        return self.directory / "root"

    @property
    def python(self) -> Path:
        """The Python of the peers."""
        return self.directory / "peers" / "bin" / "python"


# --- set-up --------------------------------------------------------------------------------------------------------------------------------------


def set_up(place: Place) -> None:
    """Install the peers and make the tree. May be run again: what is there stays."""
    place.root.mkdir(parents=True, exist_ok=True)
    place.directory.chmod(0o755)  # vsftpd goes through it as its user "ftp"
    _make_tree(place.root)
    if not place.python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place.directory / "peers")], check=True)
    # The same Twisted on both sides, or the comparison would be one of Twisted's releases.
    twisted = f"Twisted=={importlib.metadata.version('Twisted')}" if importlib.util.find_spec("twisted") else "Twisted"
    subprocess.run([str(place.python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "pyftpdlib", twisted], check=True)
    _install_vsftpd()


def _make_tree(root: Path) -> None:
    """Files of the same octets in every run, and directories of small files."""
    piece = random.Random(959).randbytes(1 << 20)
    for name, size in _FILES.items():
        path = root / name
        if path.exists() and path.stat().st_size == size:
            continue
        with path.open("wb") as file:
            for at in range(0, size, len(piece)):
                file.write(piece[: size - at])
    for name, count in _DIRECTORIES.items():
        directory = root / name
        directory.mkdir(exist_ok=True)
        for number in range(len(os.listdir(directory)), count):
            (directory / f"some-file-name-{number:06}.tar.gz").write_bytes(b"x" * (number % 777))


def _install_vsftpd() -> None:
    """By apt-get, where that is possible; the service that the package brings is not left running."""
    if _vsftpd_program():
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print("vsftpd is missing; it is installed for root on Debian only. The others can be compared without it.", file=sys.stderr)
        return
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # invoke-rc.d starts nothing in runlevel 1
    subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "vsftpd"], env=quietly, check=True, stdin=subprocess.DEVNULL)
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--now", "vsftpd"], check=False, capture_output=True)


# --- commands ------------------------------------------------------------------------------------------------------------------------------------


def _vsftpd_program() -> str | None:
    return shutil.which("vsftpd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def _twistftp(place: Place, port: int) -> list[str]:
    twistd = Path(sys.executable).parent / "twistd"
    if not twistd.exists():
        raise Unavailable(f"{twistd} does not exist: run compare.py with a Python that has Twisted")
    return [str(twistd), "-n", "--pidfile=", "ftpsite", "--root", str(place.root), "--interface", _HOST, "--port", str(port)]


def _vsftpd(place: Place, port: int) -> list[str]:
    program = _vsftpd_program()
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
    configuration = place.directory / "vsftpd.conf"
    configuration.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return [program, str(configuration)]


def _peer(name: str) -> Callable[[Place, int], list[str]]:
    def command(place: Place, port: int) -> list[str]:
        if not place.python.exists():
            raise Unavailable(f"{place.python} does not exist: see --setup")
        return [str(place.python), str(_HERE / "peers.py"), name, str(port), str(place.root)]

    return command


SERVERS: dict[str, Callable[[Place, int], list[str]]] = {
    "twistftp": _twistftp, "vsftpd": _vsftpd, "pyftpdlib": _peer("pyftpdlib"), "twisted": _peer("twisted"),
}  # fmt: skip


def _environment(name: str, place: Place) -> dict[str, str]:
    """Compiled modules are kept for all, beside the tree; only twistftp sees the checkout, and only if it is not installed."""
    inherited = {key: value for key, value in os.environ.items() if key not in {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}}
    inherited["PYTHONPYCACHEPREFIX"] = str(place.directory / "pycache")
    if name == "twistftp" and not importlib.util.find_spec("twistftp"):
        inherited["PYTHONPATH"] = str(_HERE.parent)
    return inherited


# --- running -------------------------------------------------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A running server: a context manager, which ends what it started however the block is left."""

    def __init__(self, name: str, place: Place, *, proc: bool = False) -> None:
        self.port = _free_port()
        self.greeting = ""
        self.seconds_to_start = 0.0
        self._command = SERVERS[name](place, self.port)
        self._environment = _environment(name, place)
        self._directory = place.directory
        self._log = place.directory / f"{name}.log"
        self._name, self._proc = name, proc

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
