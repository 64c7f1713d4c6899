"""
The system call ``renameat2(2)``: a rename that replaces nothing, decided by the kernel.

Not here: what may be renamed (``changing``).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import Any

__all__ = ["rename_new"]

_NOREPLACE = 1
_UNKNOWN = frozenset({errno.ENOSYS, errno.EINVAL})  # an old kernel; a file system without it

_call: Any = None
if sys.platform.startswith("linux"):
    try:
        _call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):  # an old or another C library
        _call = None
    else:
        _call.restype = ctypes.c_int
        _call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]


def rename_new(source: bytes, target: bytes, source_directory: int | None, target_directory: int | None) -> None:
    """
    Rename to a name that is free. Where the system cannot see to that, somebody else may take the name in between and lose it.

    :raises OSError: as ``rename(2)``; ``EEXIST``: the name is taken.
    """
    if _call is not None and source_directory is not None and target_directory is not None:
        if not _call(source_directory, source, target_directory, target, _NOREPLACE):
            return
        number = ctypes.get_errno()
        if number not in _UNKNOWN:
            raise OSError(number, os.strerror(number))
    try:
        os.lstat(target, dir_fd=target_directory)
    except FileNotFoundError:
        os.rename(source, target, src_dir_fd=source_directory, dst_dir_fd=target_directory)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
