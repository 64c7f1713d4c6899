"""
The load generator: plays FTP clients against a server on 127.0.0.1, as a process of its own that ``compare`` drives by lines on its pipes.

Not here: anything of the server's process, and which works there are (``compare``).

Plain blocking sockets, one thread for each client. It is not a fast generator and need not be: what is compared first is the CPU that the *server*
spends on an operation, which depends on how fast it is asked far less than rates and latencies do. Those hold us back alike for all servers, so
a fast server's lead in them comes out too small. Data is dropped inside the kernel (MSG_TRUNC): receiving costs the shared machine little.

The dialogue: we log in, say {"ready": true}, and play one round for each line "go", answering with its figures. The end of the input ends us.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_HOST = "127.0.0.1"
_PATIENCE = 60.0  # seconds for any one thing that a server has to do
_LONGEST_LINE = 4096
_MOST_LINES = 1000  # of one reply
_PIECE = 1 << 20
_DROP = socket.MSG_TRUNC if sys.platform == "linux" else 0  # tcp(7): the octets are discarded, not copied
_SINK = bytearray(_PIECE)  # shared by all threads: nobody reads it
_PASV_PORT = re.compile(rb"(\d+),(\d+)\D*$")


class Failed(Exception):
    """A server did not do what a work asks of it; the text says what."""


class Session:
    """One control connection."""

    def __init__(self, port: int) -> None:
        self._control = socket.create_connection((_HOST, port), _PATIENCE)
        self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._control.makefile("rb")
        self._expect("greeting", b"220")

    def _expect(self, what: str, *starts: bytes) -> bytes:
        """The next reply, which must start in one of these ways. Lines of a reply before its last are skipped."""
        for _ in range(_MOST_LINES):
            line = self._replies.readline(_LONGEST_LINE)
            if not line:
                raise Failed(f"{what}: the server closed the connection")
            if line[:3].isdigit() and line[3:4] in {b" ", b"\r"}:
                if line.startswith(starts):
                    return line
                raise Failed(f"{what}: {line.decode('utf-8', 'replace').strip()}")
        raise Failed(f"{what}: a reply without end")

    def command(self, line: str, *starts: bytes) -> bytes:
        """Send a command; its reply must start in one of these ways."""
        self._control.sendall(line.encode() + b"\r\n")
        return self._expect(line.partition(" ")[0], *starts)

    def login(self) -> None:
        """Anonymously."""
        if self.command("USER anonymous", b"331", b"230").startswith(b"331"):
            self.command("PASS bench@example.org", b"230")

    def pipeline(self, count: int) -> None:
        """Send ``count`` NOOPs at once, then read the replies."""
        self._control.sendall(b"NOOP\r\n" * count)
        for _ in range(count):
            self._expect("NOOP", b"200")

    def retrieve(self, command: str, *, look: bool = False) -> tuple[int, int]:
        """PASV and a transfer; gives the octets, and the lines among them if we are to ``look``."""
        passive = _PASV_PORT.search(self.command("PASV", b"227"))
        if not passive:
            raise Failed("PASV: a reply without a port")
        octets = lines = 0
        # The address in the reply is not looked at: we talk to loopback only.
        with socket.create_connection((_HOST, int(passive[1]) * 256 + int(passive[2])), _PATIENCE) as data:
            self.command(command, b"150", b"125")
            while got := data.recv_into(_SINK, _PIECE, 0 if look else _DROP):
                octets += got
                lines += _SINK.count(b"\n", 0, got) if look else 0
        self._expect(command, b"226", b"250")
        return octets, lines

    def quit(self) -> None:
        """In good order."""
        self.command("QUIT", b"221")
        self.drop()

    def drop(self) -> None:
        """Close without a word."""
        self._replies.close()
        self._control.close()


@dataclass
class Client:
    """One of the clients of a round; a thread's own while the round lasts."""

    options: argparse.Namespace
    sessions: list[Session] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    octets: int = 0
    failure: str | None = None

    def open(self) -> Session:
        """A new session, logged in, and kept."""
        session = Session(self.options.port)
        self.sessions.append(session)
        session.login()
        return session

    def log_in_and_out(self) -> None:
        """One operation of ``login``."""
        self.open().quit()
        self.sessions.clear()

    def noop(self) -> None:
        """One operation of ``noop``."""
        self.sessions[0].command("NOOP", b"200")

    def transfer(self) -> None:
        """One operation of ``retr`` and the listings; a file of the wrong size is a failure."""
        verb = self.options.kind.upper()
        octets, _ = self.sessions[0].retrieve(f"{verb} {self.options.path}")
        if verb == "RETR" and octets != self.options.expect:
            raise Failed(f"RETR: {octets} octets instead of {self.options.expect}")
        self.octets += octets

    def rehearse(self) -> None:
        """Once before what is measured: fills the caches of both sides, and looks whether a listing is complete."""
        kind = self.options.kind
        if kind in {"list", "mlsd"}:
            _, lines = self.sessions[0].retrieve(f"{kind.upper()} {self.options.path}", look=True)
            if lines < self.options.expect:
                raise Failed(f"{kind.upper()}: {lines} lines instead of {self.options.expect}")
        elif kind == "idle":
            self.log_in_and_out()
        elif kind == "pipe":
            self.noop()
        else:
            OPERATIONS[kind](self)
        self.octets = 0

    def play(self, start: threading.Barrier) -> None:
        """All operations of a round; the first failure ends it."""
        kind, count = self.options.kind, self.options.count
        start.wait(_PATIENCE)
        try:
            if kind == "pipe":
                self.sessions[0].pipeline(count)
                return
            for _ in range(count):
                began = time.perf_counter()
                OPERATIONS[kind](self)
                self.latencies.append(time.perf_counter() - began)
        except (Failed, OSError) as error:
            self.failure = str(error) or type(error).__name__


OPERATIONS: dict[str, Callable[[Client], object]] = {
    "login": Client.log_in_and_out,
    "idle": Client.open,
    "noop": Client.noop,
    "retr": Client.transfer,
    "list": Client.transfer,
    "mlsd": Client.transfer,
}


def play_round(clients: list[Client]) -> dict[str, object]:
    """Let all clients play at once; the figures of what they did."""
    options = clients[0].options
    start = threading.Barrier(len(clients) + 1)
    threads = [threading.Thread(target=client.play, args=(start,), daemon=True) for client in clients]
    for client, thread in zip(clients, threads, strict=True):
        client.latencies, client.octets, client.failure = [], 0, None
        thread.start()
    start.wait(_PATIENCE)
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    failures = [client.failure for client in clients if client.failure]
    if failures:
        return {"failed": f"{len(failures)} of {len(clients)} clients, the first: {failures[0]}" if len(clients) > 1 else failures[0]}
    latencies = sorted(latency for client in clients for latency in client.latencies)
    return {
        "operations": options.count * len(clients),
        "octets": sum(client.octets for client in clients),
        "seconds": seconds,
        "p99": latencies[int(len(latencies) * 0.99)] if latencies else None,
    }


def _say(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    """Log in, then play a round for each line of the input."""
    parser = argparse.ArgumentParser(description="The load generator of compare.py.")
    parser.add_argument("kind", choices=[*OPERATIONS, "pipe"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--count", type=int, default=1, help="operations of each client")
    parser.add_argument("--path", default="/")
    parser.add_argument("--expect", type=int, default=0, help="size of the file, or the least number of lines")
    options = parser.parse_args()
    threading.stack_size(512 << 10)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    clients = [Client(options) for _ in range(options.clients)]
    try:
        for client in clients:
            if options.kind not in {"login", "idle"}:
                client.open().command("TYPE I", b"200")
        clients[0].rehearse()
    except (Failed, OSError) as error:
        _say({"failed": str(error) or type(error).__name__})
        return
    _say({"ready": True})
    for _ in sys.stdin:
        _say(play_round(clients))
    for client in clients:
        for session in client.sessions:
            session.drop()


if __name__ == "__main__":
    main()
