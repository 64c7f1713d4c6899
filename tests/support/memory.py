"""
Avatars in memory: an ``IFileStore`` over a dictionary that can be told to wait or to fail, and a realm that counts.

Not here: assertions, connections.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.protocols.ftp import IFTPShell
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.trees import Link
from twistftp.storage.failures import (
    Busy,
    DirectoryNotEmpty,
    IsADirectory,
    NameNotAllowed,
    NotADirectory,
    NotFound,
    ObjectExists,
    Occupied,
    PermissionDenied,
    ReadFailed,
)
from twistftp.storage.interfaces import IFileStore, IListing, IOpenFile, IUpload
from twistftp.wire.entries import ALL_FACTS, Entry

__all__ = ["MODIFIED", "CountingRealm", "MemoryStore", "portal_of"]

MODIFIED = 1704445620.0  # 2024-01-05 09:07:00 UTC
_BATCH = 3  # entries at a time: even small directories take several


@implementer(IFileStore)
class MemoryStore:
    """
    ``tree`` maps names to octets (a file), to a mapping (a directory) or to a ``trees.Link`` (its target a path from the root).

    ``denied`` holds paths that exist and may not be used, ``failing`` maps paths to the exception that reading them raises
    after ``good_octets``. With ``is_slow`` every answer is a Deferred, kept in ``waiting`` until ``release``.
    """

    restartable = appendable = changes_times = changes_modes = True
    facts = frozenset(ALL_FACTS)

    def __init__(self, tree: Mapping[str, Any], writable: bool = False) -> None:
        self.tree = _copy(tree)
        self.writable = writable
        self.free: int | None = 10**6
        self.busy: set[tuple[str, ...]] = set()
        self.arriving: dict[tuple[str, ...], bytes] = {}
        self.modes: dict[tuple[str, ...], int] = {}
        self.upload_error: Exception | None = None  # what storing more than ``good_octets`` raises
        self.finish_error: Exception | None = None
        self.denied: set[tuple[str, ...]] = set()
        self.failing: dict[tuple[str, ...], Exception] = {}
        self.good_octets = 0
        self.raising: Exception | None = None
        self.is_slow = False
        self.waiting: list[tuple[Deferred[Any], Any]] = []
        self.open: list[Any] = []
        self.modified: dict[tuple[str, ...], float] = {}
        self.permissions: dict[tuple[str, ...], str] = {}

    def release(self) -> None:
        """Answer all that waits."""
        waiting, self.waiting = self.waiting, []
        for deferred, result in waiting:
            if deferred.called:
                if not isinstance(result, Failure) and hasattr(result, "close"):
                    result.close()
            else:
                deferred.callback(result)

    def answer(self, function: Any, *arguments: Any) -> Any:
        """The function's result, now or later."""
        if not self.is_slow:
            return function(*arguments)
        try:
            result = function(*arguments)
        except Exception:
            result = Failure()
        deferred: Deferred[Any] = Deferred()
        self.waiting.append((deferred, result))
        return deferred

    def status(self, path: tuple[str, ...]) -> Any:
        return self.answer(self._status, path)

    def listing(self, path: tuple[str, ...]) -> Any:
        return self.answer(self._listing, path)

    def open_file(self, path: tuple[str, ...]) -> Any:
        return self.answer(self._open_file, path)

    def read_upload(self, path: tuple[str, ...]) -> Any:
        return _File(self, path, self.arriving[path]) if path in self.arriving else None

    def open_upload(self, path: tuple[str, ...], *, offset: int | None = 0, in_place: bool = False, is_part: bool = False) -> Any:
        return self.answer(self._open_upload, path, offset, in_place, is_part)

    def open_unique(self, path: tuple[str, ...], *, in_place: bool = False) -> Any:
        return self.answer(self._open_upload, path, 0, in_place, False)

    def make_directory(self, path: tuple[str, ...]) -> Any:
        return self.answer(self._make_directory, path)

    def remove_directory(self, path: tuple[str, ...]) -> Any:
        return self.answer(self._remove, path, True)

    def remove_file(self, path: tuple[str, ...]) -> Any:
        return self.answer(self._remove, path, False)

    def move(self, path: tuple[str, ...], to: tuple[str, ...], *, replace: bool) -> Any:
        return self.answer(self._move, path, to, replace)

    def set_modified(self, path: tuple[str, ...], seconds: float) -> Any:
        self.node(path)
        self.modified[path] = seconds

    def set_mode(self, path: tuple[str, ...], mode: int) -> Any:
        self.node(path)
        self.modes[path] = mode

    def free_space(self, path: tuple[str, ...]) -> Any:
        return self.answer(lambda: self.free)

    def _parent(self, path: tuple[str, ...]) -> Any:
        if not path or path in self.denied:
            raise PermissionDenied
        parent = self.node(path[:-1])
        if not isinstance(parent, dict):
            raise NotADirectory
        return parent

    def _open_upload(self, path: tuple[str, ...], offset: int | None, in_place: bool, is_part: bool) -> Any:
        parent = self._parent(path)
        if path in self.busy:
            raise Busy
        old = parent.get(path[-1])
        if isinstance(old, Mapping):
            raise NameNotAllowed("it is a directory")
        if offset and old is None:
            raise NotFound
        return _Upload(self, path, parent, old, offset, in_place, is_part)

    def _make_directory(self, path: tuple[str, ...]) -> None:
        parent = self._parent(path)
        if path[-1] in parent:
            raise ObjectExists
        parent[path[-1]] = {}

    def _remove(self, path: tuple[str, ...], is_directory: bool) -> None:
        parent = self._parent(path)
        node = self.node(path, follow=False)
        if isinstance(node, Mapping) != is_directory:
            raise NotADirectory if is_directory else IsADirectory
        if is_directory and node:
            raise DirectoryNotEmpty
        if path in self.busy:
            raise Busy
        del parent[path[-1]]

    def _move(self, path: tuple[str, ...], to: tuple[str, ...], replace: bool) -> None:
        node = self.node(path, follow=False)
        source, target = self._parent(path), self._parent(to)
        if to[-1] in target and not (replace and isinstance(target[to[-1]], bytes)):
            raise Occupied
        del source[path[-1]]
        target[to[-1]] = node

    def node(self, path: tuple[str, ...], follow: bool = True) -> Any:
        """What lies there."""
        if self.raising is not None:
            raise self.raising
        node: Any = self.tree
        for number, name in enumerate(path):
            if not isinstance(node, Mapping):
                raise NotADirectory if isinstance(node, bytes) else NotFound
            if name not in node:
                raise NotFound
            node = node[name]
            if isinstance(node, Link) and (follow or number < len(path) - 1):
                node = self.node(tuple(part for part in str(node.target).split("/") if part))
        return node

    def entry(self, path: tuple[str, ...]) -> Entry:
        """The entry of an object, a link with what it leads to."""
        node = self.node(path, follow=False)
        name = path[-1] if path else "/"
        modified = self.modified.get(path, MODIFIED)
        unique = f"u{crc32(repr(path).encode()):x}"
        if isinstance(node, Link):
            try:
                resolved = self.entry(tuple(part for part in str(node.target).split("/") if part))
            except NotFound:
                resolved = None
            return Entry(name, stat.S_IFLNK | 0o777, len(node.target), modified, unique=unique, target=str(node.target), resolved=resolved)
        if isinstance(node, bytes):
            return Entry(name, stat.S_IFREG | 0o644, len(node), modified, unique=unique, perm=self.permissions.get(path, "r"))
        if isinstance(node, Mapping):
            return Entry(name, stat.S_IFDIR | 0o755, 4096, modified, 2, unique=unique, perm=self.permissions.get(path, "el"))
        return Entry(name, node, 7, modified, unique=unique)  # a number: the mode of something special

    def _check(self, path: tuple[str, ...]) -> None:
        self.node(path)
        if path in self.denied:
            raise PermissionDenied

    def _status(self, path: tuple[str, ...]) -> Entry:
        return self.entry(path)

    def _listing(self, path: tuple[str, ...]) -> Any:
        self._check(path)
        node = self.node(path)
        if not isinstance(node, Mapping):
            raise NotADirectory
        names = sorted(node, key=lambda name: name.encode("utf-8", "surrogateescape"))
        return _Listing(self, [self.entry((*path, name)) for name in names])

    def _open_file(self, path: tuple[str, ...]) -> Any:
        self._check(path)
        node = self.node(path)
        if not isinstance(node, bytes):
            raise IsADirectory
        return _File(self, path, node)


def _copy(tree: Any) -> Any:
    """A tree that may be changed."""
    return {name: _copy(node) for name, node in tree.items()} if isinstance(tree, Mapping) else tree


class _Closeable:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.is_closed = False
        store.open.append(self)

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.store.open.remove(self)


@implementer(IListing)
class _Listing(_Closeable):
    def __init__(self, store: MemoryStore, entries: list[Entry]) -> None:
        super().__init__(store)
        self._entries = entries

    def next_batch(self) -> Any:
        return self.store.answer(self._next)

    def _next(self) -> list[Entry]:
        batch, self._entries = self._entries[:_BATCH], self._entries[_BATCH:]
        return batch


@implementer(IUpload)
class _Upload(_Closeable):
    takes_pipes = False

    def __init__(self, store: MemoryStore, path: Any, parent: Any, old: bytes | None, offset: int | None, in_place: bool, is_part: bool) -> None:
        super().__init__(store)
        self.path, self.parent, self.old, self.in_place, self.is_part = path, parent, old or b"", in_place, is_part
        self.offset = len(self.old) if offset is None else offset
        self.content = b""
        self.octets = 0
        self.is_over = False

    def _whole(self) -> bytes:
        tail = self.old[self.offset + len(self.content) :] if self.is_part else b""
        return self.old[: self.offset] + self.content + tail

    def write(self, data: bytes) -> Any:
        return self.store.answer(self._write, data)

    def _write(self, data: bytes) -> None:
        if self.store.upload_error is not None and len(self.content) + len(data) > self.store.good_octets:
            raise self.store.upload_error
        self.content += data
        self.octets += len(data)
        self.store.arriving[self.path] = self.content
        if self.in_place:
            self.parent[self.path[-1]] = self._whole()

    def take(self, pipe: int, count: int) -> Any:
        raise AssertionError("it takes no pipes")

    def finish(self) -> Any:
        self.is_over = True
        return self.store.answer(self._finish)

    def _finish(self) -> None:
        self.store.arriving.pop(self.path, None)
        self.close()
        if self.store.finish_error is not None:
            raise self.store.finish_error
        self.parent[self.path[-1]] = self._whole()

    def abandon(self) -> int | None:
        if self.is_over:
            return None
        self.is_over = True
        self.store.arriving.pop(self.path, None)
        self.close()
        return self.offset + self.octets if self.in_place else None


@implementer(IOpenFile)
class _File(_Closeable):
    descriptor = None

    def __init__(self, store: MemoryStore, path: tuple[str, ...], content: bytes) -> None:
        super().__init__(store)
        self.path, self.content, self.size = path, content, len(content)
        self.is_being_uploaded = path in store.busy

    def read_at(self, offset: int, count: int) -> Any:
        return self.store.answer(self._read, offset, count)

    def _read(self, offset: int, count: int) -> bytes:
        error = self.store.failing.get(self.path)
        if error is not None:
            if offset >= self.store.good_octets:
                raise error
            count = min(count, self.store.good_octets - offset)
        if self.path in self.store.arriving:
            return self.content[offset : offset + count]
        node = self.store.node(self.path)  # as it is now: somebody may have cut it
        return bytes(node[offset : offset + count])

    def is_cached(self, offset: int, count: int) -> bool:
        return True

    def warm(self, offset: int, count: int) -> Any:
        raise ReadFailed


@implementer(IRealm)
class CountingRealm:
    """Gives ``avatar`` to everybody and counts; ``result`` or ``raising`` stand in for the avatar triple."""

    def __init__(self, avatar: Any) -> None:
        self.avatar = avatar
        self.logins: list[Any] = []
        self.logouts = 0
        self.raising: BaseException | None = None

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        if self.raising is not None:
            raise self.raising
        self.logins.append(avatarId)
        return IFTPShell, self.avatar, self._logout

    def _logout(self) -> None:
        self.logouts += 1


def portal_of(realm: Any, *checkers: Any) -> Portal:
    """A portal for anonymous users and, unless checkers are given, for ``alice`` with the password ``secret``."""
    if not checkers:
        checkers = (InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret"),)
    return Portal(realm, [AllowAnonymousAccess(), *checkers])
