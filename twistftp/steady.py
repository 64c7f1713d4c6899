"""
A reactor's clock that goes evenly, whoever sets the system's.

Not here: what waits for it (``transport.deadlines`` and every delayed call), and the time of day, which logs and listings still ask the system for.

Twisted's reactors for poll, epoll and select count in seconds since 1970. When that clock is set back by an hour, what is due in a second is due
in an hour and a second, a call for the very next turn too; when it is set forward, every client seems to have been silent for an hour.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.python import runtime

__all__ = ["make_steady"]


def make_steady(reactor: Any) -> bool:
    """
    From now on count in seconds since some moment that never changes: on one system the same for all processes.

    :return: whether it does so by our doing. One that has a clock of its own keeps it, and so does one with calls that wait: they wait by that clock.
    """
    if getattr(reactor, "seconds", None) is not runtime.seconds or reactor.getDelayedCalls():
        return False
    reactor.seconds = time.monotonic
    return True
