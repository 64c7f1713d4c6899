"""
A file that lines are added to: buffered, written in a thread, opened again when it was moved away, patient with a full disk.

Not here: what the lines say (``accesslog``).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

__all__ = ["CannotOpen", "LogFile"]

SOON = 0.25
"""Seconds that a line waits for others to be written with."""
LIMIT = 1 << 16
"""Lines that are kept while nothing can be written; what comes then is lost, and counted."""

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)

InThread = Callable[..., "Deferred[Any]"]
"""``in_thread(function, *arguments)`` calls it outside the reactor's thread; the Deferred has its result."""


class CannotOpen(Exception):
    """The file cannot be written to; the text is one line that names it and the reason."""


class LogFile:
    """
    An open log file.

    Octets are added in one ``write`` each time, at the end of the file, so the lines of several processes do not mix.

    :param header: makes the lines that an empty file begins with.
    :param owner: user and group to whom a file that is made here is given, if this process may; so it can be opened again by them.
    :param descriptor: of the file, if it is open already; it belongs to this from now on.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        path: str,
        in_thread: InThread,
        header: Callable[[], str] = str,
        owner: tuple[int, int] | None = None,
        descriptor: int = -1,
    ) -> None:
        """:raises CannotOpen: it cannot be opened."""
        self.path = path
        self.waiting: list[str] = []
        """Whole lines, their ends included, that are to be written: always this list. Who adds the first one calls :meth:`wake`."""
        self.lost = 0  # lines that could not be kept
        self._reactor, self._in_thread, self._header, self._owner = reactor, in_thread, header, owner
        self._rest = b""  # what a write did not take
        self._call: Any = None
        self._writing: Deferred[Any] | None = None
        self._trouble = ""
        self._descriptor = self._open() if descriptor < 0 else descriptor

    def write(self, line: str) -> None:
        """Add a line, its end included."""
        self.waiting.append(line)
        self.wake()

    def wake(self) -> None:
        """There is a line to write."""
        if self._call is None:
            self._call = self._reactor.callLater(SOON, self._flush)

    def reopen(self) -> None:
        """
        Look whether the file is still the one at its path, and if not (it was moved away, as ``logrotate`` does), go on in a new one.

        No line is lost: those that wait go into the new one. If that cannot be opened, the old one stays, and the log is told.
        """
        try:
            at_path, ours = os.stat(self.path), os.fstat(self._descriptor)
            if (at_path.st_dev, at_path.st_ino) == (ours.st_dev, ours.st_ino):
                return
        except OSError:
            pass  # it is gone: made anew
        try:
            descriptor = self._open()
        except CannotOpen as error:
            text = "{error}; lines go on into the file that was open. Let the serving user write there, or make the file for it (logrotate: create)"
            self._log.error(text, error=error)
            return
        old, self._descriptor = self._descriptor, descriptor
        if self._writing is None:
            os.close(old)
        else:
            self._writing.addBoth(lambda _: os.close(old))

    @property
    def descriptor(self) -> int:
        """Of the file as it is open now."""
        return self._descriptor

    def settle(self) -> None:
        """Write what waits at once, in this thread."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._took(_append(self._descriptor, self._take()))

    def close(self) -> Deferred[None]:
        """Write what waits and close the file."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._writing is not None:
            closed: Deferred[None] = Deferred()
            self._writing.addBoth(lambda _: self.close().chainDeferred(closed))
            return closed
        if self._descriptor >= 0:
            if self.waiting or self._rest:
                self._took(_append(self._descriptor, self._take()))  # the reactor may run no threads any more
            if self._call is not None:
                self._call.cancel()
                self._call = None
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
        return succeed(None)

    def _open(self) -> int:
        try:
            is_new = not os.path.exists(self.path)
            descriptor = os.open(self.path, _FLAGS, 0o640)
        except OSError as error:
            raise CannotOpen(f"access log {self.path}: {(error.strerror or str(error)).lower()}") from None
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(descriptor, True)  # it was only a FIFO that nobody reads which was not to be waited for
        status = os.fstat(descriptor)
        if is_new and self._owner is not None and os.geteuid() == 0:
            os.fchown(descriptor, *self._owner)
        if stat.S_ISREG(status.st_mode) and not status.st_size and (header := self._header()):
            self._rest = header.encode() + self._rest
            if self._call is None:
                self._call = self._reactor.callLater(SOON, self._flush)
        return descriptor

    def _take(self) -> bytes:
        """All that is to be written."""
        octets = self._rest + "".join(self.waiting).encode("utf-8", "backslashreplace")
        self.waiting.clear()
        self._rest = b""
        return octets

    def _flush(self) -> None:
        self._call = None
        if (self._writing is not None or self._trouble) and len(self.waiting) > LIMIT:
            self.lost += len(self.waiting) - LIMIT
            del self.waiting[LIMIT:]
        if self._writing is not None:
            self.wake()  # to look again how many wait
        elif self.waiting or self._rest:
            octets = self._rest if self._trouble else self._take()  # in trouble the others stay where they are counted
            self._rest = b""
            self._writing = self._in_thread(_append, self._descriptor, octets)
            self._writing.addCallback(self._took)

    def _took(self, result: tuple[bytes, str]) -> None:
        """A write has ended: with octets left, if there was trouble."""
        self._writing = None
        left, trouble = result
        self._rest += left  # behind the header of a file that was opened meanwhile
        if trouble and not self._trouble:
            self._log.error("access log {path}: {trouble}; lines are kept for a while, then lost", path=self.path, trouble=trouble)
        elif self._trouble and not trouble:
            self._log.info("access log {path}: is written again; {lost} lines were lost in all", path=self.path, lost=self.lost)
        self._trouble = trouble
        if (self._rest or self.waiting) and self._call is None:
            self._call = self._reactor.callLater(1.0 if trouble else SOON, self._flush)


def _append(descriptor: int, octets: bytes) -> tuple[bytes, str]:
    """Write, in a thread; what is left, and why."""
    try:
        while octets:
            octets = octets[os.write(descriptor, octets) :]
    except OSError as error:
        return octets, (error.strerror or str(error)).lower()
    return b"", ""
