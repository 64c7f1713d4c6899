"""
A real ``twistd ftpsite`` as a child process.

Not here: what is asked of it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

CHECKOUT = Path(__file__).resolve().parent.parent.parent
_START = "from twisted.scripts.twistd import run; run()"
PATIENCE = 30.0
"""Seconds after which a child that has not said what it should is killed, so that a test fails instead of hanging."""


def command(*arguments: str) -> list[str]:
    """The command line of ``twistd`` with these arguments."""
    return [sys.executable, "-c", _START, *arguments]


def environment() -> dict[str, str]:
    """The environment in which the child finds the code under test."""
    path = os.pathsep.join(part for part in (str(CHECKOUT), os.environ.get("PYTHONPATH", "")) if part)
    return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def run(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a ``twistd`` that should end by itself."""
    return subprocess.run(
        command(*arguments),
        cwd=directory,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Twistd:
    """
    A ``twistd -n`` that runs until the end of the ``with`` block; ``lines`` are those of its log read so far.

    :param by: a command that starts the command behind it, such as ``env``.
    """

    def __init__(self, *arguments: str, directory: Path, by: Sequence[str] = ()) -> None:
        self._arguments, self._directory, self._by = arguments, directory, by
        self.lines: list[str] = []

    def __enter__(self) -> Twistd:
        self.process = subprocess.Popen(
            [*self._by, *command("-n", "--pidfile=", *self._arguments)],
            cwd=self._directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._watchdog = threading.Timer(PATIENCE, self.process.kill)
        self._watchdog.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read the log up to a line in which ``pattern`` is found."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"the server ended without saying {pattern!r}:\n" + "\n".join(self.lines))

    def port(self) -> int:
        """Wait for the start line; the port that it names."""
        return int(self.wait_for(r"serving .* on port (\d+) of ")[1])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Read the rest of the log and give the exit status."""
        rest, _ = self.process.communicate()
        self.lines.extend(rest.splitlines())
        return self.process.returncode
