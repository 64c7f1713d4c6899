"""
Runs a handler's coroutine: one that never has to wait costs no Deferred and no turn of the reactor.

Not here: what is done with the result.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["drive"]

_T = TypeVar("_T")


def drive(running: Coroutine[Any, Any, _T]) -> _T | Deferred[_T]:
    """
    Run a coroutine to its first wait. If it ends before one, give its result; else a Deferred of it, which can be cancelled.

    :raises Exception: what the coroutine raised before it waited.
    """
    try:
        awaited = running.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    return Deferred.fromCoroutine(_resumed(running, awaited))


@coroutine
def _resumed(running: Coroutine[Any, Any, _T], awaited: Any) -> Generator[Any, Any, _T]:
    """What is left of a coroutine that waits for ``awaited``, as a coroutine of its own."""
    try:
        while True:
            try:
                result = yield awaited
            except GeneratorExit:
                running.close()
                raise
            except BaseException as error:
                awaited = running.throw(error)
            else:
                awaited = running.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
