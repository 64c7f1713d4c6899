"""
The system call ``fstatfs(2)``: which file system an open object is on.

Not here: what is done with the answer (``inotify``, ``reserving``).
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["EXT4", "file_system"]

EXT4 = 0xEF53
"""ext2, ext3 and ext4."""

_ROOM = 512  # octets, of which the kernel fills fewer

_libc = None
if sys.platform.startswith("linux"):
    try:
        _libc = ctypes.CDLL(None)
        _libc.fstatfs.argtypes = [ctypes.c_int, ctypes.c_char_p]
    except (AttributeError, OSError):  # a statically linked Python
        _libc = None


def file_system(descriptor: int) -> int | None:
    """The number by which Linux knows the file system; ``None``: it does not say, or this is another system."""
    if _libc is None:
        return None
    found = ctypes.create_string_buffer(_ROOM)
    if _libc.fstatfs(descriptor, found) != 0:
        return None
    return int.from_bytes(found.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF
