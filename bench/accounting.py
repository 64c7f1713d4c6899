"""
CPU time and anonymous memory of a server: its first process and everything that came from it.

Not here: starting and ending servers (``servers``). Linux only, as the sources are: cgroups, or else ``/proc``.

A cgroup counts every process that ever was in it. ``/proc`` counts a child that has ended only if its parent waited for it, and then in ticks of
10 ms: enough for servers of one process, and rough for those that fork.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_REMOVAL_TRIES = 20


class ProcessId(NamedTuple):
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: int


class _Stat(NamedTuple):
    parent: int
    own: int  # ticks of CPU
    children: int  # ticks of those that ended and that it waited for
    started: int


def _stat(pid: int) -> _Stat | None:
    """What ``/proc`` says of a process (proc(5)); None once it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name, in brackets, may have blanks and brackets in it; what follows it starts with field 3.
    fields = text.rpartition(")")[2].split()
    return _Stat(parent=int(fields[1]), own=sum(map(int, fields[11:13])), children=sum(map(int, fields[13:15])), started=int(fields[19]))


def _seconds(pid: int) -> float:
    """CPU of a process and of the children it waited for. The scheduler's own count is finer than ticks, where the kernel keeps one."""
    stat = _stat(pid)
    if not stat:
        return 0.0
    nanoseconds = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            nanoseconds += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    except OSError:
        pass  # it ended meanwhile, or there is no such count: the ticks are what we know
    return max(nanoseconds / 1e9, stat.own * _TICK) + stat.children * _TICK


def identify(pids: Iterable[int]) -> list[ProcessId]:
    """Those of ``pids`` that live, each with the time it was started."""
    return [ProcessId(pid, stat.started) for pid in pids if (stat := _stat(pid))]


def lives(process: ProcessId) -> bool:
    """Whether this very process still exists."""
    stat = _stat(process.pid)
    return stat is not None and stat.started == process.started


def _descendants(first: int) -> list[int]:
    """``first`` and what came from it, as far as their parents live."""
    children: dict[int, list[int]] = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):
        if stat := _stat(pid):
            children.setdefault(stat.parent, []).append(pid)
    found = [first]
    for pid in found:  # grows while it is read: breadth first
        found += children.get(pid, [])
    return found


def seconds_each(first: int) -> dict[int, float]:
    """CPU until now of ``first`` and of each process that came from it and lives."""
    return {pid: _seconds(pid) for pid in _descendants(first)}


def anonymous_kib(pids: Iterable[int]) -> float:
    """
    The sum of ``Pss_Anon``: memory of their own, a page that n processes share counted as 1/n in each.

    What the kernel holds for a process or a socket is not in it.
    """
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it ended meanwhile
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:")), 0)
    return total


class Account(Protocol):
    """Counts for one server."""

    @property
    def method(self) -> str:
        """Where the counts come from."""

    def enter(self) -> None:
        """Called in the server's first process, before it becomes the server."""

    def pids(self, first: int) -> list[int]:
        """The numbers of the processes that live, ``first`` being the one that was started."""

    def cpu(self, first: int) -> float:
        """Seconds of CPU until now, user and system."""

    def close(self) -> None:
        """Count no more; the processes have ended."""


@dataclass(frozen=True)
class ProcAccount:
    """Reads ``/proc``."""

    method: str = "/proc"

    def enter(self) -> None:
        """Nothing to do."""

    def pids(self, first: int) -> list[int]:
        """``first`` and its descendants."""
        return _descendants(first)

    def cpu(self, first: int) -> float:
        """The times of those that live and of those they waited for."""
        return sum(map(_seconds, self.pids(first)))

    def close(self) -> None:
        """Nothing to do."""


@dataclass(frozen=True)
class CgroupAccount:
    """A group of its own in the cpuacct hierarchy of cgroup v1."""

    group: Path
    method: str = field(default="cgroup cpuacct")

    def enter(self) -> None:
        """Put the calling process into the group; its children follow."""
        (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self, first: int) -> list[int]:
        """All that are in the group."""
        return [int(pid) for pid in (self.group / "cgroup.procs").read_text().split()]

    def cpu(self, first: int) -> float:
        """What the group has used since it was made."""
        return int((self.group / "cpuacct.usage").read_text()) / 1e9

    def close(self) -> None:
        """Remove the group; it takes the kernel a moment to notice that the last process has gone."""
        for _ in range(_REMOVAL_TRIES):
            try:
                self.group.rmdir()
            except OSError:
                time.sleep(0.05)
            else:
                return


@dataclass(frozen=True)
class UnifiedCgroupAccount(CgroupAccount):
    """A group of its own in cgroup v2, whose ``cpu.stat`` needs no controller."""

    method: str = field(default="cgroup v2")

    def cpu(self, first: int) -> float:
        """What the group has used since it was made."""
        words = (self.group / "cpu.stat").read_text().split()
        return int(words[words.index("usage_usec") + 1]) / 1e6


def open_account(name: str, *, proc: bool = False) -> Account:
    """The best account there is: a cgroup that we may make, unless ``proc`` asks for the other one."""
    kinds = [(CgroupAccount, Path("/sys/fs/cgroup/cpuacct"), "cpuacct.usage"), (UnifiedCgroupAccount, Path("/sys/fs/cgroup"), "cgroup.controllers")]
    for kind, hierarchy, sign in kinds:
        if proc or not (hierarchy / sign).exists():
            continue
        group = hierarchy / f"twistftp-compare-{os.getpid()}-{name}"
        try:
            group.mkdir(exist_ok=True)
        except OSError:
            continue
        account = kind(group)
        if os.access(group / "cgroup.procs", os.W_OK):
            return account
        account.close()
    return ProcAccount()
