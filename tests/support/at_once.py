"""
Stores over real files without threads: a slow disk makes them ask for one, and a test that is synchronous cannot wait.

Not here: threads that the test runs when it wants (``tests.storage.threads``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

__all__ = ["at_once", "now"]


def at_once(function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    """Stands for the thread pool: do it here."""
    return maybeDeferred(function, *arguments)


def now(value: Any) -> Any:
    """A value, or that of a Deferred that has fired; its failure is raised."""
    if not isinstance(value, Deferred):
        return value
    found: list[Any] = []
    failed: list[Any] = []
    value.addCallbacks(found.append, failed.append)
    if failed:
        failed[0].raiseException()
    return found[0]
