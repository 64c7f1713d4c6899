"""
The mount table: on which directories' events one can rely (Linux).

Not here: the events (``inotify``).

On file systems that others change, things happen of which this system hears nothing. And where another file is mounted over one, as container
engines do, ``lstat`` shows the other file, whose changes are told to its own directory alone.
"""

from __future__ import annotations

import os
import re
import stat

from twistftp.storage.inotify import Polled, is_local

__all__ = ["Mounts"]

_TABLE = "/proc/self/mountinfo"
_ROOM = 64 * 1024  # octets read at a time
_MOST = 1024  # file systems remembered
# As /proc/filesystems spells them: where looking at a path cannot wait for a network.
_LOCAL = frozenset({b"ext2", b"ext3", b"ext4", b"xfs", b"btrfs", b"zfs", b"f2fs", b"tmpfs", b"devtmpfs", b"overlay", b"proc", b"sysfs"})


class Mounts(Polled):
    """
    The mount table as it was when this was made. ``poll(2)`` says ``POLLPRI`` when something was mounted or unmounted since: then another is needed.

    :raises OSError: there is none here.
    """

    __slots__ = ("_are_local", "_with_files")

    def __init__(self) -> None:
        super().__init__()
        self._descriptor = os.open(_TABLE, os.O_RDONLY | os.O_CLOEXEC)
        self._are_local: dict[int, bool] = {}  # by st_dev, which stays a file system's as long as it is mounted
        pieces = []
        while piece := os.read(self._descriptor, _ROOM):
            pieces.append(piece)
        self._with_files = _with_files(b"".join(pieces))

    def tell_all(self, directory: int, device: int) -> bool:
        """
        Whether this system tells of all that happens to the files in an open directory, as far as is known.

        :param directory: its descriptor.
        :param device: its ``st_dev``.
        """
        local = self._are_local.get(device)
        if local is None:
            if len(self._are_local) >= _MOST:
                self._are_local.clear()
            local = self._are_local[device] = is_local(directory)
        if not local or not self._with_files:
            return local
        mount = _mount_of(directory)
        return mount is not None and mount not in self._with_files


def _with_files(table: bytes) -> frozenset[bytes]:
    """The numbers of the mounts in which something is mounted that is no directory, or may be none."""
    rows: dict[bytes, tuple[bytes, bytes, bytes, bytes]] = {}
    for line in table.splitlines():
        place, _, source = line.partition(b" - ")  # what is before it has as many words as the kernel likes
        mount, above, _, root, point, *_ = place.split(b" ")
        rows[mount] = above, root, point, source.partition(b" ")[0]
    # A whole file system begins with a directory; of a part it is not said what it is.
    return frozenset(row[0] for mount, row in rows.items() if row[1] != b"/" and not _is_directory(mount, rows))


def _is_directory(mount: bytes, rows: dict[bytes, tuple[bytes, bytes, bytes, bytes]]) -> bool:
    """Whether a mount is known to be of a directory: only where to look at it cannot wait."""
    point = rows[mount][2]
    seen = set()
    while mount in rows and mount not in seen:
        seen.add(mount)
        mount, _, _, kind = rows[mount]
        if kind not in _LOCAL:
            return False
    try:
        return stat.S_ISDIR(os.lstat(_ESCAPE.sub(_unescaped, point)).st_mode)
    except OSError:
        return False


_ESCAPE = re.compile(rb"\\([0-7]{3})")


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 8),))


def _mount_of(descriptor: int) -> bytes | None:
    """The number of the mount through which an object was opened, as the table has it; ``None``: it cannot be known."""
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", "rb", 0) as info:
            for line in info.read().splitlines():
                if line.startswith(b"mnt_id:"):
                    return line[7:].strip()
    except OSError:
        pass
    return None
