"""
What changes files, as a table and as methods: those of stores that need the right to write, and their paths.

Not here: the right itself (``restricted``), where the path leads (``overlay``), the changes (the stores).
A method of a store that is neither here nor written out there reaches no store behind a ``RestrictedStore`` or an ``OverlayShell``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

__all__ = ["CHANGES", "Change", "Changing"]

_Names = Sequence[str]


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


class Changing:
    """
    The base of stores that stand in front of others: each method of the table comes to :meth:`_change`.

    ``appendable``, ``changes_times`` and ``changes_modes`` are what the stores behind can do; one that does not say cannot.
    """

    appendable: bool
    changes_times: bool
    changes_modes: bool

    def _can_what_these_can(self, stores: Iterable[Any]) -> None:
        stores = tuple(stores)
        self.appendable, self.changes_times, self.changes_modes = (
            all(getattr(store, ability, False) for store in stores) for ability in ("appendable", "changes_times", "changes_modes")
        )

    def _change(self, name: str, paths: tuple[_Names, ...], *arguments: Any, **options: Any) -> Any:
        """Do it in the store that it belongs to, or refuse."""
        raise NotImplementedError

    def open_upload(self, path: _Names, **options: Any) -> Any:
        """As in ``IFileStore``, if it may be."""
        return self._change("open_upload", (path,), **options)

    def open_unique(self, path: _Names, **options: Any) -> Any:
        """As in ``IFileStore``, if it may be."""
        return self._change("open_unique", (path,), **options)

    def make_directory(self, path: _Names) -> Any:
        """As in ``IFileStore``, if it may be."""
        return self._change("make_directory", (path,))

    def remove_directory(self, path: _Names) -> Any:
        """As in ``IFileStore``, if it may be."""
        return self._change("remove_directory", (path,))

    def remove_file(self, path: _Names) -> Any:
        """As in ``IFileStore``, if it may be."""
        return self._change("remove_file", (path,))

    def move(self, path: _Names, to: _Names, **options: Any) -> Any:
        """As in ``IFileStore``, if it may be."""
        return self._change("move", (path, to), **options)

    def set_modified(self, path: _Names, seconds: float) -> Any:
        """As in ``IFileStore``, if it may be."""
        return self._change("set_modified", (path,), seconds)

    def set_mode(self, path: _Names, mode: int) -> Any:
        """As in ``IFileStore``, if it may be."""
        return self._change("set_mode", (path,), mode)
