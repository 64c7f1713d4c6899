"""
Networks of one's own: client, router and server as network namespaces of the kernel, with real firewalls between them.

Not here: what is tried across them. Nothing of the host's own network is touched, and everything is gone at the end.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import select
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType

from tests.support.twistd import PATIENCE, Twistd

__all__ = ["Laboratory", "Namespace", "missing", "reply_of"]

_CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)


@cache
def missing() -> str:
    """Why there can be no laboratory here; ``""`` if there can."""
    absent = [tool for tool in ("ip", "nft") if shutil.which(tool) is None]
    if absent:
        return f"without {' and '.join(absent)} there are no namespaces and firewalls"
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces are for root"
    try:
        with Namespace("probe") as probe:
            probe.nft("table inet probe { chain c { type filter hook input priority 0; ct state new accept; }; }")
    except (OSError, subprocess.SubprocessError) as error:
        return f"network namespaces or nftables are not permitted here ({error})"
    return ""


def _run(*argv: str, text: str = "") -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def _enter(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """One machine of the laboratory, for as long as the ``with`` block lasts."""

    def __init__(self, role: str) -> None:
        self.name = f"twistftp-{os.getpid()}-{next(_numbers)}-{role}"

    def __enter__(self) -> Namespace:
        _run("ip", "netns", "add", self.name)
        try:
            self._descriptor = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
            self.ip("link set lo up")
        except OSError:
            _run("ip", "netns", "del", self.name)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        os.close(self._descriptor)
        _run("ip", "netns", "del", self.name)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that are made and processes that are started in the block belong to this machine, and go on doing so after it."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(self._descriptor)
            try:
                yield
            finally:
                _enter(here)
        finally:
            os.close(here)

    def ip(self, *lines: str) -> None:
        """Commands of ip(8), one a line."""
        _run("ip", "-n", self.name, "-batch", "-", text="\n".join(lines) + "\n")

    def nft(self, rules: str) -> None:
        """Add rules of nft(8)."""
        _run("ip", "netns", "exec", self.name, "nft", "-f", "-", text=rules)

    def counter(self, name: str) -> int:
        """The packets that a named counter of ``table inet lab`` has seen."""
        told = json.loads(_run("ip", "netns", "exec", self.name, "nft", "-j", "list", "counter", "inet", "lab", name))
        return int(next(item["counter"]["packets"] for item in told["nftables"] if "counter" in item))

    def forward(self) -> None:
        """Be a router."""
        with self.inside():
            for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                path = Path("/proc/sys/net", switch)
                if path.exists():
                    path.write_text("1")

    def run(self, *argv: str) -> subprocess.CompletedProcess[bytes]:
        """Run a program on this machine to its end."""
        with self.inside():
            return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start a program on this machine."""
        with self.inside():
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def connect(self, address: tuple[str, int], source: str = "", timeout: float = PATIENCE) -> socket.socket:
        """Connect from this machine by TCP."""
        with self.inside():
            return socket.create_connection(address, timeout, (source, 0) if source else None)


class Laboratory:
    """
    ``client`` -- ``router`` -- ``server``, as documentation addresses: 198.51.100.0/24 and 2001:db8:1::/64 on the client's side
    (.10, and 32 more from .101 on), 203.0.113.0/24 and 2001:db8:2::/64 on the server's (.20). The router has .1 on each.

    ``client_net`` and ``server_net`` replace the first three numbers of the IPv4 addresses of a side.
    """

    def __init__(self, client_net: str = "198.51.100", server_net: str = "203.0.113", ipv4: bool = True) -> None:
        self.client_net, self.server_net, self._ipv4 = client_net, server_net, ipv4
        self.client_address, self.server_address = f"{client_net}.10", f"{server_net}.20"
        self.client_addresses = [f"{client_net}.{number}" for number in range(101, 133)]
        self.client_address6, self.server_address6 = "2001:db8:1::10", "2001:db8:2::20"
        self._stack = ExitStack()

    def __enter__(self) -> Laboratory:
        with ExitStack() as stack:
            self.client, self.router, self.server = (stack.enter_context(Namespace(role)) for role in ("client", "router", "server"))
            self._link(self.client, self.client_net, "2001:db8:1::", 10, "c0")
            self._link(self.server, self.server_net, "2001:db8:2::", 20, "s0")
            self.router.forward()
            if self._ipv4:
                self.client.ip(*(f"address add {address}/24 dev eth0" for address in self.client_addresses))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self._stack.close()

    def _link(self, end: Namespace, net: str, net6: str, number: int, name: str) -> None:
        end.ip(f"link add eth0 type veth peer name {name} netns {self.router.name}")
        four = [f"address add {net}.{number}/24 dev eth0"] if self._ipv4 else []
        four_router = [f"address add {net}.1/24 dev {name}"] if self._ipv4 else []
        route = [f"route add default via {net}.1"] if self._ipv4 else []
        end.ip(*four, f"address add {net6}{number}/64 dev eth0 nodad", "link set eth0 up")
        self.router.ip(*four_router, f"address add {net6}1/64 dev {name} nodad", f"link set {name} up")
        end.ip(*route, f"route add default via {net6}1")

    @contextmanager
    def serving(self, directory: Path, *options: str, config: str = "") -> Iterator[Twistd]:
        """
        ``twistd ftpsite`` on port 21 of the server, started and ready. ``directory`` gets the root ``pub`` (made if it is not there).

        :param config: more of the configuration file's ``[[site]]``, such as its tables ``[site.limits]``.
        """
        root = directory / "pub"
        root.mkdir(exist_ok=True)
        file = directory / "ftp.toml"
        file.write_text(f'[[site]]\nroot = "pub"\nport = 21\n{config}\n')
        server = Twistd("ftpsite", "--config", str(file), *options, directory=directory)
        with ExitStack() as stack:
            with self.server.inside():
                stack.enter_context(server)
            server.port()
            yield server


def reply_of(control: socket.socket, octets: bytearray) -> str:
    """The next reply on a control connection, with its lines; ``octets`` keeps what has come behind it."""
    while True:
        lines = bytes(octets).split(b"\r\n")
        for number, line in enumerate(lines[:-1]):
            if line[:4] == lines[0][:3] + b" ":
                reply = b"\r\n".join(lines[: number + 1])
                del octets[: len(reply) + 2]
                return reply.decode()
        if not select.select([control], [], [], PATIENCE)[0]:
            raise AssertionError(f"no reply within {PATIENCE} s; so far {bytes(octets)!r}")
        if not (more := control.recv(65536)):
            raise AssertionError(f"the control connection has ended; so far {bytes(octets)!r}")
        octets += more
