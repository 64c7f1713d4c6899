"""
Symbolic links in listings: what they lead to, and what may be shown of where they point (PROTOCOL P-LU-8, P-ML-2).

Not here: opening what they lead to (``confinement``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from twistftp.storage.attributes import OWNER, Rights, entry_of
from twistftp.storage.confinement import Confinement, Directory, text_of
from twistftp.storage.failures import StorageError
from twistftp.storage.walk import parts
from twistftp.wire.entries import Entry

__all__ = ["Links"]


class Links:
    """
    The links of one directory.

    :param path: the directory's, as the client named it.
    :param directory: the same, open; it stays the caller's.
    """

    __slots__ = ("_confinement", "_depth", "_directory", "_path", "_rights")

    def __init__(self, confinement: Confinement, path: Sequence[str], directory: Directory, rights: Rights) -> None:
        self._confinement = confinement
        self._path = tuple(path)
        self._directory = directory
        self._rights = rights
        self._depth: int | None = None

    def entry(self, octets: bytes, found: os.stat_result) -> Entry:
        """
        The entry of a link: its own values, what it leads to, and the text that may be shown.

        :param octets: its name.
        :param found: its ``lstat``.
        :raises OSError: it vanished, or became something else, while we looked.
        """
        name = text_of(octets)
        stored = self._directory.link(octets)
        resolved: Entry | None
        try:
            resolved = entry_of(name, self._confinement.status((*self._path, name)), self._rights)
        except StorageError:
            resolved = None
        target = self._shown(stored, resolved is not None)
        unique = entry_of(name, found, self._rights).unique
        return Entry(name, found.st_mode, found.st_size, found[8], found.st_nlink, OWNER, OWNER, unique, "", target, resolved)

    def _shown(self, stored: bytes, resolves: bool) -> str | None:
        if b"\n" in stored or b"\r" in stored:  # it would end the line (P-LINE-10)
            return None
        if not stored.startswith(b"/"):
            # Only ".." can lead out; where the directory itself was reached through links, its real depth counts.
            return text_of(stored) if b".." not in stored or _stays_inside(parts(stored), self._measure) else None
        below = self._confinement.below(stored)
        if below is not None:  # the host's path to something in the root: the client sees that from the root
            return text_of(b"/" + b"/".join(below)) if _stays_inside(below, _at_the_root) else None
        return text_of(stored) if resolves and _stays_inside(parts(stored), _at_the_root) else None

    def _measure(self) -> int:
        if self._depth is None:
            try:
                self._depth = len(self._confinement.place(self._path))
            except StorageError:  # it was moved meanwhile: nothing with ".." is shown
                self._depth = 0
        return self._depth


def _at_the_root() -> int:
    return 0


def _stays_inside(names: Sequence[bytes], depth: Callable[[], int]) -> bool:
    """Whether ``..`` among the names never climbs above the root from a directory ``depth()`` levels below it."""
    if b".." not in names:
        return True
    level = depth()
    for name in names:
        level += -1 if name == b".." else 1
        if level < 0:
            return False
    return True
