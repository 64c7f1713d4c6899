"""
The system call ``openat2(2)``: open a path that the kernel itself keeps below a directory.

Not here: what to do where the call is missing or says no (``confinement``).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from functools import lru_cache

__all__ = ["is_available", "openat2"]

# Arguments that are larger than an int are made once; without "argtypes" nothing is converted twice, which halves what a call costs.
_SYSCALL = ctypes.c_long(437)  # the same number on every architecture that Python runs on, Alpha excepted
_RESOLVE_NO_MAGICLINKS = 0x02  # no jump through /proc/*/fd, even when /proc is mounted in the root
_RESOLVE_IN_ROOT = 0x10  # "/" and ".." mean the directory given, as after chroot(2)
_RESOLVE = _RESOLVE_NO_MAGICLINKS | _RESOLVE_IN_ROOT
_HOW = struct.Struct("=QQQ")  # struct open_how: flags, mode, resolve
_HOW_SIZE = ctypes.c_size_t(_HOW.size)
_INTERRUPTIONS = 64

_syscall = None
if sys.platform.startswith("linux") and os.uname().machine != "alpha":
    try:
        _syscall = ctypes.CDLL(None, use_errno=True).syscall
    except (AttributeError, OSError):  # a statically linked Python
        _syscall = None
    else:
        _syscall.restype = ctypes.c_long


@lru_cache(maxsize=256)
def _how(flags: int, mode: int) -> bytes:
    # A mode where nothing can be created is EINVAL here; open(2) overlooks it.
    return _HOW.pack(flags | os.O_CLOEXEC, mode if flags & (os.O_CREAT | os.O_TMPFILE) else 0, _RESOLVE)


def openat2(root: int, path: bytes, flags: int, mode: int = 0) -> int:
    """
    Open ``path`` as if the directory ``root`` were the root of the file system: a new descriptor, not inherited by children.

    :param root: a directory's descriptor, ``O_PATH`` will do.
    :param path: without NUL.
    :raises OSError: as ``open(2)``; ``EAGAIN`` when renames on the way kept the kernel from being sure.
    """
    if _syscall is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    left = _INTERRUPTIONS
    while (descriptor := _syscall(_SYSCALL, root, path, _how(flags, mode), _HOW_SIZE)) < 0:
        number, left = ctypes.get_errno(), left - 1
        # EAGAIN: some rename, anywhere on the machine, ran at the same time as a ".."; EINTR: a signal.
        if number not in (errno.EAGAIN, errno.EINTR) or not left:
            raise OSError(number, os.strerror(number))
    return descriptor  # type: ignore[no-any-return]


def is_available(root: int) -> bool:
    """Whether the call works here: not before Linux 5.6 (``ENOSYS``), nor in some containers (``EPERM`` by seccomp)."""
    try:
        os.close(openat2(root, b".", os.O_RDONLY | os.O_DIRECTORY | getattr(os, "O_PATH", 0)))
    except OSError:
        return False
    return True
