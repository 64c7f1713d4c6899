"""
A session's tree in memory, made of what a capsule holds of it: the ``IFileStore`` of a replay.

Not here: single objects (``nodes``), and what the session does with them.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from twistftp.capsules.format import unpacked
from twistftp.capsules.nodes import Node, entry_of
from twistftp.policy.denials import Denial, Reason
from twistftp.storage import failures, refusals
from twistftp.storage.interfaces import IFileStore, IListing, IThreadedFile, IUpload
from twistftp.wire.entries import ALL_FACTS, Entry
from twistftp.wire.paths import Path, resolve

__all__ = ["PlayedStore"]

_BATCH = 64  # entries at a time
_BLOCK = 1 << 18
_DIRECTORY = Entry("", stat.S_IFDIR | 0o755, 4096, 0.0, 2, perm="el")
_FILE = Entry("", stat.S_IFREG | 0o644, 0, 0.0, perm="r")


@implementer(IFileStore)
class PlayedStore:
    """
    What the session's user saw. ``writable`` and the like are set when the user logs in.

    :param now: seconds since 1970, for what the session itself makes.
    """

    restartable = writable = appendable = changes_times = changes_modes = True
    facts = frozenset(ALL_FACTS)

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.nodes: dict[Path, Node] = {(): Node(_DIRECTORY)}
        self.later: dict[Path, Mapping[str, Any]] = {}  # what objects look like that the session makes or changes
        self.armed: list[Mapping[str, Any]] = []  # operations that will fail
        self.free: int | None = None
        self.unique_name = ""  # the one that the next STOU is to choose
        self.has_invented = False
        """Whether octets were read that the capsule does not hold."""

    # What the capsule says

    def plant(self, path: Path, plain: Mapping[str, Any]) -> None:
        """There is such an object from the beginning; an event ``tree`` says so."""
        if "at" in plain:
            node = self._grow(path, _FILE)
            size = node.size
            node.put(int(plain["at"]), unpacked(plain) or b"")
            if size:
                node.cut(size)
            return
        known = self.nodes.get(path)
        entry = entry_of(path[-1] if path else "/", plain)
        if known is None:
            self._grow(path, entry)
        else:
            known.entry, known.size = entry, entry.size

    def _grow(self, path: Path, entry: Entry) -> Node:
        """Make an object, and the directories above it."""
        for length in range(1, len(path)):
            self.nodes.setdefault(path[:length], Node(_DIRECTORY._replace(name=path[length - 1])))
        return self.nodes.setdefault(path, Node(entry._replace(name=path[-1] if path else "/")))

    def change(self, path: Path, plain: Mapping[str, Any]) -> None:
        """From now on it looks like this."""
        self.later[path] = plain
        node = self.nodes.get(path)
        if node is None or "at" in plain:
            return
        size = node.size
        node.entry = entry_of(node.entry.name, plain, node.entry)
        if not node.is_touched and stat.S_ISREG(node.entry.mode):
            size = node.entry.size
        node.cut(size)

    def _refuse(self, operation: str, path: Path) -> None:
        """:raises StorageError: the capsule says that this failed."""
        for refusal in self.armed:
            if refusal["refuses"] == operation and resolve((), refusal["path"]) == path:
                self.armed.remove(refusal)
                raise _error_of(refusal)

    # IFileStore

    def node(self, path: Path) -> Node:
        """:raises NotFound: nothing is there. :raises NotADirectory: what is above it is none."""
        node = self.nodes.get(path)
        if node is None:
            above = self.nodes.get(path[:-1])
            raise failures.NotADirectory if above is not None and not above.is_directory else failures.NotFound
        return node

    def status(self, path: Any) -> Entry:
        """As in ``IFileStore``."""
        path = tuple(path)
        self._refuse("status", path)
        return self._entry(path, self.node(path))

    def _entry(self, path: Path, node: Node) -> Entry:
        size = node.size if stat.S_ISREG(node.entry.mode) else node.entry.size
        return node.entry._replace(name=path[-1] if path else "/", size=size)

    def listing(self, path: Any) -> _Listing:
        """As in ``IFileStore``."""
        path = tuple(path)
        self._refuse("listing", path)
        if not self.node(path).is_directory:
            raise failures.NotADirectory
        inside = [(other, node) for other, node in self.nodes.items() if other and other[:-1] == path]
        entries = [self._entry(other, node) for other, node in inside]
        return _Listing(self, path, sorted(entries, key=lambda entry: entry.name.encode("utf-8", "surrogateescape")))

    def open_file(self, path: Any) -> _File:
        """As in ``IFileStore``."""
        path = tuple(path)
        self._refuse("open_file", path)
        node = self.node(path)
        if node.is_directory:
            raise failures.IsADirectory
        return _File(self, path, node)

    def read_upload(self, path: Any) -> None:
        """Nobody else uploads."""

    def open_upload(self, path: Any, *, offset: int | None = 0, in_place: bool = False, is_part: bool = False) -> _Upload:
        """As in ``IFileStore``."""
        path = tuple(path)
        self._refuse("open_upload", path)
        return self._upload(path, offset, in_place, is_part)

    def open_unique(self, path: Any, *, in_place: bool = False) -> _Upload:
        """As in ``IFileStore``, but under the name that was chosen then."""
        path = tuple(path)
        if self.unique_name:
            path, self.unique_name = (*path[:-1], self.unique_name), ""
        self._refuse("open_unique", path)
        return self._upload(path, 0, in_place, False)

    def _upload(self, path: Path, offset: int | None, in_place: bool, is_part: bool) -> _Upload:
        self._above(path)
        old = self.nodes.get(path)
        if old is not None and old.is_directory:
            raise failures.NameNotAllowed("it is a directory")
        if offset and old is None:
            raise failures.NotFound
        return _Upload(self, path, old, offset, in_place, is_part)

    def _above(self, path: Path) -> None:
        if not path:
            raise failures.PermissionDenied
        if not self.node(path[:-1]).is_directory:
            raise failures.NotADirectory

    def touched(self, path: Path, node: Node) -> None:
        """The session has made or changed an object."""
        node.is_touched = True
        node.entry = node.entry._replace(modified=self._now())
        self.nodes[path] = node
        if (plain := self.later.get(path)) is not None:
            self.change(path, plain)

    def make_directory(self, path: Any) -> None:
        """As in ``IFileStore``."""
        path = tuple(path)
        self._refuse("make_directory", path)
        self._above(path)
        if path in self.nodes:
            raise failures.ObjectExists
        self.touched(path, Node(_DIRECTORY._replace(name=path[-1])))

    def remove_directory(self, path: Any) -> None:
        """As in ``IFileStore``."""
        path = tuple(path)
        self._refuse("remove_directory", path)
        self._above(path)
        if not stat.S_ISDIR(self.node(path).entry.mode):
            raise failures.NotADirectory
        if any(other[: len(path)] == path and other != path for other in self.nodes):
            raise failures.DirectoryNotEmpty
        del self.nodes[path]

    def remove_file(self, path: Any) -> None:
        """As in ``IFileStore``."""
        path = tuple(path)
        self._refuse("remove_file", path)
        self._above(path)
        if stat.S_ISDIR(self.node(path).entry.mode):
            raise failures.IsADirectory
        del self.nodes[path]

    def move(self, path: Any, to: Any, *, replace: bool) -> None:
        """As in ``IFileStore``."""
        path, to = tuple(path), tuple(to)
        self._refuse("move", path)
        self._above(to)
        node, there = self.node(path), self.nodes.get(to)
        if there is not None and path != to and not (replace and stat.S_ISREG(there.entry.mode)):
            raise failures.Occupied
        for other in [other for other in self.nodes if other[: len(path)] == path]:
            self.nodes[(*to, *other[len(path) :])] = self.nodes.pop(other)
        node.entry = node.entry._replace(name=to[-1])
        if (plain := self.later.get(to)) is not None:
            self.change(to, plain)

    def set_modified(self, path: Any, seconds: float) -> None:
        """As in ``IFileStore``."""
        path = tuple(path)
        self._refuse("set_modified", path)
        node = self.node(path)
        node.entry = node.entry._replace(modified=seconds)

    def set_mode(self, path: Any, mode: int) -> None:
        """As in ``IFileStore``."""
        path = tuple(path)
        self._refuse("set_mode", path)
        node = self.node(path)
        node.entry = node.entry._replace(mode=stat.S_IFMT(node.entry.mode) | mode)

    def free_space(self, path: Any) -> int | None:
        """As in ``IFileStore``: as it was then."""
        self._refuse("free_space", tuple(path))
        self.node(tuple(path))
        return self.free


def _error_of(refusal: Mapping[str, Any]) -> Exception:
    name = refusal.get("as", "")
    if "reason" in refusal:
        denied: Any = getattr(refusals, name, refusals.Refused)
        return denied(Denial(Reason[refusal["reason"]]))  # type: ignore[no-any-return]
    kind: Any = getattr(failures, name, failures.PermissionDenied)
    with suppress(TypeError):
        return kind(refusal["text"]) if "text" in refusal else kind()  # type: ignore[no-any-return]
    return failures.PermissionDenied()


class _Open:
    def __init__(self, store: PlayedStore, path: Path) -> None:
        self._store, self._path = store, path

    def close(self) -> None:
        """Nothing is held."""


@implementer(IListing)
class _Listing(_Open):
    def __init__(self, store: PlayedStore, path: Path, entries: list[Entry]) -> None:
        super().__init__(store, path)
        self._entries = entries

    def next_batch(self) -> list[Entry]:
        self._store._refuse("next_batch", self._path)
        batch, self._entries = self._entries[:_BATCH], self._entries[_BATCH:]
        return batch


@implementer(IThreadedFile)
class _File(_Open):
    descriptor = None
    is_being_uploaded = False

    def __init__(self, store: PlayedStore, path: Path, node: Node) -> None:
        super().__init__(store, path)
        self._node, self.size = node, node.size

    def read_at(self, offset: int, count: int) -> bytes:
        self._store._refuse("read_at", self._path)
        data, is_known = self._node.read(offset, count)
        self._store.has_invented |= not is_known
        return data

    def feed(self, take: Callable[[bytes], object], offset: int, count: int) -> Deferred[int]:
        """There are no threads here: at once."""
        done = 0
        while done < count and (data := self.read_at(offset + done, min(_BLOCK, count - done))):
            take(data)
            done += len(data)
        return succeed(done)

    def is_cached(self, offset: int, count: int) -> bool:
        return True

    def warm(self, offset: int, count: int) -> Deferred[None]:
        return succeed(None)


@implementer(IUpload)
class _Upload(_Open):
    takes_pipes = False

    def __init__(self, store: PlayedStore, path: Path, old: Node | None, offset: int | None, in_place: bool, is_part: bool) -> None:
        super().__init__(store, path)
        self._old, self._in_place, self._is_part = old, in_place, is_part
        size = old.size if old is not None else 0
        self.offset = size if offset is None else offset
        self.octets = 0
        self._is_over = False
        self._node = Node(_FILE._replace(name=path[-1], perm="adfrw"))
        if old is not None and (self.offset or is_part):
            self._node.put(0, bytes(old.head))
            self._node.cut(size if is_part else self.offset)

    def write(self, data: bytes) -> None:
        self._store._refuse("write", self._path)
        self._node.put(self.offset + self.octets, data)
        self.octets += len(data)
        if self._in_place:
            self._store.touched(self._path, self._node)

    def take(self, pipe: int, count: int) -> None:
        raise NotImplementedError("it takes no pipes")

    def finish(self) -> Deferred[None]:
        self._is_over = True
        self._store._refuse("finish", self._path)
        self._store.touched(self._path, self._node)
        return succeed(None)

    def abandon(self) -> int | None:
        if self._is_over:
            return None
        self._is_over = True
        return self.offset + self.octets if self._in_place else None
