"""
The files of a site as its test sees them: a mapping from paths to contents, in memory or in a directory.

Not here: what clients may do with them.
"""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from twistftp.wire.paths import resolve

__all__ = ["Content", "DiskFiles", "Files", "MemoryFiles", "flat"]

Content: TypeAlias = bytes | str | Mapping[str, "Content"] | None
"""A file's octets, or text as UTF-8; a directory is a mapping, or ``None`` for an empty one."""


def flat(files: Mapping[str, Any]) -> dict[str, bytes | None]:
    """
    Nested directories as paths; ``None`` is an empty directory.

    :raises TypeError: something is neither octets, nor text, nor a mapping. :raises ValueError: a file has no name, or is a directory as well.
    """
    if not isinstance(files, Mapping):
        raise TypeError(f"files must be a mapping of paths to contents, not {type(files).__name__}")
    found: dict[str, bytes | None] = {}
    for name, content in files.items():
        path = _path(name)
        if isinstance(content, Mapping):
            found[path] = None
            found.update({f"{path}/{below}": octets for below, octets in flat(content).items()})
        else:
            found[path] = None if content is None else _octets(name, content)
    _check(found)
    return found


def _path(name: Any) -> str:
    """As a client's words are taken: from the root, and ``..`` does not lead out of it."""
    if not isinstance(name, str):
        raise TypeError(f"a path must be a str, not {name!r}")
    path = "/".join(resolve((), name))
    if not path:
        raise ValueError(f"{name!r} is the root, and no name; a path is like 'dir/name'")
    return path


def _check(found: Mapping[str, bytes | None]) -> None:
    """:raises ValueError: a file would have to be a directory, too."""
    for path in found:
        above = next((str(above) for above in PurePosixPath(path).parents if found.get(str(above)) is not None), None)
        if above is not None:
            raise ValueError(f"{path} cannot be in {above}, which is a file")


def _octets(name: str, content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode("utf-8", "surrogateescape")
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    raise TypeError(f"{name}: a file's content is bytes or str, a directory is a dict or None; not {type(content).__name__}")


class Files(MutableMapping[str, bytes]):
    """
    ``files["dir/name"]`` is a file's content; it can be set, with the directories above it, and deleted. The mapping holds files alone, by
    path, in order, but ``del files["dir"]`` deletes a directory with all in it. A path may begin with a slash.
    """

    @property
    @abstractmethod
    def directories(self) -> list[str]:
        """The paths of all directories below the root."""

    @abstractmethod
    def make_directory(self, path: str) -> None:
        """Make a directory, and those above it. It may be there already."""

    @abstractmethod
    def modified(self, path: str) -> float:
        """When something was last modified, in seconds since 1970. :raises KeyError: it is not there."""

    @abstractmethod
    def set_modified(self, path: str, seconds: float) -> None:
        """Change that."""

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {dict(self)!r}>"


class MemoryFiles(Files):
    """Files in the memory of the site. ``ask`` puts questions about the site (``worker.host``)."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def __getitem__(self, path: str) -> bytes:
        try:
            return b64decode(self._ask("read", path=_path(path)))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise KeyError(path) from None

    def __setitem__(self, path: str, content: Any) -> None:
        self._plant(path, _octets(path, content))

    def _plant(self, path: str, content: bytes | None) -> None:
        try:
            plant(self._ask, {_path(path): content})
        except OSError as error:  # something else is there
            raise type(error)(path) from None

    def __delitem__(self, path: str) -> None:
        try:
            self._ask("discard", path=_path(path))
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(path) from None

    def __iter__(self) -> Iterator[str]:
        return iter([path for path, about in self._all().items() if not about["is_directory"]])

    def _all(self) -> dict[str, dict[str, Any]]:
        return self._ask("files")  # type: ignore[no-any-return]

    @property
    def directories(self) -> list[str]:
        """As in ``Files``."""
        return [path for path, about in self._all().items() if about["is_directory"]]

    def make_directory(self, path: str) -> None:
        """As in ``Files``."""
        self._plant(path, None)

    def modified(self, path: str) -> float:
        """As in ``Files``."""
        return float(self._all()[_path(path)]["modified"])

    def set_modified(self, path: str, seconds: float) -> None:
        """As in ``Files``."""
        try:
            self._ask("set_modified", path=_path(path), seconds=seconds)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(path) from None


def plant(ask: Callable[..., Any], files: Mapping[str, bytes | None]) -> None:
    """Put files into the memory of a site."""
    ask("plant", files={path: None if content is None else b64encode(content).decode() for path, content in files.items()})


class DiskFiles(Files):
    """Files of the directory that a site serves."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, path: str) -> Path:
        return self._root / _path(path)

    def __getitem__(self, path: str) -> bytes:
        try:
            return self._path(path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise KeyError(path) from None

    def __setitem__(self, path: str, content: Any) -> None:
        where = self._path(path)
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(_octets(path, content))

    def __delitem__(self, path: str) -> None:
        where = self._path(path)
        try:
            if where.is_dir() and not where.is_symlink():
                shutil.rmtree(where)
            else:
                where.unlink()
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(path) from None

    def _below(self, *, directories: bool) -> list[str]:
        found = []
        for where, names, files in os.walk(self._root):
            found += [(Path(where) / name).relative_to(self._root).as_posix() for name in (names if directories else files)]
        return sorted(found)

    def __iter__(self) -> Iterator[str]:
        return iter(self._below(directories=False))

    @property
    def directories(self) -> list[str]:
        """As in ``Files``."""
        return self._below(directories=True)

    def make_directory(self, path: str) -> None:
        """As in ``Files``."""
        self._path(path).mkdir(parents=True, exist_ok=True)

    def modified(self, path: str) -> float:
        """As in ``Files``."""
        try:
            return self._path(path).stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(path) from None

    def set_modified(self, path: str, seconds: float) -> None:
        """As in ``Files``."""
        try:
            os.utime(self._path(path), (seconds, seconds))
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(path) from None
