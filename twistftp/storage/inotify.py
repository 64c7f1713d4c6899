"""
The system calls of ``inotify(7)``: whether something has happened in a directory since it was last asked for.

Not here: what is kept of directories (``listing_cache``). Twisted's ``INotify`` wakes the reactor for every event; here nobody is woken:
each watch tells of one event and is gone, and somebody looks when the answer is needed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

from twistftp.storage.statfs import EXT4, file_system

__all__ = ["Polled", "Watches", "is_local"]

# What changes anything that a listing shows of the objects in a directory, or of the directory's own rights.
_MODIFY, _ATTRIB, _CLOSE_WRITE, _MOVED, _CREATE, _DELETE = 0x2, 0x4, 0x8, 0x40 | 0x80, 0x100, 0x200
_ONLYDIR, _ONESHOT = 0x01000000, 0x80000000
_MASK = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED | _CREATE | _DELETE | _ONLYDIR | _ONESHOT
_OVERFLOW = 0x4000

_EVENT = struct.Struct("iIII")  # struct inotify_event: watch, mask, cookie, length of the name behind it
_MOST = _EVENT.size + 256  # octets of an event: a name of 255 and its end
_ROOM = 4096  # octets of events read at a time

# statfs(2)'s numbers of file systems all of whose changes are made by this system, so that it can tell of them. On others (NFS, FUSE, proc) things
# happen elsewhere.
_LOCAL = frozenset(
    {
        EXT4,
        0x58465342,  # XFS
        0x9123683E,  # Btrfs
        0x2FC12FC1,  # ZFS
        0xF2F52010,  # F2FS
        0x01021994,  # tmpfs
        0x794C7630,  # overlayfs: changes below it, behind its back, are undefined for everybody
    }
)

_libc = None
if sys.platform.startswith("linux"):
    try:
        _libc = ctypes.CDLL(None, use_errno=True)
        _libc.inotify_init1.argtypes = [ctypes.c_int]
        _libc.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]
        _libc.inotify_rm_watch.argtypes = [ctypes.c_int, ctypes.c_int]
    except (AttributeError, OSError):  # a statically linked Python
        _libc = None


def is_local(descriptor: int) -> bool:
    """Whether an open object is on a file system that only this system changes, as far as is known."""
    return file_system(descriptor) in _LOCAL


class Polled:
    """What ``poll(2)`` can be asked about, by a descriptor of its own."""

    __slots__ = ("_descriptor",)

    def __init__(self) -> None:
        self._descriptor = -1

    def fileno(self) -> int:
        """For ``poll(2)``."""
        return self._descriptor

    def close(self) -> None:
        """Let go of it. May be called more than once."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class Watches(Polled):
    """
    One inotify instance; ``close`` ends all watches. ``poll(2)`` says ``POLLIN`` when :meth:`ended` would tell of any.

    :raises OSError: there is none here, or no more for this user.
    """

    __slots__ = ("_libc",)

    def __init__(self) -> None:
        super().__init__()
        if _libc is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._libc = _libc
        self._descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def watch(self, directory: int) -> int:
        """
        From now on, note the first change in an open directory, of its own rights too: the number of the watch, which is given out once only.

        To watch one that is watched gives the number that it has.

        :raises OSError: ``ENOSPC``: too many watches for this user; ``ENOENT``: no ``/proc`` here.
        """
        # There is no call that takes a descriptor, and what a path leads to may have changed.
        return _checked(self._libc.inotify_add_watch(self._descriptor, b"/proc/self/fd/%d" % directory, _MASK))

    def forget(self, watch: int) -> None:
        """End a watch; one that has ended by itself is ignored."""
        self._libc.inotify_rm_watch(self._descriptor, watch)

    def ended(self) -> list[int] | None:
        """
        The watches that have ended since the last call, by a change or otherwise; ``None``: any may have. Does not wait.

        A change whose system call has returned is told.
        """
        watches: list[int] = []
        while True:
            try:
                events = os.read(self._descriptor, _ROOM)
            except BlockingIOError:
                return watches
            start = 0
            while start < len(events):
                watch, mask, _, length = _EVENT.unpack_from(events, start)
                if mask & _OVERFLOW:
                    return None
                watches.append(watch)
                start += _EVENT.size + length
            if len(events) <= _ROOM - _MOST:  # another one would have had room
                return watches


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
