"""
Capsules as files: one a session, in a directory, written a little later and in threads.

Not here: what goes into them (``control``, ``data``, ``learning``), how much there may be of them in all (``room``), and who opens
and closes a recording (``monitoring``).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger

from twistftp.capsules.format import line_of
from twistftp.capsules.room import Room
from twistftp.logfile import InThread

__all__ = ["LIMIT", "CapsuleFile", "Recording"]

LIMIT = 4 << 20
"""Octets of a capsule, at most; then it says that it was cut."""
SOON = 0.25
"""Seconds that an event waits for others to be written with."""
AGAIN = 60.0
"""Seconds after a write has failed before another capsule is begun."""

# What is there already is not added to, whatever it is: a link is not followed, and a FIFO that nobody reads is not waited for.
_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class Recording:
    """
    The capsules of one directory.

    :param in_thread: calls a function in a thread; the reactor waits for no disk.
    :param now: seconds since 1970.
    :param limit: octets of one capsule, at most.
    :param room: how much there may be in all; made for the directory where none is given.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, directory: str, in_thread: InThread, now: Callable[[], float], limit: int = LIMIT, room: Room | None = None
    ) -> None:
        self.directory, self.limit = directory, limit
        self.reactor, self.in_thread, self.now = reactor, in_thread, now
        self.room = room or Room(reactor, directory, in_thread, limit)
        self._files: set[CapsuleFile] = set()
        # Session numbers begin anew with each start, and process ids with each container: many may share a directory.
        self._mark = secrets.token_hex(8)
        self._failed_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether a capsule can be begun now: there is room for it, and no write has failed a moment ago."""
        if self._failed_at is not None and self.reactor.seconds() < self._failed_at + AGAIN:
            return False
        return self.room.is_open

    def begin(self, number: int, header: Mapping[str, Any]) -> CapsuleFile:
        """The capsule of a new session."""
        day = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now()))
        made = CapsuleFile(self, os.path.join(self.directory, f"{day}-{self._mark}-{number}.jsonl"), header)
        self._files.add(made)
        return made

    def ended(self, file: CapsuleFile) -> None:
        """A capsule is complete, or cannot be written."""
        self._files.discard(file)

    def failed(self, file: CapsuleFile, error: OSError) -> None:
        """A capsule cannot be written: that is told once until one can, and the session goes on."""
        self.ended(file)
        if self._failed_at is None:
            why = (error.strerror or str(error)).lower()
            self._log.error("capsule {path}: {why}; no sessions are captured until that is cured", path=file.path, why=why)
        self._failed_at = self.reactor.seconds()

    def wrote(self) -> None:
        """Something was written."""
        if self._failed_at is not None:
            self._failed_at = None
            self._log.info("capsules in {directory} can be written again", directory=self.directory)

    def close(self) -> Deferred[Any]:
        """Write what waits, of all."""
        return DeferredList([file.close() for file in list(self._files)], consumeErrors=True)


class CapsuleFile:
    """One capsule. It holds no descriptor: many sessions are idle for long, and there are few descriptors."""

    def __init__(self, recording: Recording, path: str, header: Mapping[str, Any]) -> None:
        self.path = path
        self._recording, self._room = recording, recording.room
        self._waiting: list[bytes] = []
        self._left = recording.limit
        self._is_made = False
        self.is_over = False
        """Whether nothing more is noted."""
        self.is_ending = False
        """Whether the session's end is noted; what comes after that belongs to it."""
        self._call: Any = None
        self._writing: Deferred[Any] | None = None
        self._began = recording.reactor.seconds()
        self._room.begin()
        self._add(line_of(header))

    def note(self, event: Mapping[str, Any]) -> None:
        """Something has happened now."""
        if self.is_over:
            return
        line = line_of({"t": self._now, **event})
        if len(line) > self._left:
            self.cut(f"the capsule has reached {self._recording.limit} octets")
        elif why := self._room.refusal(len(line)):
            self.cut(why)
        else:
            self._add(line)

    def cut(self, why: str) -> None:
        """Nothing more is noted, and the capsule says why."""
        if not self.is_over:
            self.is_over = True
            self._add(line_of({"t": self._now, "cut": why}))

    @property
    def _now(self) -> float:
        return round(self._recording.reactor.seconds() - self._began, 6)

    def end(self) -> None:
        """The session is over."""
        self.is_over = True
        self._look_if_done()

    def close(self) -> Deferred[None]:
        """Write what waits, without a thread: the reactor may run none any more."""
        if not self.is_ending:
            self.cut("the server ended")
        self.is_over = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._writing is not None:
            closed: Deferred[None] = Deferred()
            self._writing.addBoth(lambda _: self.close().chainDeferred(closed))
            return closed
        if self._waiting:
            octets = self._take()
            self._took(_append(self.path, octets, self._is_made), len(octets))
        return succeed(None)

    def _add(self, line: bytes) -> None:
        self._left -= len(line)
        self._room.take(len(line))
        self._waiting.append(line)
        if self._call is None and self._writing is None:
            self._call = self._recording.reactor.callLater(SOON, self._flush)

    def _take(self) -> bytes:
        octets = b"".join(self._waiting)
        self._waiting.clear()
        return octets

    def _flush(self) -> None:
        self._call = None
        octets = self._take()
        self._writing = self._recording.in_thread(_append, self.path, octets, self._is_made)
        self._writing.addCallback(self._took, len(octets))

    def _took(self, error: OSError | None, count: int) -> None:
        """A write has ended."""
        self._writing, self._is_made = None, True
        self._room.wrote(count)
        if error is not None:
            self.is_over = True
            self._room.wrote(len(self._take()))
            self._recording.failed(self, error)
            return
        self._recording.wrote()
        if self._waiting:
            self._call = self._recording.reactor.callLater(SOON, self._flush)
        else:
            self._look_if_done()

    def _look_if_done(self) -> None:
        if self.is_over and not self._waiting and self._writing is None:
            self._recording.ended(self)


def _append(path: str, octets: bytes, is_made: bool) -> OSError | None:
    """Write, in a thread. What it belongs to may tell much about its user, so nobody else may read it."""
    try:
        descriptor = os.open(path, _FLAGS if is_made else _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while octets:
                octets = octets[os.write(descriptor, octets) :]
        finally:
            os.close(descriptor)
    except OSError as error:
        return error
    return None
