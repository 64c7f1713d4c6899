"""
The load generator: lets FTP clients work against a server on 127.0.0.1, as a process of its own that ``compare`` drives by lines on its pipes.

Not here: what a client says (``client``), anything of the server's process, and which works there are (``compare``).

One thread for each client. It is not a fast generator and need not be: what is compared first is the CPU that the *server* spends on an operation,
which depends on how fast it is asked far less than rates and latencies do. Those hold us back alike for all servers, so a fast server's lead in them
comes out too small.

The dialogue: we log in, say {"ready": true, …}, and play one round for each line "go", answering with its figures. The end of the input ends us.
"""

from __future__ import annotations

import argparse
import json
import resource
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from client import Failed, Session, tls_context

_PATIENCE = 60.0  # seconds until all clients are at the start


@dataclass
class Client:
    """One of the clients of a round; a thread's own while the round lasts."""

    options: argparse.Namespace
    number: int = 0
    context: ssl.SSLContext | None = None
    sessions: list[Session] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    octets: int = 0
    stored: int = 0  # files of this round
    failure: str | None = None
    cipher: str = ""  # of the latest session

    def open(self) -> Session:
        """A new session, logged in, and kept."""
        session = Session(self.options.port, self.context)
        self.sessions.append(session)
        self.cipher = session.cipher
        session.login(self.options.user, self.options.password)
        return session

    def ask_all(self) -> None:
        """One operation of ``hold``: NOOP in each session, one after the other."""
        for session in self.sessions:
            session.command("NOOP", b"200")

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

    def hash(self) -> None:
        """One operation of ``hash``."""
        self.sessions[0].command(f"HASH {self.options.path}", b"213")

    def upload(self) -> None:
        """One operation of ``stor``; each makes a file of its own, whose size ``compare`` looks at."""
        self.sessions[0].store(f"{self.options.path}/{self.number}-{self.stored}", self.options.expect)
        self.stored += 1
        self.octets += self.options.expect

    def rehearse(self) -> None:
        """Once before what is measured: fills the caches of both sides, and looks whether a listing is complete."""
        kind = self.options.kind
        if kind in {"list", "mlsd"} and not self.options.unrehearsed:
            _, lines = self.sessions[0].retrieve(f"{kind.upper()} {self.options.path}", look=True)
            if lines < self.options.expect:
                raise Failed(f"{kind.upper()}: {lines} lines instead of {self.options.expect}")
        elif self.options.unrehearsed:
            pass
        elif kind == "idle":
            self.log_in_and_out()
        elif kind == "pipe":
            self.noop()
        else:
            OPERATIONS[kind](self)
        self.begin()

    def begin(self) -> None:
        """Forget what was counted."""
        self.latencies, self.octets, self.stored, self.failure = [], 0, 0, None
        for session in self.sessions:
            session.transfers = session.resumed = 0

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
    "stor": Client.upload,
    "hash": Client.hash,
    "hold": Client.ask_all,
}


TRANSFERS = {"retr", "list", "mlsd", "stor"}


def play_round(clients: list[Client]) -> dict[str, object]:
    """Let all clients play at once; the figures of what they did."""
    options = clients[0].options
    start = threading.Barrier(len(clients) + 1)
    threads = [threading.Thread(target=client.play, args=(start,), daemon=True) for client in clients]
    for client, thread in zip(clients, threads, strict=True):
        client.begin()
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
    sessions = [session for client in clients for session in client.sessions]
    return {
        "operations": options.count * len(clients),
        "octets": sum(client.octets for client in clients),
        "seconds": seconds,
        "p99": latencies[int(len(latencies) * 0.99)] if latencies else None,
        "transfers": sum(session.transfers for session in sessions),
        "resumed": sum(session.resumed for session in sessions),
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
    parser.add_argument("--sessions", type=int, default=1, help="of each client, all open at once")
    parser.add_argument("--path", default="/")
    parser.add_argument("--expect", type=int, default=0, help="size of the file, or the least number of lines")
    parser.add_argument("--unrehearsed", action="store_true", help="do nothing once before: what is measured should find the caches cold")
    parser.add_argument("--user", default="anonymous")
    parser.add_argument("--password", default="bench@example.org")
    parser.add_argument("--tls", action="store_true", help="AUTH TLS, and PROT P for transfers")
    options = parser.parse_args()
    threading.stack_size(512 << 10)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = tls_context() if options.tls else None
    clients = [Client(options, number, context) for number in range(options.clients)]
    try:
        for client in clients:
            for _ in range(options.sessions if options.kind not in {"login", "idle"} else 0):
                client.open()
            if options.kind in TRANSFERS:
                client.sessions[0].prepare_transfers()
        clients[0].rehearse()
    except (Failed, OSError) as error:
        _say({"failed": str(error) or type(error).__name__})
        return
    _say({"ready": True, "cipher": clients[0].cipher})
    for _ in sys.stdin:
        _say(play_round(clients))
    for client in clients:
        for session in client.sessions:
            session.drop()


if __name__ == "__main__":
    main()
