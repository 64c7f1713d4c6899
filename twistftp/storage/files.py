"""
A plain local file that is being read, so that a cold disk does not stop the reactor.

Not here: which files there are (``filesystem``), how they are sent (``transport``).
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Sequence
from mmap import mmap

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import IsADirectory, NotAPlainFile, from_os_error
from twistftp.storage.holding import Held, InThread, in_thread
from twistftp.storage.interfaces import IThreadedFile
from twistftp.storage.locking import is_locked

__all__ = ["LocalFile", "open_local_file", "open_plain"]

# O_NONBLOCK: should a FIFO have taken the file's place since we looked, open must not wait for a writer.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_CAN_ASK = hasattr(os, "preadv") and hasattr(os, "RWF_NOWAIT")
_RWF_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)
_STRIDE = 1 << 20  # octets between two that are asked for: what is in memory is there in larger pieces as a rule
_PIECE = 256 * 1024  # octets that a thread reads at once while it warms a file
_scratch = threading.local()


def open_local_file(confinement: Confinement, path: Sequence[str], in_thread: InThread = in_thread) -> LocalFile:
    """Open a plain file as an ``IOpenFile``. :raises StorageError: as :func:`open_plain`."""
    return LocalFile(*open_plain(confinement, path), in_thread)


def open_plain(confinement: Confinement, path: Sequence[str]) -> tuple[int, int]:
    """
    Open a plain file: its descriptor, which is now the caller's, and its size in octets.

    :raises StorageError: missing, outside, a directory, not a plain file (which is then not opened at all), no right.
    """
    descriptor, found = confinement.open_if(path, _READ, _demand_plain)
    return descriptor, found.st_size


def _demand_plain(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise IsADirectory if stat.S_ISDIR(mode) else NotAPlainFile


@implementer(IThreadedFile)
class LocalFile(Held):
    """
    An ``IOpenFile`` over a descriptor, which it owns.

    What the page cache holds is read at once (``RWF_NOWAIT``), the rest in a thread. A file system that cannot tell
    (some network and overlay ones) is read in a thread always; a system that cannot ask (not Linux), at once always.

    :param size: octets when it was opened.
    """

    __slots__ = ("_can_tell", "_in_thread", "_number", "size")

    def __init__(self, descriptor: int, size: int, in_thread: InThread = in_thread) -> None:
        super().__init__()
        self._number = descriptor
        self._in_thread = in_thread
        self._can_tell = True
        self.size = size

    @property
    def descriptor(self) -> int | None:
        """The number for ``sendfile``; ``None`` once it is closed."""
        return None if self._is_closed else self._number

    @property
    def is_being_uploaded(self) -> bool:
        """As in ``IOpenFile``."""
        return not self._is_closed and is_locked(self._number)

    def read_at(self, offset: int, count: int) -> bytes | Deferred[bytes]:
        """As in ``IOpenFile``; fewer octets than asked for only at the end. :raises ValueError: it is closed."""
        if self._is_closed:
            raise ValueError("the file is closed")
        if not _CAN_ASK:
            return self._read(offset, count)
        if self._can_tell:
            buffer = _buffer(count)
            got = self._read_now(buffer, offset)
            if got == count or (got >= 0 and offset + got >= self.size):
                return bytes(buffer[:got])
        return self._use_in(self._in_thread, self._read, offset, count)

    def is_cached(self, offset: int, count: int) -> bool:
        """As in ``IOpenFile``: asks for one octet in each MiB and for the last one. :raises ValueError: it is closed."""
        if self._is_closed:
            raise ValueError("the file is closed")
        last = min(offset + count, self.size) - 1
        if not _CAN_ASK or last < offset:
            return True
        if not self._can_tell:
            return False
        octet = memoryview(bytearray(1))
        return all(self._read_now(octet, position) >= 0 for position in (*range(offset, last, _STRIDE), last))

    def warm(self, offset: int, count: int) -> Deferred[None]:
        """As in ``IOpenFile``. :raises ValueError: it is closed."""
        return self._use_in(self._in_thread, self._read_ahead, offset, count)

    def feed(self, take: Callable[[memoryview], object], offset: int, count: int) -> Deferred[int]:
        """As in ``IThreadedFile``. :raises ValueError: it is closed."""
        return self._use_in(self._in_thread, self._feed, take, offset, count)

    def _release(self) -> None:
        os.close(self._number)

    def _read_now(self, buffer: memoryview, offset: int) -> int:
        """Read what is in the page cache: the number of octets, -1 if the disk would have to be asked."""
        try:
            return os.preadv(self._number, [buffer], offset, _RWF_NOWAIT)
        except BlockingIOError:
            return -1
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                self._can_tell = False
                return -1
            raise from_os_error(error) from error

    def _read(self, offset: int, count: int) -> bytes:
        """May wait for the disk."""
        try:
            return _pread(self._number, count, offset)
        except OSError as error:
            raise from_os_error(error) from error

    def _feed(self, take: Callable[[memoryview], object], offset: int, count: int) -> int:
        done = 0
        try:
            while done < count:
                buffer = _buffer(min(_PIECE, count - done))
                got = _read_into(self._number, buffer, offset + done)
                if not got:
                    break
                take(buffer[:got])
                done += got
        except OSError as error:
            raise from_os_error(error) from error
        return done

    def _read_ahead(self, offset: int, count: int) -> None:
        """May wait for the disk: that is what it is for."""
        number = self._number
        end = min(offset + count, self.size)
        try:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(number, offset, max(0, end - offset), os.POSIX_FADV_WILLNEED)
            while offset < end:
                got = _read_into(number, _buffer(min(_PIECE, end - offset)), offset)
                if not got:  # somebody cut the file
                    return
                offset += got
        except OSError as error:
            raise from_os_error(error) from error


def _buffer(size: int) -> memoryview:
    """
    Memory of the calling thread, good until its next call: a new one each time would be zeroed for nothing.

    Mapped, and so at the beginning of a page: the kernel copies into that twice as fast as into a ``bytearray``.
    """
    buffer: memoryview | None = getattr(_scratch, "buffer", None)
    if buffer is None or len(buffer) < size:
        buffer = _scratch.buffer = memoryview(mmap(-1, max(size, _PIECE)))
    return buffer[:size]


def _read_into(number: int, buffer: memoryview, offset: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(number, [buffer], offset)
    data = _pread(number, len(buffer), offset)
    buffer[: len(data)] = data
    return len(data)


def _pread(number: int, count: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(number, count, offset)
    os.lseek(number, offset, os.SEEK_SET)  # Windows, where nothing here runs in a thread
    return os.read(number, count)
