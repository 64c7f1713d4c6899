"""
Where an upload's octets lie until it is complete: beside the file, which they then replace at one stroke, or in its own place.

Not here: writing them, and threads (``uploads``).

Beside it is a file without a name (``O_TMPFILE``) where the system has those: whatever happens, ``kill -9`` and a power cut too, nothing of it
stays. Elsewhere it has a name that no client can use or see, and a process that is killed leaves that behind.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from twistftp.storage.confinement import Directory
from twistftp.storage.failures import Busy, NotAPlainFile
from twistftp.storage.locking import lock, unlock
from twistftp.storage.renameat2 import rename_new

__all__ = ["RESERVED", "Aside", "InPlace", "Place"]

RESERVED = b".twistftp-"
"""How the names of unfinished uploads begin, where they need one."""

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NAMELESS = getattr(os, "O_TMPFILE", 0)
_NO_NAMELESS = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOTSUP})
_BLOCK = 1 << 20
_NO_LINK = frozenset({errno.EEXIST, errno.ENOENT, errno.EPERM, errno.EACCES, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK})
_PIECE = 64 << 20  # octets a copy_file_range call
_NO_COPY = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ETXTBSY, errno.EBADF})


class Place:
    """
    The file that is written. What it needs of the disk before the first octet and behind the last may take long: both are for a thread.

    :param directory: where it is; owned by this from now on.
    :param name: its name in there.
    :param old: the status of the file that has the name now.
    :param offset: where the octets go; ``None``: behind those that are there.
    :param is_part: whether octets behind those that come stay: else the file ends with them.
    :raises OSError: as ``open(2)``.
    :raises StorageError: it may not be written, or is being uploaded by somebody else.
    """

    __slots__ = ("_directory", "_is_part", "_name", "number", "offset")

    has_work = False
    """Whether :meth:`begin` may take long."""
    is_apart = False
    """Whether it is a file of its own, which nobody else writes."""

    def __init__(self, directory: Directory, name: bytes, old: os.stat_result | None, offset: int | None, is_part: bool) -> None:
        self._directory = directory
        self._name = name
        self._is_part = is_part
        self.offset = offset or 0
        self.number = -1

    def begin(self) -> None:
        """The first octet is about to come: go where it belongs."""
        raise NotImplementedError

    def publish(self) -> None:
        """All octets are on the disk: from now on they are the file."""
        raise NotImplementedError

    def give_way(self, has_begun: bool) -> None:
        """The upload broke, and no thread is at it: what :meth:`discard` can do at once, so that the next one may have the file now."""
        raise NotImplementedError

    def discard(self, has_begun: bool) -> None:
        """The upload broke."""
        raise NotImplementedError

    def size_kept(self, end: int) -> int | None:
        """The file's size after :meth:`discard` of an upload that got to ``end``; ``None``: nothing of it is kept."""
        raise NotImplementedError

    def reopen(self) -> int:
        """One more descriptor of the file, for reading what there is so far. :raises OSError: as ``open(2)``."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything."""
        if self.number >= 0:
            os.close(self.number)
            self.number = -1
        self._directory.close()

    def _open(self, name: bytes, flags: int, mode: int = 0o666) -> int:
        return os.open(self._directory.prefix + name, flags | _FLAGS, mode, dir_fd=self._directory.descriptor)

    def _demand_plain(self, number: int) -> None:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise NotAPlainFile


class InPlace(Place):
    """The file itself. What arrived stays, whatever happens; one upload at a time."""

    __slots__ = ("_is_new", "_size")

    def __init__(self, directory: Directory, name: bytes, old: os.stat_result | None, offset: int | None, is_part: bool) -> None:
        super().__init__(directory, name, old, offset, is_part)
        self._is_new = False
        if old is None:
            with suppress(FileExistsError):
                self.number = self._open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW)
                self._is_new = True
        try:
            if self.number < 0:
                self.number = self._open(name, os.O_WRONLY | _NOFOLLOW)
            self._demand_plain(self.number)
            if not lock(self.number):
                raise Busy
            self._size = os.fstat(self.number).st_size
        except BaseException:
            if self.number >= 0:
                os.close(self.number)
            raise
        if offset is None:
            self.offset = self._size

    @property
    def has_work(self) -> bool:  # type: ignore[override]
        """As in :class:`Place`."""
        return self._size > self.offset

    def begin(self) -> None:
        """As in :class:`Place`."""
        if not self._is_part and self._size > self.offset:
            os.ftruncate(self.number, self.offset)  # not at the end: after a break the size says what has arrived
        os.lseek(self.number, self.offset, os.SEEK_SET)

    def publish(self) -> None:
        """It has been there from the beginning."""

    def give_way(self, has_begun: bool) -> None:
        """As in :class:`Place`."""
        self.discard(has_begun)
        unlock(self.number)

    def discard(self, has_begun: bool) -> None:
        """As in :class:`Place`."""
        if self._is_new and not has_begun:
            self._is_new = False  # once: then the name may be somebody else's
            self._unlink()

    def _unlink(self) -> None:
        with suppress(OSError):
            os.unlink(self._directory.prefix + self._name, dir_fd=self._directory.descriptor)

    def size_kept(self, end: int) -> int | None:
        """As in :class:`Place`."""
        return max(end, self._size) if self._is_part else end

    def reopen(self) -> int:
        """As in :class:`Place`."""
        return self._open(self._name, os.O_RDONLY | _NOFOLLOW)


class Aside(Place):
    """
    A file beside it, with the octets that are to stay copied to its beginning: as a reference where the file system can do that.

    :param is_exclusive: whether it must not replace anything, also nothing that comes while it is written.
    """

    __slots__ = ("_copied", "_is_exclusive", "_is_new", "_old", "_temporary")
    is_apart = True

    def __init__(
        self, directory: Directory, name: bytes, old: os.stat_result | None, offset: int | None, is_part: bool, is_exclusive: bool = False
    ) -> None:
        super().__init__(directory, name, old, offset, is_part)
        self._old = -1
        self._copied = 0
        self._is_new = old is None
        # Two that append to a file which is not there yet: the second must not wipe out the first.
        self._is_exclusive = is_exclusive or (old is None and offset is None)
        self._temporary = b""
        try:
            if old is not None:
                self._look_at_old(offset)
            self.number = self._make()
            if old is not None:
                self._inherit(old)
        except BaseException:
            self._close_old()
            if self.number >= 0:
                os.close(self.number)
                self._unlink_temporary()
            raise

    def _look_at_old(self, offset: int | None) -> None:
        """Who may not write into a file may not replace it; of one that goes on, only one upload at a time."""
        goes_on = offset != 0 or self._is_part
        self._old = self._open(self._name, (os.O_RDWR if goes_on else os.O_WRONLY) | _NOFOLLOW)
        self._demand_plain(self._old)
        if not lock(self._old):
            raise Busy
        if goes_on:
            size = os.fstat(self._old).st_size
            self.offset = size if offset is None else offset
            self._copied = size if self._is_part else self.offset
        else:
            self._close_old()

    def _make(self) -> int:
        directory = self._directory
        if _NAMELESS and directory.descriptor is not None and os.path.isdir("/proc/self/fd"):
            try:
                return self._open(b".", os.O_RDWR | _NAMELESS)
            except OSError as error:
                if error.errno not in _NO_NAMELESS:
                    raise
        name = _fresh()
        number = self._open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW)
        self._temporary = name
        return number

    def _inherit(self, old: os.stat_result) -> None:
        if hasattr(os, "fchmod"):
            with suppress(OSError):
                if os.geteuid() == 0:
                    os.fchown(self.number, old.st_uid, old.st_gid)
                os.fchmod(self.number, stat.S_IMODE(old.st_mode) & 0o777)

    @property
    def has_work(self) -> bool:  # type: ignore[override]
        """As in :class:`Place`."""
        return self._copied > 0

    def begin(self) -> None:
        """As in :class:`Place`."""
        if self._copied:
            _copy(self._old, self.number, self._copied)
        os.lseek(self.number, self.offset, os.SEEK_SET)

    def publish(self) -> None:
        """As in :class:`Place`."""
        if not self._temporary:
            if self._is_new and self._link(self._name):
                return
            name = _fresh()
            if not self._link(name):
                self._write_out(name)
            self._temporary = name
        elif os.name == "nt":
            os.close(self.number)  # which cannot rename what is open
            self.number = -1
        directory, source, target = self._directory.descriptor, self._directory.prefix + self._temporary, self._directory.prefix + self._name
        try:
            if self._is_exclusive:
                rename_new(source, target, directory, directory)
            else:
                os.replace(source, target, src_dir_fd=directory, dst_dir_fd=directory)
        except FileExistsError:
            raise Busy from None
        self._temporary = b""

    def _link(self, name: bytes) -> bool:
        """Give the nameless file a name; ``False``: the name is taken, or this file system does not link such files."""
        try:
            os.link(f"/proc/self/fd/{self.number}", name, dst_dir_fd=self._directory.descriptor, follow_symlinks=True)
        except OSError as error:
            if error.errno in _NO_LINK:
                return False
            raise
        return True

    def _write_out(self, name: bytes) -> None:
        """Copy the nameless file to one with a name, which takes its place."""
        number = self._open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW)
        self._temporary = name
        try:
            found = os.fstat(self.number)
            os.fchmod(number, stat.S_IMODE(found.st_mode))
            _copy(self.number, number, found.st_size)
            os.fsync(number)
        finally:
            os.close(number)

    def give_way(self, has_begun: bool) -> None:
        """As in :class:`Place`."""
        if self._old >= 0:
            unlock(self._old)

    def discard(self, has_begun: bool) -> None:
        """As in :class:`Place`."""
        self._unlink_temporary()

    def _unlink_temporary(self) -> None:
        if self._temporary:
            with suppress(OSError):
                os.unlink(self._directory.prefix + self._temporary, dir_fd=self._directory.descriptor)

    def size_kept(self, end: int) -> int | None:
        """As in :class:`Place`."""
        return None

    def reopen(self) -> int:
        """As in :class:`Place`."""
        if self._temporary:
            return self._open(self._temporary, os.O_RDONLY | _NOFOLLOW)
        return os.open(f"/proc/self/fd/{self.number}", os.O_RDONLY | _FLAGS)

    def close(self) -> None:
        """As in :class:`Place`."""
        self._close_old()
        super().close()

    def _close_old(self) -> None:
        if self._old >= 0:
            os.close(self._old)
            self._old = -1


def _fresh() -> bytes:
    return RESERVED + os.urandom(8).hex().encode()


def _copy(source: int, target: int, count: int) -> None:
    """Copy the first octets of one file to the beginning of another."""
    done = 0
    while done < count:
        try:
            got = os.copy_file_range(source, target, min(_PIECE, count - done), done, done)
        except (AttributeError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_COPY:
                raise
            break
        if not got:
            break
        done += got
    os.lseek(source, done, os.SEEK_SET)
    os.lseek(target, done, os.SEEK_SET)
    while done < count:
        data = os.read(source, min(_BLOCK, count - done))
        if not data:  # somebody cut the old file: the octets that were there were promised
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
        done += len(data)
