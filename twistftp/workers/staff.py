"""
The workers of a server: hired, replaced when they end, never in a hurry if they end again and again.

Not here: how a process is made (``child``), and what workers are told (``supervisor``).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from twistftp.workers.channel import Channel

__all__ = ["Member", "Staff"]

STEADY = 10.0
"""Seconds after which a worker that ends has not failed at its start."""
LONGEST = 30.0
"""Seconds between two attempts at most."""
_LOOK = 0.01


@define(eq=False)
class Member:
    """A worker, as the supervisor sees it."""

    slot: int
    pid: int
    channel: Channel
    started: float
    doors: set[int] = field(factory=set)
    """The ports that it was given."""
    last: dict[str, Any] | None = field(default=None)
    """What it has reported last."""

    @property
    def name(self) -> str:
        """How the log calls it."""
        return f"worker {self.slot + 1} (process {self.pid})"


class Staff:
    """
    All workers.

    :param clock: something with Twisted's ``seconds`` and ``callLater``.
    :param hire: makes the worker of a slot; raises ``OSError`` if that cannot be. Its end is told with :meth:`left`.
    :param gone: called with a worker that has ended, before there is another.
    :param reap: the status of a child that has ended, as ``os.waitpid`` gives it, ``None`` while it has not.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        count: int,
        hire: Callable[[int], Member],
        gone: Callable[[Member], object],
        reap: Callable[[int], int | None] | None = None,
    ) -> None:
        self._clock, self._count, self._hire, self._gone, self._reap = clock, count, hire, gone, reap or _reap
        self._members: dict[int, Member] = {}
        self._leaving: dict[int, Member] = {}
        self._delays: dict[int, float] = {}
        self._calls: dict[int, Any] = {}
        self._ended: Deferred[None] | None = None
        self.replaced = 0
        """How many were hired in the place of one that ended."""

    def __iter__(self) -> Iterator[Member]:
        return iter([self._members[slot] for slot in sorted(self._members)])

    def __len__(self) -> int:
        return len(self._members)

    @property
    def leaving(self) -> list[Member]:
        """Those whose end has not been told yet."""
        return list(self._leaving.values())

    def begin(self) -> None:
        """Hire all."""
        for slot in range(self._count):
            self._fill(slot)

    def _fill(self, slot: int) -> None:
        self._calls.pop(slot, None)
        try:
            self._members[slot] = self._hire(slot)
        except OSError as error:
            delay = self._next_delay(slot)
            text = "worker {number} cannot be started ({error}); the next attempt is in {delay:g} s"
            self._log.error(text, number=slot + 1, error=error.strerror or error, delay=delay)
            self._later(slot, delay)

    def _next_delay(self, slot: int) -> float:
        delay = self._delays.get(slot, 0.0)
        self._delays[slot] = min(LONGEST, delay * 2 or 0.5)
        return delay or 0.5

    def _later(self, slot: int, delay: float) -> None:
        self._calls[slot] = self._clock.callLater(delay, self._fill, slot)

    def left(self, member: Member) -> None:
        """A worker's channel has ended, so the worker has, or does just now."""
        if self._members.get(member.slot) is member:
            del self._members[member.slot]
            self._leaving[member.slot] = member
            self._bury(member)

    def _bury(self, member: Member) -> None:
        status = self._reap(member.pid)
        if status is None:
            self._clock.callLater(_LOOK, self._bury, member)
            return
        del self._leaving[member.slot]
        self._gone(member)
        if self._ended is not None:
            if status:
                self._log.warn("{name} {how}", name=member.name, how=_how(status))
            self._look_if_empty()
            return
        slot = member.slot
        if self._clock.seconds() - member.started >= STEADY:
            self._delays.pop(slot, None)
        delay = self._delays.get(slot, 0.0)
        self._next_delay(slot)
        when = f"another takes its place in {delay:g} s" if delay else "another takes its place"
        tell = self._log.error if status else self._log.info
        tell("{name} {how}; {when}", name=member.name, how=_how(status), when=when)
        self.replaced += 1
        if delay:
            self._later(slot, delay)
        else:
            self._fill(slot)

    def end(self) -> Deferred[None]:
        """Hire nobody any more; fires when all have ended."""
        ended: Deferred[None] = Deferred()
        self._ended = ended
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()
        self._look_if_empty()
        return ended

    def _look_if_empty(self) -> None:
        if not self._members and not self._leaving and self._ended is not None and not self._ended.called:
            self._ended.callback(None)

    def kill(self) -> None:
        """End those that do not end."""
        for member in [*self._members.values(), *self._leaving.values()]:
            self._log.error("{name} does not end and is killed", name=member.name)
            os.kill(member.pid, signal.SIGKILL)


def _reap(pid: int) -> int | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # somebody else has asked first
        return 0
    return status if found else None


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"has ended with status {code}" if code else "has ended"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"was ended by signal {-code} ({name})"
