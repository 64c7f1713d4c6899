"""
Test cases whose failure shows the example that Hypothesis has found: it stands in notes of the exception, which trial does not print.

Not here: how many examples are tried (``tests.fuzz.effort``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

__all__ = ["FuzzCase"]


def _notes(error: BaseException) -> Iterator[str]:
    yield from getattr(error, "__notes__", ())
    for one in getattr(error, "exceptions", ()):  # several defects at once
        yield repr(one)
        yield from _notes(one)


def _telling(test: Callable[..., None]) -> Callable[..., None]:
    @wraps(test)
    def told(*arguments: Any) -> None:
        try:
            test(*arguments)
        except Exception as error:
            print("\n".join(_notes(error)))
            raise

    return told


class FuzzCase(SynchronousTestCase):
    """Every test of a subclass prints how to make it fail again."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, test in list(vars(cls).items()):
            if name.startswith("test_"):
                setattr(cls, name, _telling(test))
