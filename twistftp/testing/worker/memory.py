"""
A tree of files in memory: what a site of the tests serves unless it is given a directory.

Not here: what a user may do with it, and how octets get in and out (``memory_store``).
"""

from __future__ import annotations

import itertools
import stat
from collections.abc import Callable, Iterator, Mapping

from twistftp.storage.failures import DirectoryNotEmpty, IsADirectory, NotADirectory, NotFound, ObjectExists, Occupied, PermissionDenied
from twistftp.wire.entries import Entry
from twistftp.wire.paths import Path, join, resolve

__all__ = ["MemoryTree", "Node"]

_numbers = itertools.count(1)


class Node:
    """A file, or a directory if ``children`` is a dict."""

    __slots__ = ("children", "content", "is_being_uploaded", "mode", "modified", "number")

    def __init__(self, modified: float, content: bytes | None = None) -> None:
        self.content = content or b""
        self.children: dict[str, Node] | None = {} if content is None else None
        self.mode = 0o755 if content is None else 0o644
        self.modified = modified
        self.is_being_uploaded = False
        self.number = next(_numbers)

    def entry(self, name: str, *, writable: bool) -> Entry:
        """As listings show it."""
        kind, perm = (stat.S_IFREG, "adfrw" if writable else "r") if self.children is None else (stat.S_IFDIR, "cdeflmp" if writable else "el")
        return Entry(name, kind | self.mode, len(self.content), self.modified, unique=f"m{self.number:x}", perm=perm)


class MemoryTree:
    """
    Directories and files by path; ``now`` gives the seconds since 1970.

    Methods raise what ``IFileStore``'s do; no path is changed when one raises.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.root = Node(now())

    def find(self, path: Path) -> Node:
        """What is there. :raises NotFound: nothing."""
        node = self.root
        for name in path:
            found = node.children.get(name) if node.children is not None else None
            if found is None:
                raise NotFound
            node = found
        return node

    def file(self, path: Path) -> Node:
        """The file that is there. :raises IsADirectory: it is none."""
        node = self.find(path)
        if node.children is not None:
            raise IsADirectory
        return node

    def children(self, path: Path) -> dict[str, Node]:
        """What is in a directory. :raises NotADirectory: it is none."""
        node = self.find(path)
        if node.children is None:
            raise NotADirectory
        return node.children

    def siblings(self, path: Path) -> dict[str, Node]:
        """What is in the directory of something that is, or is to be, there. :raises PermissionDenied: ``path`` is the root."""
        if not path:
            raise PermissionDenied
        return self.children(path[:-1])

    def get(self, path: Path) -> Node | None:
        """What is there; ``None``: nothing, but its directory. :raises NotFound: not even that."""
        return self.siblings(path).get(path[-1]) if path else self.root

    def put(self, path: Path, content: bytes) -> Node:
        """A file with this content, in the place of what file is there."""
        node = self.get(path)
        if node is None:
            node = self.siblings(path)[path[-1]] = Node(self.now(), content)
            self.touch(path[:-1])
        elif node.children is not None:
            raise IsADirectory
        else:
            node.content, node.modified = content, self.now()
        return node

    def touch(self, path: Path) -> None:
        """Its names have changed."""
        self.find(path).modified = self.now()

    def make_directory(self, path: Path) -> None:
        """A new one."""
        if self.get(path) is not None:
            raise ObjectExists
        self.siblings(path)[path[-1]] = Node(self.now())
        self.touch(path[:-1])

    def remove(self, path: Path, *, directory: bool) -> None:
        """A file, or an empty directory."""
        node = self.find(path)
        if directory and node.children is None:
            raise NotADirectory
        if not directory and node.children is not None:
            raise IsADirectory
        if node.children:
            raise DirectoryNotEmpty
        del self.siblings(path)[path[-1]]
        self.touch(path[:-1])

    def move(self, path: Path, to: Path, *, replace: bool) -> None:
        """Under another name, or into another directory."""
        node, old = self.find(path), self.siblings(path)
        there, new = self.get(to), self.siblings(to)
        if there is node:
            return
        if to[: len(path)] == path:
            raise PermissionDenied  # into itself
        if there is not None and (not replace or there.children is not None or node.children is not None):
            raise Occupied
        del old[path[-1]]
        new[to[-1]] = node
        self.touch(path[:-1])
        self.touch(to[:-1])

    # For the test's own process, which names files by text

    def plant(self, files: Mapping[str, bytes | None]) -> None:
        """Files by path, and directories (``None``); the directories above them are made."""
        for text, content in files.items():
            path = resolve((), text)
            self.make_parents(path if content is None else path[:-1])
            if content is not None:
                self.put(path, content)

    def make_parents(self, path: Path) -> None:
        """Every directory of ``path`` that is not there. :raises NotADirectory: one of them is a file."""
        for depth in range(1, len(path) + 1):
            node = self.get(path[:depth])
            if node is None:
                self.make_directory(path[:depth])
            elif node.children is None:
                raise NotADirectory

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Everything below the root, by path, without the first slash; a directory before what is in it."""

        def below(path: Path, node: Node) -> Iterator[tuple[str, Node]]:
            for name, child in sorted((node.children or {}).items()):
                yield join((*path, name))[1:], child
                yield from below((*path, name), child)

        return below((), self.root)

    def discard(self, path: Path) -> None:
        """Whatever is there, with all in it."""
        self.find(path)
        del self.siblings(path)[path[-1]]
