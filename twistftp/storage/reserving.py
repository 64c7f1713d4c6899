"""
Room on the disk for an upload that has become a large one: asked for ahead of its octets, and what is over given back.

Not here: the octets (``uploads``).

ext4 books every block of 4 KiB in memory before it chooses a place for it, which takes it nearly as long as to copy the octets. Where the room is
chosen before, most of that falls away, a fifth of the whole upload. It is asked of ext4 alone, where that was measured; Btrfs would not compress
such room, and others book differently.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

from twistftp.storage.statfs import EXT4, file_system

__all__ = ["FROM", "SPARE", "STRIDE", "Reserve"]

FROM = 2 << 20
"""Octets from which on an upload is a large one: for fewer there is little to save, and each call is a thread's."""
STRIDE = 32 << 20
"""Octets that are asked for at a time."""
SPARE = 1 << 30
"""Free octets that must be left: on a disk that is nearly full, room that is held for one upload may be what another one lacks."""

_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE: a reader sees what has arrived, and no zeros

_fallocate: Any = None
if sys.platform.startswith("linux"):
    try:
        _libc = ctypes.CDLL(None)
        _fallocate = getattr(_libc, "fallocate64", None) or _libc.fallocate
    except (AttributeError, OSError):  # a statically linked Python
        _fallocate = None
    else:
        _fallocate.restype = ctypes.c_int
        _fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class Reserve:
    """
    The room of one file. It is a help and no promise: where there is none the octets are written as ever.

    :param start: the octet of the file at which the upload begins.
    """

    __slots__ = ("_has_any", "end")

    def __init__(self, start: int) -> None:
        self.end = start + FROM if _fallocate is not None else sys.maxsize
        """Octets behind this one need :meth:`extend` first."""
        self._has_any = False

    def extend(self, number: int, end: int) -> None:
        """Ask for room for the octets up to ``end`` and a stride behind them. May take long: for a thread."""
        until = end + STRIDE
        begin, self.end = self.end, sys.maxsize  # not here, or not now: then this upload does without
        if file_system(number) == EXT4 and _is_spare(number):
            self._has_any = True  # a part of it may be there even if the rest is refused, by a quota for one
            if _fallocate(number, _KEEP_SIZE, begin, until - begin) == 0:
                self.end = until

    def give_back(self, number: int) -> None:
        """The file is complete: let go of what is over. May take long: for a thread. :raises OSError: as ``ftruncate(2)``."""
        if self._has_any:
            os.ftruncate(number, os.fstat(number).st_size)


def _is_spare(number: int) -> bool:
    disk = os.fstatvfs(number)
    return disk.f_bavail * disk.f_frsize >= SPARE + STRIDE
