"""
The avatar over local files: Twisted's ``IFTPShell`` and our ``IFileStore``.

Not here: how paths stay below the root (``confinement``), reading (``files``), directories (``listing``), uploads (``uploads``), all
other changes (``changing``).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, TypeVar

from twisted.internet import defer
from twisted.internet.interfaces import IConsumer
from twisted.protocols import ftp
from twisted.protocols.basic import FileSender
from twisted.python.filepath import Permissions
from zope.interface import implementer

from twistftp.policy.isolation import Account
from twistftp.storage import changing, failures
from twistftp.storage.attributes import entry_of, rights
from twistftp.storage.confinement import Confinement, octets_of, text_of
from twistftp.storage.files import LocalFile, open_local_file, open_plain
from twistftp.storage.holding import InThread, in_thread
from twistftp.storage.links import Links
from twistftp.storage.listing import LocalListing
from twistftp.storage.placing import RESERVED
from twistftp.storage.site_store import ISiteStore
from twistftp.storage.stock_writing import StockWriter
from twistftp.storage.uploads import LocalUpload, open_unique, open_upload, read_upload
from twistftp.wire.entries import ALL_FACTS, Entry
from twistftp.wire.paths import Path

__all__ = ["FilesystemShell"]

_T = TypeVar("_T")

# What Twisted's own server understands; it logs everything else. FTPCmdError takes the path as the text of its reply.
_STOCK: dict[type[BaseException], type[ftp.FTPCmdError]] = {
    failures.NotFound: ftp.FileNotFoundError,
    failures.PermissionDenied: ftp.PermissionDeniedError,
    failures.IsADirectory: ftp.IsADirectoryError,
    failures.NotADirectory: ftp.IsNotADirectoryError,
    failures.NotAPlainFile: ftp.PermissionDeniedError,
    failures.ObjectExists: ftp.FileExistsError,
    failures.Occupied: ftp.FileExistsError,
    failures.NameNotAllowed: ftp.PermissionDeniedError,
    failures.Busy: ftp.PermissionDeniedError,
}

# The keys of IFTPShell.stat and list, of an entry seen through links.
_KEYS: dict[str, Callable[[Entry], object]] = {
    "size": lambda e: e.size,
    "directory": lambda e: e.is_directory,
    "permissions": lambda e: Permissions(e.mode),
    "hardlinks": lambda e: e.links,
    "modified": lambda e: e.modified,
    "owner": lambda e: e.owner,
    "group": lambda e: e.group,
}


@implementer(ftp.IFTPShell, ISiteStore)
class FilesystemShell:
    """
    One user's view of the files below a root.

    :param confinement: the root; shared by all sessions, closed by nobody here.
    :param writable: whether the user may change anything.
    :param in_thread: how work that may wait for a disk is called.
    :param syncs: whether an upload that ends waits for the disk.
    :param account: the user, when the site's own realm makes this.
    """

    __slots__ = ("_confinement", "_in_thread", "_syncs", "account", "writable")

    restartable = True
    appendable = True
    changes_times = True
    changes_modes = True
    facts = frozenset(ALL_FACTS)

    def __init__(
        self,
        confinement: Confinement,
        in_thread: InThread = in_thread,
        account: Account | None = None,
        *,
        writable: bool = False,
        syncs: bool = False,
    ) -> None:
        self._confinement = confinement
        self._syncs = syncs
        self._in_thread = in_thread
        self.account = account
        self.writable = writable

    # IFileStore: at once, since the system has names and inodes at hand nearly always.

    def status(self, path: Sequence[str]) -> Entry:
        """As in ``IFileStore``."""
        if not path:
            return entry_of("/", self._confinement.status(()), rights(self.writable))
        name = octets_of(path[-1])
        with self._confinement.directory(path[:-1]) as directory:
            if b"/" in name or b"\0" in name or name in (b"", b".", b"..") or name.startswith(RESERVED):
                raise failures.NotFound
            try:
                found = directory.status(name)
                letters = rights(True, directory.own_status()) if self.writable else rights()
                if stat.S_ISLNK(found.st_mode):
                    return Links(self._confinement, path[:-1], directory, letters).entry(name, found)
            except OSError as error:
                raise failures.from_os_error(error) from error
        return entry_of(path[-1], found, letters)

    def listing(self, path: Sequence[str]) -> LocalListing:
        """As in ``IFileStore``."""
        return LocalListing(self._confinement, path, self._in_thread, self.writable)

    def open_file(self, path: Sequence[str]) -> LocalFile:
        """As in ``IFileStore``."""
        if path and octets_of(path[-1]).startswith(RESERVED):
            raise failures.NotFound
        return open_local_file(self._confinement, path, self._in_thread)

    def as_writable(self, writable: bool) -> FilesystemShell:
        """As in ``ISiteStore``."""
        if self.writable == writable:
            return self
        return FilesystemShell(self._confinement, self._in_thread, self.account, writable=writable, syncs=self._syncs)

    def place(self, path: Sequence[str]) -> Path:
        """As in ``ISiteStore``."""
        return tuple([text_of(name) for name in self._confinement.place(path)])

    def read_upload(self, path: Sequence[str]) -> LocalFile | None:
        """As in ``IFileStore``; of uploads that this process receives."""
        return read_upload(self._confinement, path, self._in_thread)

    def open_upload(self, path: Sequence[str], *, offset: int | None = 0, in_place: bool = False, is_part: bool = False) -> LocalUpload:
        """As in ``IFileStore``."""
        self._demand_right()
        how: dict[str, Any] = {"in_place": in_place, "is_part": is_part, "syncs": self._syncs, "in_thread": self._in_thread}
        return open_upload(self._confinement, path, offset=offset, **how)

    def open_unique(self, path: Sequence[str], *, in_place: bool = False) -> LocalUpload:
        """As in ``IFileStore``."""
        self._demand_right()
        return open_unique(self._confinement, path, in_place=in_place, syncs=self._syncs, in_thread=self._in_thread)

    def make_directory(self, path: Sequence[str]) -> None:
        """As in ``IFileStore``."""
        self._demand_right()
        changing.make_directory(self._confinement, path)

    def remove_directory(self, path: Sequence[str]) -> None:
        """As in ``IFileStore``."""
        self._demand_right()
        changing.remove_directory(self._confinement, path)

    def remove_file(self, path: Sequence[str]) -> defer.Deferred[None]:
        """As in ``IFileStore``; in a thread, for a large file takes a disk a while."""
        self._demand_right()
        return self._in_thread(changing.remove_file, self._confinement, path)

    def move(self, path: Sequence[str], to: Sequence[str], *, replace: bool = False) -> None:
        """As in ``IFileStore``."""
        self._demand_right()
        changing.rename(self._confinement, path, to, replace)

    def set_modified(self, path: Sequence[str], seconds: float) -> None:
        """As in ``IFileStore``."""
        self._demand_right()
        changing.set_modified(self._confinement, path, seconds)

    def set_mode(self, path: Sequence[str], mode: int) -> None:
        """As in ``IFileStore``."""
        self._demand_right()
        changing.set_mode(self._confinement, path, mode)

    def free_space(self, path: Sequence[str]) -> int | None:
        """As in ``IFileStore``."""
        return changing.free_space(self._confinement, path)

    def _demand_right(self) -> None:
        if not self.writable:
            raise failures.PermissionDenied

    # IFTPShell, for Twisted's own server and other people's code.

    def makeDirectory(self, path: Sequence[str]) -> defer.Deferred[None]:
        """Make one directory."""
        return _deferred(path, lambda: self.make_directory(path))

    def removeDirectory(self, path: Sequence[str]) -> defer.Deferred[None]:
        """Remove an empty directory."""
        return _deferred(path, lambda: self.remove_directory(path))

    def removeFile(self, path: Sequence[str]) -> defer.Deferred[None]:
        """Remove a file."""
        return _deferred(path, lambda: self.remove_file(path))

    def rename(self, fromPath: Sequence[str], toPath: Sequence[str]) -> defer.Deferred[None]:
        """Rename or move an object; nothing is replaced."""
        return _deferred(fromPath, lambda: self.move(fromPath, toPath))

    def openForWriting(self, path: Sequence[str]) -> defer.Deferred[StockWriter]:
        """A file's ``IWriteFile``; what it receives becomes the file when it is closed."""

        def open_it() -> StockWriter:
            try:
                return StockWriter(self.open_upload(path))
            except failures.NameNotAllowed:
                with suppress(failures.StorageError):  # nothing need be there
                    entry = self.status(path)
                    if (entry.resolved or entry).is_directory:
                        raise ftp.IsADirectoryError("/".join(path)) from None
                raise

        return _deferred(path, open_it)

    def access(self, path: Sequence[str]) -> defer.Deferred[None]:
        """Succeed if ``path`` is a directory that can be listed (that is what Twisted's ``CWD`` asks)."""

        def look() -> None:
            self.listing(path).close()

        return _deferred(path, look)

    def stat(self, path: Sequence[str], keys: Iterable[str] = ()) -> defer.Deferred[list[object]]:
        """The values of ``keys`` for one object, seen through links."""

        def look() -> list[object]:
            entry = self.status(path)
            if entry.is_link and entry.resolved is None:
                raise failures.NotFound
            return _values(entry, keys)

        return _deferred(path, look)

    def list(self, path: Sequence[str], keys: Iterable[str] = ()) -> defer.Deferred[list[tuple[str, list[object]]]]:
        """A name and the values of ``keys`` for each entry of a directory, or for the file that ``path`` is."""
        wanted = tuple(keys)

        async def collect() -> list[tuple[str, list[object]]]:
            try:
                listing = self.listing(path)
            except failures.NotADirectory:
                entry = self.status(path)
                return [(entry.name, _values(entry, wanted))]
            found: list[tuple[str, list[object]]] = []
            try:
                while True:
                    batch = listing.next_batch()
                    entries = await batch if isinstance(batch, defer.Deferred) else batch
                    if not entries:
                        return found
                    found.extend((entry.name, _values(entry, wanted)) for entry in entries)
            finally:
                listing.close()

        return _translated(path, defer.Deferred.fromCoroutine(collect()))

    def openForReading(self, path: Sequence[str]) -> defer.Deferred[_LocalReader]:
        """A plain file's ``IReadFile``."""

        def open_it() -> _LocalReader:
            descriptor, _ = open_plain(self._confinement, path)
            return _LocalReader(os.fdopen(descriptor, "rb"))

        return _deferred(path, open_it)


@implementer(ftp.IReadFile)
class _LocalReader:
    """An ``IReadFile`` that owns a file object."""

    __slots__ = ("_file",)

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def send(self, consumer: IConsumer) -> defer.Deferred[None]:
        """Produce the file's content to ``consumer``, once; then the file is closed."""

        def done(result: object) -> object:
            self._file.close()
            return result

        sending: defer.Deferred[Any] = FileSender().beginFileTransfer(self._file, consumer)
        return sending.addBoth(done)


def _values(entry: Entry, keys: Iterable[str]) -> list[object]:
    """:raises AttributeError: there is no such key; that is what Twisted's own shell raises."""
    seen = entry.resolved or entry
    try:
        return [_KEYS[key](seen) for key in keys]
    except KeyError as error:
        raise AttributeError(f"IFTPShell has no key {error}") from None


def _deferred(path: Sequence[str], function: Callable[[], Any]) -> defer.Deferred[Any]:
    return _translated(path, defer.maybeDeferred(function))


def _translated(path: Sequence[str], result: defer.Deferred[_T]) -> defer.Deferred[_T]:
    def stock(failure: Any) -> Any:
        kind = _STOCK.get(type(failure.value))
        if kind is None:
            return failure
        raise kind("/".join(path)) from failure.value

    return result.addErrback(stock)
