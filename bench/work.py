"""
A work, and the process that does it: the load generator, driven by lines on its pipes.

Not here: which works there are (``compare``, ``latency``), and what the generator does (``load``).
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from servers import SERVERS, Server, Service

_HERE = Path(__file__).resolve().parent
_ROUND_LIMIT = 180.0  # seconds


class WorkFailed(Exception):
    """A round came to nothing; the text says why."""


@dataclass(frozen=True)
class Work:
    """Something to ask of a server: ``clients`` at once, each ``count`` times."""

    title: str
    unit: str
    kind: str
    clients: int = 1
    count: int = 1
    path: str = "/"
    expect: int = 0
    tls: bool = False
    is_rehearsed: bool = True
    sessions: int = 1  # of each client
    anew: bool = False  # a listing that is not to come from the server's memory
    synced: bool = False  # an upload that is to be on the disk when it is answered

    @property
    def service(self) -> Service:
        """What a server has to be set up for."""
        return Service(tls=self.tls, writing=self.kind == "stor", anew=self.anew, synced=self.synced)

    def lacking(self, name: str) -> str | None:
        """What the server ``name`` does not have of what this asks for."""
        wanted = ["TLS"] if self.tls else []
        return next((thing for thing in [*wanted, self.kind.upper()] if thing in SERVERS[name].lacks), None)

    def divided(self, by: int) -> Work:
        """The same with fewer operations; fewer clients where each has one only."""
        return replace(self, count=max(1, self.count // by)) if self.count > 1 else replace(self, clients=max(1, self.clients // by))


class Child:
    """A process of ours that says a line of JSON and waits for one of ours; it ends with the block."""

    def __init__(self, program: str, server: Server, words: list[object], by: list[str] | None = None) -> None:
        user, password = server.login
        command = [*(by or []), sys.executable, _HERE / program, *words, "--port", server.port, "--user", user, "--password", password]
        self._command = list(map(str, command))

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        return self

    def __exit__(self, *error: object) -> None:
        self._to.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._from.close()

    def answer(self) -> dict[str, Any]:
        """Its next line; it writes one at a time and waits for us then."""
        if not select.select([self._from], [], [], _ROUND_LIMIT)[0]:
            raise WorkFailed(f"no end within {_ROUND_LIMIT:.0f} s")
        line = self._from.readline()
        found: dict[str, Any] = json.loads(line) if line else {"failed": "the generator ended"}
        if "failed" in found:
            raise WorkFailed(found["failed"])
        return found

    def go(self) -> None:
        """Write the line that it waits for."""
        self._to.write(b"go\n")
        self._to.flush()


class Load(Child):
    """The load generator, set up for a work."""

    def __init__(self, work: Work, server: Server, by: list[str] | None = None) -> None:
        words: list[object] = [work.kind, "--clients", work.clients, "--count", work.count, "--path", work.path, "--expect", work.expect]
        words += ["--sessions", work.sessions]
        words += ["--tls"] if work.tls else []
        words += [] if work.is_rehearsed else ["--unrehearsed"]
        super().__init__("load.py", server, words, by)

    def round(self) -> dict[str, Any]:
        """Play a round."""
        self.go()
        return self.answer()
