"""
What changes files, as a table: the methods of stores that need the right to write, and their paths.

Not here: the right itself (``restricted``), where the path leads (``overlay``), the changes (the stores).
A store's method that is not in this table reaches no store behind a ``RestrictedStore`` or an ``OverlayStore``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import frozen
from zope.interface import directlyProvides, providedBy

from twistftp.storage.interfaces import IFileStore, ISiteStore

__all__ = ["CHANGES", "Change", "changes_files", "provide_the_same", "with_changes"]


@frozen
class Change:
    """
    One method that writes: its first arguments are ``paths`` paths.

    ``new`` says which of them is a name that is made, if any; ``of_file``: the name may be a file's, so that extensions matter.
    """

    paths: int = 1
    new: int | None = None
    of_file: bool = True


CHANGES: Mapping[str, Change] = {
    "create": Change(new=0),
    "append": Change(new=0),
    "delete": Change(),
    "make_directory": Change(new=0, of_file=False),
    "remove_directory": Change(of_file=False),
    "move": Change(paths=2, new=1),
    "set_times": Change(),
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


def provide_the_same(store: Any, *behind: Any) -> None:
    """Say of ``store`` that it can do what all the stores ``behind`` it can, as far as it has the methods for it."""
    common = set(_beyond_reading(behind[0])).intersection(*map(_beyond_reading, behind[1:]))
    if able := [one for one in common if all(hasattr(store, name) for name in one.names(all=True))]:
        directlyProvides(store, *able)


def changes_files(store: Any) -> bool:
    """Whether a store can do more than read."""
    return bool(_beyond_reading(store))


def _beyond_reading(store: Any) -> list[Any]:
    """The interfaces of a store that extend ``IFileStore``."""
    return [one for one in providedBy(store) if one not in (IFileStore, ISiteStore) and one.isOrExtends(IFileStore)]
