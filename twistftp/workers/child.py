"""
Forking from a reactor that runs: the child has the same reactor as if it were new, and nothing of its parent's connections.

Not here: what the child does then (``worker``), and what becomes of it (``staff``).

A forked epoll object is the parent's own: whatever the child would change in it, it would change for the parent. So the child asks its reactor
nothing; it covers the descriptors and makes the object anew, in which modules that have imported it keep seeing theirs.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from twisted.logger import globalLogPublisher

from twistftp.steady import make_steady

__all__ = ["begin_anew", "cover", "fork", "observe_with", "trouble"]

_HELD_BACK = frozenset({signal.SIGTERM, signal.SIGINT} | ({signal.SIGHUP} if hasattr(signal, "SIGHUP") else set()))
_REACTORS = frozenset(
    {"twistftp.transport.epoll", "twisted.internet.epollreactor", "twisted.internet.pollreactor", "twisted.internet.selectreactor"}
)


def trouble(reactor: Any) -> str:
    """Why there can be no workers here, ``""`` if there can."""
    if not hasattr(os, "fork"):
        return "this system has no fork"
    if type(reactor).__module__ not in _REACTORS:
        return f"the reactor {type(reactor).__name__} cannot be forked; epoll, poll and select can (twistd --reactor)"
    return ""


def fork(reactor: Any, work: Callable[[], None]) -> int:
    """
    Fork. The child calls ``work``, runs the reactor until that is stopped, and ends with status 0, with 1 if something failed.

    :return: the child's number.
    :raises OSError: there can be no more processes.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)  # no handler of ours may run in the child
    try:
        number = os.fork()
        if not number:
            _live(reactor, work, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return number


def _live(reactor: Any, work: Callable[[], None], mask: set[Any]) -> NoReturn:
    status = 1
    try:
        begin_anew(reactor)
        work()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        reactor.run(installSignalHandlers=False)
        status = 0
    except BaseException:  # nothing of the parent's, which is above on the stack, may go on here
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def begin_anew(reactor: Any) -> None:
    """Make the reactor of a forked child one that has not run yet, and let go of all that it has watched."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for one in {*reactor.getReaders(), *reactor.getWriters()}:
        if (descriptor := one.fileno()) >= 0:
            cover(descriptor)
    poller: Any = getattr(reactor, "_poller", None)
    if hasattr(poller, "close"):
        poller.close()
    reactor.__dict__.clear()
    reactor.__init__()
    make_steady(reactor)


def cover(descriptor: int) -> None:
    """
    Close a descriptor that objects of the parent still name: the number goes on to name something harmless, so that what they
    do with it in the end hits no file of ours.
    """
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC) if os.path.exists(os.devnull) else os.pipe()[0]
    os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def observe_with(observer: Any) -> None:
    """Send all that is logged in this process to ``observer``, and to nobody else: the parent's file is the parent's to write and to rotate."""
    for other in list(globalLogPublisher._observers):
        globalLogPublisher.removeObserver(other)
    globalLogPublisher.addObserver(observer)
