"""
A local file that is being uploaded: octets to the disk, at once as long as it takes them quickly, else in threads.

Not here: where they lie until they are all there (``placing``), and where they come from (``transport.receiving``).

The system takes what is written into memory and writes it to the disk later; a disk that is too slow for that holds the writer up, and the
reactor must not be that. So every write is timed: after a slow one the next go to a thread. Every 32 MiB the disk is asked to write down what
it has, in a thread, and whoever is another 32 MiB ahead of that waits: one upload cannot fill the memory, and the end does not take long.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.storage.changing import demand_usable, place_of, telling
from twistftp.storage.confinement import Confinement, Directory, octets_of
from twistftp.storage.failures import NameNotAllowed, NotAPlainFile, NotFound, ObjectExists
from twistftp.storage.files import LocalFile
from twistftp.storage.holding import Held, InThread, in_thread
from twistftp.storage.interfaces import IUpload
from twistftp.storage.placing import Aside, InPlace, Place
from twistftp.storage.reserving import Reserve

__all__ = ["LocalUpload", "open_unique", "open_upload", "read_upload"]

SYNC_EVERY = 32 << 20
"""Octets after which the disk is asked to write down what it has been given."""
SLOW = 0.01
"""Seconds after which a write was a slow one; a quick one, of up to a MiB, takes a fraction of a thousandth."""
CAREFUL = 16
"""Writes that go to a thread after a slow one."""

_Key = tuple[object, bytes]
_under_way: dict[_Key, LocalUpload] = {}  # by the directory's identity and the name: for those who may read what is not complete


def open_upload(
    confinement: Confinement,
    path: Sequence[str],
    *,
    offset: int | None = 0,
    in_place: bool = False,
    is_part: bool = False,
    syncs: bool = False,
    in_thread: InThread = in_thread,
) -> LocalUpload:
    """
    Open a file for an upload; nothing is changed before its first octet or its end. See ``IFileStore.open_upload``.

    :param syncs: whether the end waits for the disk.
    :raises StorageError: as there.
    """
    if not path:
        raise NameNotAllowed("it is a directory")
    demand_usable(path)
    directory, name, old = place_of(confinement, path)
    try:
        if old is not None:
            if stat.S_ISDIR(old.st_mode):
                raise NameNotAllowed("it is a directory")
            if not stat.S_ISREG(old.st_mode):
                raise NotAPlainFile
        if offset and old is None:
            raise NotFound
        with telling():
            place = (InPlace if in_place else Aside)(directory, name, old, offset, is_part)
    except BaseException:
        directory.close()
        raise
    return LocalUpload(place, directory, name, syncs, in_thread)


def open_unique(
    confinement: Confinement, path: Sequence[str], *, in_place: bool = False, syncs: bool = False, in_thread: InThread = in_thread
) -> LocalUpload:
    """Open a new file for an upload. :raises ObjectExists: the name is taken."""
    demand_usable(path)
    directory, name, old = place_of(confinement, path)
    try:
        if old is not None:
            raise ObjectExists
        with telling():
            place = InPlace(directory, name, None, 0, False) if in_place else Aside(directory, name, None, 0, False, True)
    except BaseException:
        directory.close()
        raise
    return LocalUpload(place, directory, name, syncs, in_thread)


def read_upload(confinement: Confinement, path: Sequence[str], in_thread: InThread = in_thread) -> LocalFile | None:
    """What has arrived of a file that this process is receiving now, for reading; ``None`` if it is not."""
    if not path or not _under_way:
        return None
    with confinement.directory(path[:-1]) as directory:
        upload = _under_way.get(_key(directory, octets_of(path[-1])))
    if upload is None or not upload.is_under_way:
        return None
    with telling():
        number = upload.reopen()
        return LocalFile(number, os.fstat(number).st_size, in_thread)


def _key(directory: Directory, name: bytes) -> _Key:
    if directory.descriptor is None:
        return directory.prefix, name
    found = os.fstat(directory.descriptor)
    return (found.st_dev, found.st_ino), name


@implementer(IUpload)
class LocalUpload(Held):
    """
    An ``IUpload`` over a :class:`Place`, which it owns. One call at a time: the next after the Deferred of the last has fired.
    """

    __slots__ = (
        "_careful",
        "_error",
        "_gets_in_the_way",
        "_has_begun",
        "_in_thread",
        "_is_done",
        "_key",
        "_place",
        "_reserve",
        "_syncing",
        "_syncs",
        "_unsynced",
        "_waiting",
        "octets",
        "takes_pipes",
    )

    def __init__(self, place: Place, directory: Directory, name: bytes, syncs: bool = False, in_thread: InThread = in_thread) -> None:
        super().__init__()
        self.octets = 0
        self.takes_pipes = hasattr(os, "splice")
        self._place = place
        self._in_thread = in_thread
        self._syncs = syncs
        self._reserve = Reserve(place.offset) if place.is_apart else None
        self._has_begun = self._is_done = False
        self._careful = 0  # writes that still go to a thread
        self._unsynced = 0
        self._syncing = False
        self._gets_in_the_way = False  # whether this disk is slow while it is asked to write down
        self._waiting: Deferred[None] | None = None  # of a writer that is too far ahead of the disk
        self._error: Failure | None = None
        self._key = _key(directory, name)
        _under_way[self._key] = self

    @property
    def is_under_way(self) -> bool:
        """Whether octets have come and more may."""
        return self._has_begun and not self._is_done

    @property
    def offset(self) -> int:
        """Where the first octet goes."""
        return self._place.offset

    def reopen(self) -> int:
        """One more descriptor of what has arrived. :raises OSError: as ``open(2)``."""
        return self._place.reopen()

    def write(self, data: bytes) -> Deferred[None] | None:
        """As in ``IUpload``."""
        return self._store(len(data), self._write, data)

    def take(self, pipe: int, count: int) -> Deferred[None] | None:
        """As in ``IUpload``."""
        return self._store(count, self._splice, pipe, count)

    def finish(self) -> Deferred[None]:
        """As in ``IUpload``. Cancelling the Deferred stops nothing: all octets are here, and they become the file."""
        if self._error is not None:
            self._error.raiseException()
        self._is_done = True
        finished = self._use_in(self._in_thread, self._finish)
        self._forget()
        self.close()  # when the thread is through
        return finished

    def abandon(self) -> int | None:
        """As in ``IUpload``."""
        if self._is_done or self._is_closed:
            return None
        self._is_done = True
        self._forget()
        kept = self._place.size_kept(self._place.offset + self.octets)
        if self._is_free:  # a client that goes on as soon as it has read 426 must not find the file taken
            self._place.give_way(self._has_begun)
        # To let go of a large file takes the disk a while.
        self._use_in(self._in_thread, self._place.discard, self._has_begun)
        self.close()
        return kept

    def _release(self) -> None:
        self._place.close()

    def _forget(self) -> None:
        if _under_way.get(self._key) is self:
            del _under_way[self._key]

    # Octets

    def _store(self, count: int, function: Callable[..., None], *arguments: Any) -> Deferred[None] | None:
        if self._is_done or self._is_closed:
            raise ValueError("the upload is over")
        if self._error is not None:
            self._error.raiseException()
        self.octets += count
        self._unsynced += count
        if not self._has_begun:
            self._has_begun = True
            if self._place.has_work:
                return self._use_in(self._in_thread, self._begin_and, function, arguments)
            with telling():
                self._place.begin()
        reserve = self._reserve
        if reserve is not None and self._place.offset + self.octets > reserve.end:
            return self._use_in(self._in_thread, self._reserve_and, reserve, function, arguments).addCallback(lambda _: self._regulate())
        if self._careful or (self._syncing and self._gets_in_the_way):
            stored = self._use_in(self._in_thread, _timed, function, arguments).addCallback(self._note)
            return stored.addCallback(lambda _: self._regulate())
        self._note(_timed(function, arguments))
        return self._regulate()

    def _note(self, seconds: float) -> None:
        if seconds > SLOW:
            self._careful = CAREFUL
            self._gets_in_the_way = self._gets_in_the_way or self._syncing
        elif self._careful:
            self._careful -= 1

    def _begin_and(self, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        with telling():
            self._place.begin()
        function(*arguments)

    def _reserve_and(self, reserve: Reserve, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        reserve.extend(self._place.number, self._place.offset + self.octets)
        function(*arguments)

    def _write(self, data: bytes) -> None:
        with telling():
            done = os.write(self._place.number, data)
            if done < len(data):
                view = memoryview(data)[done:]
                while view:
                    view = view[os.write(self._place.number, view) :]

    def _splice(self, pipe: int, count: int) -> None:
        with telling():
            try:
                while count > 0:
                    count -= os.splice(pipe, self._place.number, count)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self.takes_pipes = False  # a file system without splice
                while count > 0:
                    data = os.read(pipe, count)
                    self._write(data)
                    count -= len(data)

    # The disk

    def _regulate(self) -> Deferred[None] | None:
        """Have the disk follow, and wait for it if it is too far behind."""
        if self._unsynced < SYNC_EVERY:
            return None
        if self._syncing:
            self._waiting = Deferred()
            return self._waiting
        self._unsynced = 0
        self._syncing = True
        self._use_in(self._in_thread, self._sync).addBoth(self._synced)
        return None

    def _sync(self) -> None:
        with telling():
            (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._place.number)

    def _synced(self, result: object) -> None:
        self._syncing = False
        if isinstance(result, Failure):
            self._error = result
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.called:
            return
        if self._error is not None:
            waiting.errback(self._error)
        else:
            waiting.callback(None)

    def _finish(self) -> None:
        """
        All octets, then the name: after a ``kill -9`` it is the old file or the new one, and never a part. Where the octets go to the
        disk before the name does, that holds after a power cut, too.
        """
        place = self._place
        try:
            with telling():
                if not self._has_begun:
                    place.begin()
                if self._reserve is not None:
                    self._reserve.give_back(place.number)
                if self._syncs:
                    os.fsync(place.number)
                place.publish()
        except BaseException:
            place.discard(True)
            raise


def _timed(function: Callable[..., None], arguments: tuple[Any, ...]) -> float:
    began = perf_counter()
    function(*arguments)
    return perf_counter() - began
