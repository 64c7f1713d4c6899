"""
Other people's ``IFTPShell`` as our ``IFileStore``: names, values and failures translated.

Not here: contents (``foreign_reading``, ``foreign_writing``), our own avatar (``filesystem``, which is an ``IFileStore`` already).
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.protocols import ftp
from twisted.python.failure import Failure
from twisted.python.filepath import InsecurePath, Permissions
from zope.interface import implementer

from twistftp.storage import failures
from twistftp.storage.confinement import octets_of, text_of
from twistftp.storage.files import LocalFile
from twistftp.storage.foreign_reading import ForeignFile, RestartableFile
from twistftp.storage.foreign_writing import ForeignUpload
from twistftp.storage.interfaces import IAppendable, IDirectFile, IFileStore, IListing, IRestartable, ITimestamps
from twistftp.wire.entries import Entry

__all__ = ["ForeignStore"]

_KEYS = ("size", "directory", "permissions", "hardlinks", "modified", "owner", "group")
_BATCH = 256

# Stock failures, in the order in which they are tried: the first that fits. Anything else stays what it is: the session
# logs it.
_FAILURES: tuple[tuple[type[Exception], type[failures.StorageError]], ...] = (
    (ftp.FileNotFoundError, failures.NotFound),
    (ftp.IsADirectoryError, failures.IsADirectory),
    (ftp.IsNotADirectoryError, failures.NotADirectory),
    (ftp.PermissionDeniedError, failures.PermissionDenied),
    (ftp.AnonUserDeniedError, failures.PermissionDenied),
    (ftp.FileExistsError, failures.ObjectExists),
    (ftp.InvalidPath, failures.NotFound),
    (InsecurePath, failures.NotFound),  # FilePath.child met a name that would lead out (P-PATH-4)
)


def _translate(failure: Failure) -> Failure:
    """The errback of everything that a shell is asked."""
    error = failure.value
    for stock, ours in _FAILURES:
        if isinstance(error, stock):
            raise ours from error
    if isinstance(error, OSError) and error.errno is not None:
        raise failures.from_os_error(error) from error
    return failure


def _ask(method: Any, *arguments: Any) -> Deferred[Any]:
    """Call a shell's method, which may raise, give a value or a Deferred."""
    return maybeDeferred(method, *arguments).addErrback(_translate)


@implementer(IFileStore)
class ForeignStore:
    """
    An ``IFileStore`` that asks an ``IFTPShell``; everything it gives is deferred.

    What that interface has no word for is missing: links, identity, rights. What it can do beyond, it says by the optional
    interfaces of ``interfaces``.
    """

    __slots__ = ("_shell",)

    changes_modes = False
    writable = True  # a shell says itself what its user may not do
    facts = frozenset({"type", "size", "modify", "unix.mode", "unix.owner", "unix.group"})

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    @property
    def restartable(self) -> bool:
        """As in ``IFileStore``."""
        return bool(IRestartable.providedBy(self._shell))

    @property
    def appendable(self) -> bool:
        """As in ``IFileStore``."""
        return bool(IAppendable.providedBy(self._shell))

    @property
    def changes_times(self) -> bool:
        """As in ``IFileStore``."""
        return bool(ITimestamps.providedBy(self._shell))

    def status(self, path: Sequence[str]) -> Deferred[Entry]:
        """As in ``IFileStore``."""
        return Deferred.fromCoroutine(self._status(path))

    def listing(self, path: Sequence[str]) -> Deferred[_ForeignListing]:
        """As in ``IFileStore``."""
        return Deferred.fromCoroutine(self._listing(path))

    def open_file(self, path: Sequence[str]) -> Deferred[ForeignFile | RestartableFile | LocalFile]:
        """As in ``IFileStore``."""
        return Deferred.fromCoroutine(self._open_file(path))

    def read_upload(self, path: Sequence[str]) -> None:
        """As in ``IFileStore``: a shell does not tell."""

    def open_upload(self, path: Sequence[str], *, offset: int | None = 0, in_place: bool = False, is_part: bool = False) -> Deferred[ForeignUpload]:
        """As in ``IFileStore``; whether it is written in place is the shell's to decide."""
        return Deferred.fromCoroutine(self._open_upload(path, offset, is_part))

    def open_unique(self, path: Sequence[str], *, in_place: bool = False) -> Deferred[ForeignUpload]:
        """As in ``IFileStore``."""
        return Deferred.fromCoroutine(self._open_unique(path))

    def make_directory(self, path: Sequence[str]) -> Deferred[None]:
        """As in ``IFileStore``."""
        return Deferred.fromCoroutine(self._make_directory(path))

    def remove_directory(self, path: Sequence[str]) -> Deferred[None]:
        """As in ``IFileStore``."""
        return _ask(self._shell.removeDirectory, list(path))

    def remove_file(self, path: Sequence[str]) -> Deferred[None]:
        """As in ``IFileStore``."""
        return _ask(self._shell.removeFile, list(path))

    def move(self, path: Sequence[str], to: Sequence[str], *, replace: bool = False) -> Deferred[None]:
        """As in ``IFileStore``."""
        return Deferred.fromCoroutine(self._move(path, to, replace))

    def set_modified(self, path: Sequence[str], seconds: float) -> Deferred[None]:
        """As in ``IFileStore``, with ``changes_times``."""
        return _ask(self._shell.setModificationTime, list(path), seconds)

    def set_mode(self, path: Sequence[str], mode: int) -> Deferred[None]:
        """A shell has no word for it. :raises PermissionDenied: always."""
        return fail(failures.PermissionDenied())

    def free_space(self, path: Sequence[str]) -> None:
        """As in ``IFileStore``: a shell does not tell."""

    async def _status(self, path: Sequence[str]) -> Entry:
        values = await _ask(self._shell.stat, list(path), _KEYS)
        return _entry(path[-1] if path else "/", values)

    async def _listing(self, path: Sequence[str]) -> _ForeignListing:
        # IFTPShell.list of a file is that file, not a refusal.
        if not (await self._status(path)).is_directory:
            raise failures.NotADirectory
        try:
            found = await _ask(self._shell.list, list(path), _KEYS)
        except (failures.NotFound, failures.PermissionDenied):
            # Twisted's shells give up a whole directory for one dangling link in it (P-LS-6); names alone they give.
            found = [(name, None) for name, _ in await _ask(self._shell.list, list(path), ())]
        return _ForeignListing(self, path, found)

    async def _open_file(self, path: Sequence[str]) -> ForeignFile | RestartableFile | LocalFile:
        entry = await self._status(path)
        if entry.is_directory:
            raise failures.IsADirectory
        shell = self._shell
        reader = await _ask(shell.openForReading, list(path))
        if IDirectFile.providedBy(reader):
            return LocalFile(reader.detach(), entry.size)
        if IRestartable.providedBy(shell):
            return RestartableFile(reader, entry.size, _translate, lambda offset: _ask(shell.openForReadingAt, list(path), offset))
        return ForeignFile(reader, entry.size, _translate)

    async def _there(self, path: Sequence[str]) -> Entry | None:
        try:
            return await self._status(path)
        except failures.NotFound:
            return None

    async def _open_upload(self, path: Sequence[str], offset: int | None, is_part: bool) -> ForeignUpload:
        there = await self._there(path)
        if there is not None and there.is_directory:
            raise failures.NameNotAllowed("it is a directory")
        shell, segments = self._shell, list(path)
        if there is None:
            if offset:
                raise failures.NotFound
            if path and not (await self._status(path[:-1])).is_directory:
                raise failures.NotADirectory
        if is_part:
            raise failures.PermissionDenied  # no shell has a word for it
        if offset is None:
            return ForeignUpload(lambda: _ask(shell.openForAppending, segments), there.size if there else 0, _translate)
        if offset:
            return ForeignUpload(lambda: _ask(shell.openForWritingAt, segments, offset), offset, _translate)
        return ForeignUpload(lambda: _ask(shell.openForWriting, segments), 0, _translate)

    async def _open_unique(self, path: Sequence[str]) -> ForeignUpload:
        if await self._there(path) is not None:
            raise failures.ObjectExists
        return await self._open_upload(path, 0, False)

    async def _make_directory(self, path: Sequence[str]) -> None:
        # Twisted's shell makes the directories above too, and thinks it well that it is there already.
        if await self._there(path) is not None:
            raise failures.ObjectExists
        if not (await self._status(path[:-1])).is_directory:
            raise failures.NotADirectory
        await _ask(self._shell.makeDirectory, list(path))

    async def _move(self, path: Sequence[str], to: Sequence[str], replace: bool) -> None:
        there = await self._there(to)
        if there is not None and (there.is_directory or not replace):
            raise failures.Occupied
        await _ask(self._shell.rename, list(path), list(to))


@implementer(IListing)
class _ForeignListing:
    """What ``IFTPShell.list`` gave: values, or ``None`` where each object has yet to be asked for."""

    def __init__(self, store: ForeignStore, path: Sequence[str], found: Sequence[tuple[str | bytes, Any]]) -> None:
        named = ((name if isinstance(name, bytes) else octets_of(name), values) for name, values in found)
        # Nobody could ask for the names left out: a reply line ends at them (P-LINE-10), or they are another path.
        usable = [item for item in named if not _UNUSABLE(item[0])]
        self._found: Iterator[tuple[bytes, Any]] = iter(sorted(usable, key=lambda item: item[0]))
        self._store = store
        self._path = tuple(path)

    def next_batch(self) -> Deferred[list[Entry]]:
        """As in ``IListing``."""
        return Deferred.fromCoroutine(self._next_batch())

    def close(self) -> None:
        """As in ``IListing``."""
        self._found = iter(())

    async def _next_batch(self) -> list[Entry]:
        batch: list[Entry] = []
        while not batch:
            some = list(islice(self._found, _BATCH))
            if not some:
                break
            for octets, values in some:
                name = text_of(octets)
                if values is not None:
                    batch.append(_entry(name, values))
                    continue
                try:
                    batch.append(await self._store.status((*self._path, name)))
                except failures.StorageError:  # vanished, or a link that leads nowhere
                    continue
        return batch


_UNUSABLE = re.compile(rb"\A\.{0,2}\Z|[\0\r\n/]").search


def _entry(name: str, values: Sequence[Any]) -> Entry:
    size, is_directory, permissions, links, modified, owner, group = values
    mode = (stat.S_IFDIR if is_directory else stat.S_IFREG) | _bits(permissions)
    return Entry(name, mode, int(size or 0), _seconds(modified), int(links or 1), _word(owner), _word(group))


def _bits(permissions: Any) -> int:
    """The interface says "a bitvector", Twisted's own shells give a ``Permissions``."""
    if isinstance(permissions, Permissions):
        classes = (permissions.user, permissions.group, permissions.other)
        return sum((4 * c.read + 2 * c.write + c.execute) << shift for c, shift in zip(classes, (6, 3, 0), strict=True))
    return stat.S_IMODE(permissions) if isinstance(permissions, int) else 0o444


def _seconds(modified: Any) -> float:
    if isinstance(modified, datetime):
        # One without a zone is taken as UTC, as everything on the wire is.
        return (modified if modified.tzinfo else modified.replace(tzinfo=UTC)).timestamp()
    return float(modified or 0)


def _word(name: Any) -> str:
    """An owner as LIST can show it: one word (P-LU-3)."""
    text = text_of(name) if isinstance(name, bytes) else str(name if name is not None else "")
    return re.sub(r"[\s\0]", "_", text) or "ftp"
