"""
What a local object's ``stat`` says to FTP: its :class:`Entry`, the rights of this process to it, its identity.

Not here: symbolic links (``links``), where the ``stat`` comes from.
"""

from __future__ import annotations

import os
import stat

from twistftp.wire.entries import Entry
from twistftp.wire.unix_form import OWNER

__all__ = ["IDENTITY_MASK", "IDENTITY_SALT", "Rights", "entry_of", "rights"]

IDENTITY_SALT = int.from_bytes(os.urandom(7), "big")
IDENTITY_MASK = 2**64 - 1


def entry_of(name: str, found: os.stat_result, letters: Rights) -> Entry:
    """The entry of an object that is no link. ``listing`` does the same in its loop, without the call."""
    mode, inode, device, links, user, group, size, _, modified, _ = found
    # P-ML-6. The salt keeps the numbers private. The high bits stand apart because hash() takes numbers modulo 2**61 - 1,
    # and overlay file systems give inodes that differ in their highest bits.
    unique = f"{hash((IDENTITY_SALT, device, inode >> 60, inode)) & IDENTITY_MASK:x}"
    return Entry(name, mode, size, modified, links, OWNER, OWNER, unique, letters[mode, user, group])


class Rights(dict[tuple[int, int, int], str]):
    """
    The letters of the ``perm`` fact (RFC 3659 §7.5.5) of a reader, by ``(st_mode, st_uid, st_gid)``, remembered.

    ``r`` of a file: it can be fetched. ``e`` of a directory: it can be entered; ``l``: and listed. Of those who may write: ``a`` and ``w`` of a
    file: it can be added to and replaced; ``c``, ``m`` and ``p`` of a directory: files and directories can be made in it, and removed; ``d`` and
    ``f`` of anything: it can be removed and renamed. Everything else has none.

    :param user: the effective user; ``None`` where there are none (Windows): then the mode alone decides. 0 may read all.
    :param groups: the effective group and the supplementary ones.
    :param writable: whether the reader may also write.
    :param removable: whether what is in the directory at hand can be removed.
    """

    def __init__(self, user: int | None, groups: frozenset[int], writable: bool = False, removable: bool = False) -> None:
        super().__init__()
        self._user = user
        self._groups = groups
        self._writable = writable
        self._removable = "df" if removable else ""

    def __missing__(self, key: tuple[int, int, int]) -> str:
        if len(self) > 4096:  # somebody's file system with all modes there are
            self.clear()
        letters = self[key] = self._letters(*key)
        return letters

    def _letters(self, mode: int, user: int, group: int) -> str:
        if self._user in (0, None):
            bits = 0o7 if self._user == 0 else mode >> 6 & 0o7
        elif self._user == user:
            bits = mode >> 6 & 0o7
        elif group in self._groups:
            bits = mode >> 3 & 0o7
        else:
            bits = mode & 0o7
        may_write = self._writable and bits & 0o2
        if stat.S_ISREG(mode):
            return ("a" if may_write else "") + self._removable + ("r" if bits & 0o4 else "") + ("w" if may_write else "")
        if not stat.S_ISDIR(mode) or not bits & 0o1:  # names without the right to look at them are of no use
            return self._removable
        letters = self._removable + ("el" if bits & 0o4 else "e")
        return f"cmp{letters}" if may_write else letters


_known: dict[tuple[int | None, bool, bool], Rights] = {}


def rights(writable: bool = False, directory: os.stat_result | None = None) -> Rights:
    """
    The rights of the user that this process now acts for (a server may start as root and step down).

    :param writable: whether our own user may write, as far as the system lets it.
    :param directory: where the objects are.
    """
    user = os.geteuid() if hasattr(os, "geteuid") else None
    removable = False
    if writable and directory is not None:
        removable = "p" in rights(True)[directory.st_mode, directory.st_uid, directory.st_gid]
    key = (user, writable, removable)
    known = _known.get(key)
    if known is None:
        groups = frozenset((os.getegid(), *os.getgroups())) if user is not None else frozenset[int]()
        known = _known[key] = Rights(user, groups, writable, removable)
    return known
