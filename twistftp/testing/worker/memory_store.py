"""
One user's view of a tree in memory: an ``IFileStore``, so all verbs work that work over files of a disk.

Not here: the tree (``memory``).
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from twistftp.storage.confinement import octets_of
from twistftp.storage.failures import Busy, IsADirectory, NameNotAllowed, NotFound, ObjectExists
from twistftp.storage.interfaces import IFileStore, IListing, IOpenFile, IUpload
from twistftp.testing.worker.memory import MemoryTree, Node
from twistftp.wire.entries import ALL_FACTS, Entry
from twistftp.wire.paths import Path

__all__ = ["MemoryStore"]

_BATCH = 500


@implementer(IFileStore)
class MemoryStore:
    """``tree`` as a user sees it who may write or not."""

    restartable = appendable = changes_times = changes_modes = True
    facts = frozenset(ALL_FACTS)

    def __init__(self, tree: MemoryTree, *, writable: bool) -> None:
        self._tree, self.writable = tree, writable

    def status(self, path: Sequence[str]) -> Entry:
        """As in ``IFileStore``."""
        path = tuple(path)
        return self._tree.find(path).entry(path[-1] if path else "/", writable=self.writable)

    def listing(self, path: Sequence[str]) -> MemoryListing:
        """As in ``IFileStore``: what is there now."""
        children = sorted(self._tree.children(tuple(path)).items(), key=lambda item: octets_of(item[0]))
        return MemoryListing([node.entry(name, writable=self.writable) for name, node in children])

    def open_file(self, path: Sequence[str]) -> MemoryFile:
        """As in ``IFileStore``."""
        return MemoryFile(self._tree.file(tuple(path)))

    def read_upload(self, path: Sequence[str]) -> MemoryFile | None:
        """As in ``IFileStore``: what is written in place is there like any other file."""
        return None

    def open_upload(self, path: Sequence[str], *, offset: int | None = 0, in_place: bool = False, is_part: bool = False) -> MemoryUpload:
        """As in ``IFileStore``."""
        path = tuple(path)
        node = self._tree.get(path)
        if node is not None and node.children is not None:
            raise NameNotAllowed("it is a directory")
        if node is not None and node.is_being_uploaded:
            raise Busy
        if node is None and offset:
            raise NotFound
        there = node.content if node is not None else b""
        start = len(there) if offset is None else offset
        return MemoryUpload(self._tree, path, there[:start], there if is_part else b"", in_place=in_place, is_new=False)

    def open_unique(self, path: Sequence[str], *, in_place: bool = False) -> MemoryUpload:
        """As in ``IFileStore``."""
        if self._tree.get(tuple(path)) is not None:
            raise ObjectExists
        return MemoryUpload(self._tree, tuple(path), b"", b"", in_place=in_place, is_new=True)

    def make_directory(self, path: Sequence[str]) -> None:
        """As in ``IFileStore``."""
        self._tree.make_directory(tuple(path))

    def remove_directory(self, path: Sequence[str]) -> None:
        """As in ``IFileStore``."""
        self._tree.remove(tuple(path), directory=True)

    def remove_file(self, path: Sequence[str]) -> None:
        """As in ``IFileStore``."""
        if self._tree.file(tuple(path)).is_being_uploaded:
            raise Busy
        self._tree.remove(tuple(path), directory=False)

    def move(self, path: Sequence[str], to: Sequence[str], *, replace: bool) -> None:
        """As in ``IFileStore``."""
        self._tree.move(tuple(path), tuple(to), replace=replace)

    def set_modified(self, path: Sequence[str], seconds: float) -> None:
        """As in ``IFileStore``."""
        self._tree.find(tuple(path)).modified = seconds

    def set_mode(self, path: Sequence[str], mode: int) -> None:
        """As in ``IFileStore``; nothing comes of it but that it is shown."""
        self._tree.find(tuple(path)).mode = mode

    def free_space(self, path: Sequence[str]) -> int | None:
        """As in ``IFileStore``: nobody knows."""
        self._tree.children(tuple(path))
        return None


@implementer(IListing)
class MemoryListing:
    """Entries, some at a time."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries

    def next_batch(self) -> list[Entry]:
        """As in ``IListing``."""
        batch, self._entries = self._entries[:_BATCH], self._entries[_BATCH:]
        return batch

    def close(self) -> None:
        """As in ``IListing``."""
        self._entries = []


@implementer(IOpenFile)
class MemoryFile:
    """A file's content when it was opened."""

    descriptor = None

    def __init__(self, node: Node) -> None:
        self._content = node.content
        self.size = len(node.content)
        self.is_being_uploaded = node.is_being_uploaded

    def read_at(self, offset: int, count: int) -> bytes:
        """As in ``IOpenFile``."""
        return self._content[offset : offset + count]

    def is_cached(self, offset: int, count: int) -> bool:
        """True."""
        return True

    def warm(self, offset: int, count: int) -> Deferred[None]:
        """Nothing to do."""
        return succeed(None)

    def close(self) -> None:
        """As in ``IOpenFile``."""


@implementer(IUpload)
class MemoryUpload:
    """
    Octets on their way into the tree.

    :param before: what stays before them, and ``part``: what was there, whose octets behind them stay.
    """

    takes_pipes = False

    def __init__(self, tree: MemoryTree, path: Path, before: bytes, part: bytes, *, in_place: bool, is_new: bool) -> None:
        self._tree, self._path, self._part = tree, path, part
        self._in_place, self._is_new = in_place, is_new
        self._octets = bytearray(before)
        self._is_over = False
        self._node: Node | None = None
        self.offset = len(before)

    @property
    def octets(self) -> int:
        """As in ``IUpload``."""
        return len(self._octets) - self.offset

    def write(self, data: bytes) -> None:
        """As in ``IUpload``."""
        if self._is_over:
            raise ValueError("the upload is over")
        self._octets += data
        if self._in_place:
            self._store(is_being_uploaded=True)

    def take(self, pipe: int, count: int) -> None:
        """:raises ValueError: it takes none."""
        raise ValueError("this upload takes no pipes")

    def finish(self) -> Deferred[None]:
        """As in ``IUpload``."""
        self._store(is_being_uploaded=False)
        self._is_over = True
        return succeed(None)

    def abandon(self) -> int | None:
        """As in ``IUpload``."""
        if self._is_over:
            return None
        self._is_over = True
        if self._node is None:
            return None
        self._node.is_being_uploaded = False
        return len(self._node.content)

    def _store(self, *, is_being_uploaded: bool) -> None:
        content = bytes(self._octets) + self._part[len(self._octets) :]
        if self._node is None:
            if self._is_new and self._tree.get(self._path) is not None:
                raise ObjectExists
            try:
                self._node = self._tree.put(self._path, content)
            except IsADirectory:
                raise NameNotAllowed("it is a directory") from None
        self._node.content, self._node.modified = content, self._tree.now()
        self._node.is_being_uploaded = is_being_uploaded
