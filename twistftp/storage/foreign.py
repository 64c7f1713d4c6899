"""
Other people's ``IFTPShell`` as our ``IFileStore``: names, values and failures translated.

Not here: contents (``foreign_reading``), our own avatar (``filesystem``, which is an ``IFileStore`` already).
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.protocols import ftp
from twisted.python.failure import Failure
from twisted.python.filepath import InsecurePath, Permissions
from zope.interface import implementer

from twistftp.storage import failures
from twistftp.storage.confinement import octets_of, text_of
from twistftp.storage.foreign_reading import ForeignFile
from twistftp.storage.interfaces import IFileStore, IListing
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

    What that interface has no word for is missing: links, identity, rights, reading from the middle.
    """

    __slots__ = ("_shell",)

    restartable = False
    facts = frozenset({"type", "size", "modify", "unix.mode", "unix.owner", "unix.group"})

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def status(self, path: Sequence[str]) -> Deferred[Entry]:
        """As in ``IFileStore``."""
        return Deferred.fromCoroutine(self._status(path))

    def listing(self, path: Sequence[str]) -> Deferred[_ForeignListing]:
        """As in ``IFileStore``."""
        return Deferred.fromCoroutine(self._listing(path))

    def open_file(self, path: Sequence[str]) -> Deferred[ForeignFile]:
        """As in ``IFileStore``."""
        return Deferred.fromCoroutine(self._open_file(path))

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

    async def _open_file(self, path: Sequence[str]) -> ForeignFile:
        entry = await self._status(path)
        if entry.is_directory:
            raise failures.IsADirectory
        reader = await _ask(self._shell.openForReading, list(path))
        return ForeignFile(reader, entry.size, _translate)


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
