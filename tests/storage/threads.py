"""
A thread pool for tests, whose work is done when the test says so.

Not here: real threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred


class Threads:
    """Stands for the thread pool: what is to be called in a thread waits until the test runs it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.calls.append((result, function, arguments))
        return result

    def run(self) -> None:
        """Do all that waits."""
        while self.calls:
            result, function, arguments = self.calls.pop(0)
            try:
                value = function(*arguments)
            except BaseException:
                if not result.called:
                    result.errback()
            else:
                if not result.called:
                    result.callback(value)
