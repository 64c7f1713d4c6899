"""
What a twistftp holds, sample by sample: descriptors, listeners, threads, memory, and what its control socket tells; and whether that grows.

Not here: what is done to it meanwhile (``soak``).
"""

from __future__ import annotations

import json
import os
import socket
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from accounting import anonymous_kib

_PATIENCE = 60.0  # seconds
_LISTENING = "0A"  # /proc/net/tcp


class Sample(NamedTuple):
    """At one time; ``kib`` is memory of its own."""

    seconds: float
    descriptors: int  # without listeners
    listeners: int
    threads: int
    kib: float
    sessions: int
    leases: int
    connections: int  # data connections
    transfers: int
    delayed_calls: int

    @property
    def is_calm(self) -> bool:
        """Whether nobody is there."""
        return not (self.sessions or self.leases or self.connections or self.transfers)


# By how much a measure may have grown at the end, and what a line through it may gain between the first calm sample and the last.
TOLERANCE: Mapping[str, float] = {
    "descriptors": 2,
    "listeners": 8,  # some ports stay open for a while
    "threads": 10,  # of Twisted's pool, which makes them when they are first wanted
    "kib": 6 << 10,  # what the allocator keeps depends on what came together by chance
    "sessions": 0,
    "leases": 0,
    "connections": 0,
    "transfers": 0,
    "delayed_calls": 4,
}


class Watch:
    """
    Looks at a process; its control socket stays open meanwhile, or there would be a descriptor more at some times than at others.

    :raises OSError: there is no such socket.
    """

    def __init__(self, pid: int, path: str) -> None:
        self._pid = pid
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_PATIENCE)
        self._socket.connect(path)
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        """Look no more."""
        self._answers.close()
        self._socket.close()

    def sample(self, seconds: float) -> Sample:
        """
        Now, which is ``seconds`` after the beginning.

        :raises OSError: the process is gone, or does not answer.
        """
        told = self._ask("status")
        (site,), pool = told["sites"], told["pool"]
        descriptors, listeners = self._descriptors()
        return Sample(
            seconds=seconds,
            descriptors=descriptors - listeners,
            listeners=listeners,
            threads=len(os.listdir(f"/proc/{self._pid}/task")),
            kib=anonymous_kib([self._pid]),
            sessions=site["sessions"],
            leases=pool["leases"],
            connections=pool["connections"],
            transfers=site["transfers_under_way"],
            delayed_calls=told["delayed_calls"],
        )

    def totals(self) -> dict[str, Any]:
        """What was done so far."""
        (site,) = self._ask("status")["sites"]
        return {key: site[key] for key in ("sessions_total", "logins", "transfers", "verdicts")}

    def _ask(self, command: str) -> Any:
        self._socket.sendall(json.dumps({"command": command}).encode() + b"\n")
        line = self._answers.readline()
        if not line:
            raise ConnectionError("the server has closed its control socket")
        return json.loads(line)

    def _descriptors(self) -> tuple[int, int]:
        """All, and how many of them are TCP sockets that listen."""
        targets = []
        for name in os.listdir(f"/proc/{self._pid}/fd"):
            try:
                targets.append(os.readlink(f"/proc/{self._pid}/fd/{name}"))
            except OSError:
                continue  # closed meanwhile
        listening = {f"socket:[{inode}]" for inode in _listening_inodes(self._pid)}
        return len(targets), sum(target in listening for target in targets)


def _listening_inodes(pid: int) -> set[str]:
    found = set()
    for name in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{name}")
        rows = [line.split() for line in path.read_text().splitlines()[1:]] if path.exists() else []
        found |= {row[9] for row in rows if row[3] == _LISTENING}
    return found


@dataclass(frozen=True)
class Growth:
    """Of a measure over the calm samples: from where to where, and what a line through them gains."""

    measured: str
    first: float
    last: float
    gain: float
    tolerance: float

    @property
    def is_leak(self) -> bool:
        """Whether both are more than chance makes."""
        return min(self.last - self.first, self.gain) > self.tolerance


def growths(calm: list[Sample], tolerance: Mapping[str, float] = TOLERANCE) -> list[Growth]:
    """
    Of all measures. The first quarter of the samples is the warming up; levels are medians of some samples, and the line is Theil's and
    Sen's, so that one odd sample changes nothing.

    :param tolerance: by measure, where it is another than ``TOLERANCE``.
    """
    counted = calm[len(calm) // 4 :]
    few = max(1, len(counted) // 4)
    found = []
    for measured in TOLERANCE:
        values = [float(getattr(sample, measured)) for sample in counted]
        times = [sample.seconds for sample in counted]
        places = list(zip(times, values, strict=True))
        slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(places, 2) if x2 > x1]
        gain = statistics.median(slopes) * (times[-1] - times[0]) if slopes else 0.0
        tolerated = tolerance.get(measured, TOLERANCE[measured])
        found.append(Growth(measured, statistics.median(values[:few]), statistics.median(values[-few:]), gain, tolerated))
    return found
