"""
How many instructions processes, and what comes from them, execute in user mode, counted by ``perf``: steadier than time on a machine that others use.

Not here: CPU time (``accounting``), which the kernel's share is in.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from types import TracebackType
from typing import Self

_EVENT = "instructions:u"
_PATIENCE = 10.0


class Instructions:
    """Counts until the block is left; then ``count`` has the number, or None where there is no perf, or no such counter."""

    def __init__(self, pids: list[int]) -> None:
        self.count: int | None = None
        self._pids = ",".join(map(str, pids))
        self._perf: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        program = shutil.which("perf")
        if program:
            # perf says on a pipe when it counts, and its figures on another.
            self._to, given = os.pipe(), os.pipe()
            self._said = given[0]
            command = [program, "stat", "-x,", "-e", _EVENT, "-p", self._pids, "--delay=-1", f"--control=fd:{self._to[0]},{given[1]}"]
            self._perf = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, pass_fds=(self._to[0], given[1]))
            os.close(self._to[0])
            os.close(given[1])
            os.write(self._to[1], b"enable\n")
            select.select([self._said], [], [], _PATIENCE)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._perf is None:
            return
        self._perf.send_signal(signal.SIGINT)
        try:
            _, found = self._perf.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._perf.kill()
            _, found = self._perf.communicate()
        os.close(self._to[1])
        os.close(self._said)
        line = next((line for line in found.splitlines() if _EVENT in line), "")
        number = line.partition(",")[0]
        self.count = int(number) if number.isdecimal() else None
