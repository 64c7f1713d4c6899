"""
Client programs as child processes of a test, in a directory of their own and without the user's settings.

Not here: what they should print.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from unittest import SkipTest

from attrs import frozen
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tests.support.running import in_time, until

__all__ = ["Outcome", "Program", "start"]

reactor: Any = installed_reactor

_PATIENCE = 30.0


@frozen
class Outcome:
    """How a program ended: exit status (``None``: by a signal), what it printed on each descriptor, and how long it took."""

    status: int | None
    output: str
    errors: str
    seconds: float


class Program(ProcessProtocol):
    """A program that runs; ``output`` and ``errors`` are what it has printed so far."""

    def __init__(self) -> None:
        self.output = b""
        self.errors = b""
        self._started = reactor.seconds()
        self._ended: Deferred[Outcome] = Deferred()
        self._has_ended = False

    def outReceived(self, data: bytes) -> None:
        self.output += data

    def errReceived(self, data: bytes) -> None:
        self.errors += data

    def processEnded(self, reason: Failure) -> None:
        self._has_ended = True
        status = getattr(reason.value, "exitCode", None)
        self._ended.callback(Outcome(status, _text(self.output), _text(self.errors), reactor.seconds() - self._started))

    async def says(self, octets: bytes) -> None:
        """Wait until it has printed this."""
        await until(lambda: octets in self.output + self.errors or self._has_ended, f"the program says {octets!r}")

    async def end(self) -> Outcome:
        """Wait for its end. One that takes too long is killed, and that fails."""
        return await in_time(self._ended, _PATIENCE)

    def close(self) -> Deferred[Outcome]:
        """Kill it if it still runs, and wait for that."""
        if not self._has_ended:
            self._ended = Deferred()
            self.transport.signalProcess("KILL")
        return self._ended


def start(directory: Path, *arguments: str, has_terminal: bool = False) -> Program:
    """
    Start a program.

    :param directory: where it works; also its home.
    :param has_terminal: whether it believes that a person types.
    :raises SkipTest: it is not installed.
    """
    path = shutil.which(arguments[0])
    if path is None:
        raise SkipTest(f"{arguments[0]} is not installed")
    program = Program()
    environment = {"HOME": str(directory), "TERM": "dumb", "LC_ALL": "C.UTF-8", "TZ": "UTC", "no_proxy": "*"}
    environment["PATH"] = os.environ.get("PATH", os.defpath)
    reactor.spawnProcess(program, path, arguments, environment, str(directory), usePTY=has_terminal)
    return program


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
