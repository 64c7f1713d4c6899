"""
Capsules as files: one a session, in a directory, written a little later and in threads.

Not here: what goes into them (``control``, ``data``, ``learning``), and who opens and closes a recording (``monitoring``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger

from twistftp.capsules.format import line_of
from twistftp.logfile import InThread

__all__ = ["LIMIT", "CapsuleFile", "Recording"]

LIMIT = 4 << 20
"""Octets of a capsule, at most; then it says that it was cut."""
SOON = 0.25
"""Seconds that an event waits for others to be written with."""

_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Recording:
    """
    Where one site's capsules go.

    :param in_thread: calls a function in a thread; the reactor waits for no disk.
    :param now: seconds since 1970.
    """

    _log = Logger()

    def __init__(self, reactor: Any, directory: str, in_thread: InThread, now: Callable[[], float], limit: int = LIMIT) -> None:
        self.directory, self.limit = directory, limit
        self.reactor, self.in_thread, self.now = reactor, in_thread, now
        self._files: set[CapsuleFile] = set()
        self._is_told = False

    def begin(self, number: int, header: Mapping[str, Any]) -> CapsuleFile:
        """The capsule of a new session."""
        day = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now()))
        made = CapsuleFile(self, os.path.join(self.directory, f"{day}-{os.getpid()}-{number}.jsonl"), header)
        self._files.add(made)
        return made

    def ended(self, file: CapsuleFile) -> None:
        """A capsule is complete, or cannot be written."""
        self._files.discard(file)

    def failed(self, file: CapsuleFile, error: OSError) -> None:
        """A capsule cannot be written: that is told once, and the session goes on."""
        self.ended(file)
        if not self._is_told:
            self._is_told = True
            why = (error.strerror or str(error)).lower()
            self._log.error("capsule {path}: {why}; it ends there, and others that cannot be written are not told of", path=file.path, why=why)

    def close(self) -> Deferred[Any]:
        """Write what waits, of all."""
        return DeferredList([file.close() for file in list(self._files)], consumeErrors=True)


class CapsuleFile:
    """One capsule. It holds no descriptor: many sessions are idle for long, and there are few descriptors."""

    def __init__(self, recording: Recording, path: str, header: Mapping[str, Any]) -> None:
        self.path = path
        self._recording = recording
        self._waiting: list[bytes] = []
        self._left = recording.limit
        self._is_made = False
        self.is_over = False
        """Whether nothing more is noted."""
        self._call: Any = None
        self._writing: Deferred[Any] | None = None
        self._began = recording.reactor.seconds()
        self._add(line_of(header))

    def note(self, event: Mapping[str, Any]) -> None:
        """Something has happened now."""
        if self.is_over:
            return
        at = {"t": round(self._recording.reactor.seconds() - self._began, 6)}
        line = line_of(at | dict(event))
        if len(line) > self._left:
            line = line_of(at | {"cut": f"the capsule has reached {self._recording.limit} octets"})
            self.is_over = True
        self._add(line)

    def end(self) -> None:
        """The session is over."""
        self.is_over = True
        self._look_if_done()

    def close(self) -> Deferred[None]:
        """Write what waits, without a thread: the reactor may run none any more."""
        self.is_over = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._writing is not None:
            closed: Deferred[None] = Deferred()
            self._writing.addBoth(lambda _: self.close().chainDeferred(closed))
            return closed
        if self._waiting:
            self._took(_append(self.path, self._take(), self._is_made))
        return succeed(None)

    def _add(self, line: bytes) -> None:
        self._left -= len(line)
        self._waiting.append(line)
        if self._call is None and self._writing is None:
            self._call = self._recording.reactor.callLater(SOON, self._flush)

    def _take(self) -> bytes:
        octets = b"".join(self._waiting)
        self._waiting.clear()
        return octets

    def _flush(self) -> None:
        self._call = None
        self._writing = self._recording.in_thread(_append, self.path, self._take(), self._is_made)
        self._writing.addCallback(self._took)

    def _took(self, error: OSError | None) -> None:
        self._writing, self._is_made = None, True
        if error is not None:
            self.is_over = True
            self._waiting.clear()
            self._recording.failed(self, error)
        elif self._waiting:
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
