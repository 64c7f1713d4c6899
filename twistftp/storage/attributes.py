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

    ``r`` of a file: it can be fetched. ``e`` of a directory: it can be entered; ``l``: and listed. Everything else has none.

    :param user: the effective user; ``None`` where there are none (Windows): then the mode alone decides. 0 may read all.
    :param groups: the effective group and the supplementary ones.
    """

    def __init__(self, user: int | None, groups: frozenset[int]) -> None:
        super().__init__()
        self._user = user
        self._groups = groups

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
        if stat.S_ISREG(mode):
            return "r" if bits & 0o4 else ""
        if not stat.S_ISDIR(mode) or not bits & 0o1:  # names without the right to look at them are of no use
            return ""
        return "el" if bits & 0o4 else "e"


_by_user: dict[int | None, Rights] = {}


def rights() -> Rights:
    """The rights of the user that this process now acts for (a server may start as root and step down)."""
    user = os.geteuid() if hasattr(os, "geteuid") else None
    known = _by_user.get(user)
    if known is None:
        groups = frozenset((os.getegid(), *os.getgroups())) if user is not None else frozenset[int]()
        known = _by_user[user] = Rights(user, groups)
    return known
