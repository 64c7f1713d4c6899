"""
What the system knows of many objects of one directory, looked at together: columns of numbers, not an ``os.stat_result`` for each.

Not here: what becomes of the numbers (``rendering``). Most of what ``os.lstat`` costs is the making of some twenty Python objects, of which a
listing wants four; ``statx(2)`` writes into a room of ours, out of which a column is read at once.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Sequence
from itertools import repeat
from typing import Any

from twistftp.storage.confinement import Directory

__all__ = ["MOST", "look"]

MOST = 64
"""Names that are looked at together."""

_LSTAT = 0x100 | 0x800  # AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT: as lstat(2)
_BASIC = 0x7FF  # STATX_BASIC_STATS
_SIZE = 256  # octets of struct statx, the same on every architecture
# Where the fields are in it, and their width, by their places in an os.stat_result.
_FIELDS = {
    stat.ST_NLINK: (16, "I"), stat.ST_UID: (20, "I"), stat.ST_GID: (24, "I"), stat.ST_MODE: (28, "H"), stat.ST_INO: (32, "Q"),
    stat.ST_SIZE: (40, "Q"), stat.ST_MTIME: (112, "q"),
}  # fmt: skip
_DEVICES = 136, "Q"  # two numbers of 32 bits
_PAIR = struct.Struct("=II")
_MISSING = (0,) * 10

_statx: Any = None
if sys.platform.startswith("linux"):
    try:
        _statx = ctypes.CDLL(None).statx
    except (AttributeError, OSError):  # a C library without it, a statically linked Python
        _statx = None


class _Room:
    """Memory for ``MOST`` times ``struct statx``."""

    __slots__ = ("_columns", "_devices", "places")

    def __init__(self) -> None:
        memory = ctypes.create_string_buffer(_SIZE * MOST)
        self.places = [ctypes.byref(memory, start) for start in range(0, _SIZE * MOST, _SIZE)]
        octets = memoryview(memory).cast("B")

        def column(start: int, kind: str) -> memoryview:
            view = octets.cast(kind)  # type: ignore[call-overload]
            return view[start // view.itemsize :: _SIZE // view.itemsize]  # type: ignore[no-any-return]

        self._columns = {field: column(*place) for field, place in _FIELDS.items()}
        self._devices = column(*_DEVICES)

    def column(self, field: int, count: int) -> list[int]:
        """A field of the first ``count`` objects."""
        if field == stat.ST_DEV:
            pairs = self._devices[:count].tolist()
            return [_device(pair) for pair in pairs] if len(set(pairs)) > 1 else [_device(pairs[0])] * count
        return self._columns[field][:count].tolist()


def _device(pair: int) -> int:
    return os.makedev(*_PAIR.unpack(pair.to_bytes(_PAIR.size, sys.byteorder)))


_rooms: list[_Room] = []  # those that no thread uses


def look(directory: Directory, names: Sequence[bytes], fields: Sequence[int]) -> list[list[int]]:
    """
    What ``lstat(2)`` says of up to ``MOST`` objects: a column for each field, times in whole seconds. One that cannot be looked at has zeros.

    :param fields: their places in an ``os.stat_result``: ``stat.ST_MODE`` and so on.
    """
    descriptor = directory.descriptor
    if _statx is not None and descriptor is not None and len(names) <= MOST:
        try:
            room = _rooms.pop()
        except IndexError:
            room = _Room()
        try:
            if not any(map(_statx, repeat(descriptor), names, repeat(_LSTAT), repeat(_BASIC), room.places)):
                return [room.column(field, len(names)) for field in fields]
        finally:
            _rooms.append(room)
    # One of them is gone, or the call does not work here.
    found = [_status(directory, name) for name in names]
    return [[status[field] for status in found] for field in fields]


def _status(directory: Directory, name: bytes) -> Any:
    try:
        return directory.status(name)
    except OSError:
        return _MISSING
