"""
What changes files, as a table: the methods of stores that need the right to write, and their paths.

Not here: the right itself (``restricted``), where the path leads (``overlay``), the changes (the stores).
A method of a store that is neither in this table nor written out there reaches no store behind a ``RestrictedStore`` or an ``OverlayShell``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import frozen

__all__ = ["ABILITIES", "CHANGES", "Change", "with_changes"]

ABILITIES = ("appendable", "changes_times", "changes_modes")
"""What a store says it can do when it may; one that does not say cannot."""


@frozen
class Change:
    """
    One method that writes: its first arguments are ``paths`` paths.

    ``new`` says which of them is a name that is made, if any; ``of_file``: the name may be a file's, so that extensions matter;
    ``is_upload``: it gives something that octets are written to.
    """

    paths: int = 1
    new: int | None = None
    of_file: bool = True
    is_upload: bool = False


CHANGES: Mapping[str, Change] = {
    "open_upload": Change(new=0, is_upload=True),
    "open_unique": Change(new=0, is_upload=True),
    "make_directory": Change(new=0, of_file=False),
    "remove_directory": Change(of_file=False),
    "remove_file": Change(),
    "move": Change(paths=2, new=1),
    "set_modified": Change(),
    "set_mode": Change(),
}

_Class = TypeVar("_Class", bound=type)


def with_changes(kind: _Class) -> _Class:
    """Give a class (it decorates one) each method of the table, by way of its ``_change(name, change, arguments, options)``."""
    for name, change in CHANGES.items():
        setattr(kind, name, _method(name, change))
    return kind


def _method(name: str, change: Change) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        return self._change(name, change, arguments, options)

    method.__name__ = name
    method.__doc__ = f"``{name}`` of the store behind this one, if it may be."
    return method
