"""
What must not happen while a server is fuzzed: an error in the log, a file outside the root, a Deferred or a descriptor that is left.

Not here: the server, and what is done to it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.python import log as legacy

from twistftp.storage import confinement

__all__ = ["Watch", "descriptors"]

_ERRORS = (LogLevel.error, LogLevel.critical)
# Audit events of changes and looks by name, and the positions of their paths, each with its directory's descriptor (-1: none).
_NAMED: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.chmod": ((0, 2),),
    "os.utime": ((0, 3),),
    "os.truncate": ((0, None),),
    "os.listdir": ((0, None),),
    "os.scandir": ((0, None),),
}
_OWN = (sys.prefix, sys.base_prefix, os.path.dirname(os.path.dirname(confinement.__file__)))  # modules are imported when they are first needed
_watches: list[Watch] = []
_is_hooked = False


def descriptors() -> dict[int, str]:
    """What this process has open (Linux; elsewhere nothing is known)."""
    found: dict[int, str] = {}
    if os.path.isdir("/proc/self/fd"):
        for number in os.listdir("/proc/self/fd"):
            try:
                found[int(number)] = os.readlink(f"/proc/self/fd/{number}")
            except FileNotFoundError:
                pass  # the listing's own
    return found


class Watch:
    """
    Looks on for the length of a ``with`` block; ``trouble`` are the sentences about what was wrong.

    :param roots: real paths below which a server may open things.
    """

    def __init__(self, *roots: str) -> None:
        self.roots = tuple(os.path.realpath(root) for root in (*roots, *_OWN))
        self.trouble: list[str] = []
        self.expected: tuple[type[BaseException], ...] = ()
        self._deferreds: WeakSet[Deferred[Any]] = WeakSet()
        self._before: dict[int, str] = {}
        self._depth = 0

    def __enter__(self) -> Watch:
        global _is_hooked
        if not _is_hooked:
            _is_hooked = True
            sys.addaudithook(_audit)
        self._init, self._open, self._openat2 = Deferred.__init__, os.open, confinement.openat2
        watch = self

        def init(deferred: Any, *arguments: Any, **named: Any) -> None:
            watch._init(deferred, *arguments, **named)
            watch._deferreds.add(deferred)

        def open_and_look(*arguments: Any, **named: Any) -> int:
            return watch._opened(watch._open(*arguments, **named))

        def openat2_and_look(*arguments: Any, **named: Any) -> int:
            return watch._opened(watch._openat2(*arguments, **named))

        Deferred.__init__, os.open, confinement.openat2 = init, open_and_look, openat2_and_look  # type: ignore[method-assign,assignment]
        globalLogPublisher.addObserver(self._note)
        _watches.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _watches.remove(self)
        globalLogPublisher.removeObserver(self._note)
        Deferred.__init__, os.open, confinement.openat2 = self._init, self._open, self._openat2  # type: ignore[method-assign]

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While the server is at work: what is opened in other places is not the server's."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def remember(self) -> None:
        """From now on descriptors that are new are somebody's."""
        self._before = descriptors()

    def left_over(self) -> list[str]:
        """Descriptors that were not open at :meth:`remember`, and Deferreds that never fired."""
        left = []
        if self._new_descriptors() or any(not deferred.called for deferred in self._deferreds):
            gc.collect()
            left += [f"descriptor of {where}" for where in self._new_descriptors().elements()]
            left += [f"{deferred!r} never fired" for deferred in self._deferreds if not deferred.called]
        return left

    def _new_descriptors(self) -> Counter[str]:
        """By what they are of: a reload opens roots afresh, and the old ones go when nobody has them any more."""
        return Counter(descriptors().values()) - Counter(self._before.values())

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("log_level") in _ERRORS or event.get("isError"):
            failure = event.get("log_failure")
            if failure is not None and isinstance(failure.value, self.expected):
                return
            more = failure.getTraceback() if failure is not None else ""
            self.trouble.append(f"logged as an error: {formatEvent(event) or legacy.textFromEventDict(event)}\n{more}")

    def _opened(self, descriptor: int) -> int:
        where = _where(descriptor)
        if self._depth and where.startswith("/") and not self._is_inside(where):
            self.trouble.append(f"opened outside the root: {where}")
        return descriptor

    def _is_inside(self, path: str) -> bool:
        is_below = any(path == root or path.startswith(f"{root}/") for root in self.roots)
        return is_below or path.startswith(("/proc/self/fd", f"/proc/{os.getpid()}/fd"))

    def named(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Something is done to a name."""
        if not self._depth:
            return
        for path, at in _NAMED[event]:
            directory = arguments[at] if at is not None else -1
            for place in _places(arguments[path], directory):
                if not self._is_inside(place):
                    self.trouble.append(f"{event} outside the root: {place}")


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watches and event in _NAMED:
        _watches[-1].named(event, arguments)


def _places(path: Any, directory: Any) -> Iterator[str]:
    """Where a path that a system call is given lies, the last name not followed."""
    if isinstance(path, int):
        yield _where(path)
    elif path is not None:
        text = os.fsdecode(path)
        base = _where(directory) if isinstance(directory, int) and directory >= 0 and not text.startswith("/") else ""
        head, tail = os.path.split(os.path.join(base, text))
        yield os.path.join(os.path.realpath(head), tail)


def _where(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").removesuffix(" (deleted)")
    except OSError:
        return ""
