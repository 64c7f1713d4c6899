"""
Things that threads may be using when they are closed, and the call that moves work to a thread.

Not here: what the work is (``files``, ``listing``).
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from twistftp.storage.failures import ReadFailed

__all__ = ["Held", "InThread", "in_thread"]

_T = TypeVar("_T")
InThread = Callable[..., "Deferred[Any]"]
"""``in_thread(function, *arguments)``: call it in a thread; a Deferred of its result, fired in the reactor's."""

# One lock for all: it is held for a few instructions, and a lock for each open file would be memory for nothing.
_lock = threading.Lock()


def in_thread(function: Callable[..., _T], *arguments: Any) -> Deferred[_T]:
    """Call in a thread of the reactor's pool. :raises ReadFailed: there is none, and the system gives no more."""
    from twisted.internet.threads import deferToThread  # not above: it is for the reactor that runs by then

    try:
        return deferToThread(function, *arguments)
    except RuntimeError as error:  # too many processes, or no memory for a stack; nothing is wrong with the server
        raise ReadFailed(os.strerror(errno.EAGAIN)) from error


class Held:
    """
    The base of what holds descriptors: they are let go when that is asked for and no thread uses them, whichever comes last.

    A number that is closed while a thread is on its way to ``pread`` could be another client's file by then.
    """

    __slots__ = ("_is_closed", "_users")

    def __init__(self) -> None:
        self._users = 0
        self._is_closed = False

    def close(self) -> None:
        """Close now or, if a thread is at work, when it is done. May be called more than once."""
        with _lock:
            if self._is_closed:
                return
            self._is_closed = True
            is_free = self._users == 0
        if is_free:
            self._release()

    @property
    def _is_free(self) -> bool:
        """Whether no thread uses the descriptors. For the reactor's thread: only there is work given to threads."""
        return self._users == 0

    def _release(self) -> None:
        """Close the descriptors; called once, in whatever thread was the last."""
        raise NotImplementedError

    def _use_in(self, in_thread: InThread, function: Callable[..., _T], *arguments: Any) -> Deferred[_T]:
        """
        Call ``function(*arguments)`` in a thread, during which the descriptors stay open.

        The thread itself counts, not the Deferred, which may be cancelled long before the disk has answered.

        :raises ValueError: this is closed.
        """
        with _lock:
            if self._is_closed:
                raise ValueError("it is closed")
            self._users += 1
        try:
            return in_thread(self._use, function, arguments)
        except BaseException:  # the pool did not take it
            self._leave()
            raise

    def _use(self, function: Callable[..., _T], arguments: tuple[Any, ...]) -> _T:
        try:
            return function(*arguments)
        finally:
            self._leave()

    def _leave(self) -> None:
        with _lock:
            self._users -= 1
            is_last = self._is_closed and self._users == 0
        if is_last:
            self._release()
