"""
Files and directories below one root, reached so that nothing outside it can be (PROTOCOL P-PATH-4).

Not here: what FTP shows of them. A root is opened once for a process and shared by its sessions. The kernel keeps each path
inside (``openat2``); where it cannot, ``walk`` does; where directories have no descriptors (Windows), real paths are compared.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn, TypeAlias, TypeVar

from twistftp.storage.failures import NotFound, from_os_error
from twistftp.storage.openat2 import is_available, openat2
from twistftp.storage.walk import DIRECTORY, SUPPORTED, parts, walk

__all__ = ["Confinement", "Directory", "Scan", "octets_of", "text_of"]

Scan: TypeAlias = "os._ScandirIterator[Any]"
"""What ``os.scandir`` gives."""

_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READ_NAMES = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _CLOEXEC
_PASS_THROUGH = DIRECTORY & ~_NOFOLLOW
_PATH_MAX = 4096  # of Linux; the walk would do more, but all ways shall give the same answers
_RACES = 32

# The kernel takes an absolute link from the root; it may have meant the host's path to something below the root.
_LOOK_AGAIN = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
# Given by O_NOFOLLOW when a link has just taken the object's place; EMLINK is FreeBSD's word.
_LINK_MET = frozenset({errno.ELOOP, getattr(errno, "EMLINK", errno.ELOOP)})

_T = TypeVar("_T")
_Operation = Callable[[int, list[bytes], bytes], _T]
"""Done to an object that ``walk`` found: its directory's descriptor, that directory's names, the object's name in it."""


def octets_of(name: str) -> bytes:
    """The octets of a name, whatever the locale (P-PATH-2). :raises NotFound: no octets: other surrogates than escapes."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise NotFound from None


def text_of(name: bytes) -> str:
    """The name as text, with surrogate escapes for octets that are not UTF-8."""
    return name.decode("utf-8", "surrogateescape")


class Directory:
    """
    A directory that is held, for looking at what is in it. Also a context manager, which closes it.

    ``descriptor`` and ``prefix``: ``os.lstat(prefix + name, dir_fd=descriptor)`` finds an object; where directories have no
    descriptors, ``descriptor`` is ``None`` and ``prefix`` the real path.
    """

    __slots__ = ("descriptor", "prefix")

    def __init__(self, descriptor: int | None, prefix: bytes = b"") -> None:
        self.descriptor = descriptor
        self.prefix = prefix

    def status(self, name: bytes) -> os.stat_result:
        """What the system knows of an object or, if it is one, of a link itself. :raises OSError: as ``lstat(2)``."""
        return os.lstat(self.prefix + name, dir_fd=self.descriptor)

    def link(self, name: bytes) -> bytes:
        """What a symbolic link holds. :raises OSError: as ``readlink(2)``."""
        return os.readlink(self.prefix + name, dir_fd=self.descriptor)

    def own_status(self) -> os.stat_result:
        """What the system knows of the directory itself. :raises OSError: as ``fstat(2)``."""
        return os.lstat(self.prefix) if self.descriptor is None else os.fstat(self.descriptor)

    def few_names(self, limit: int) -> list[str] | None:
        """The names of what is in it, unless it is itself larger than ``limit`` octets: then ``None``. :raises OSError: as ``opendir(3)``."""
        if self.descriptor is None or os.fstat(self.descriptor).st_size > limit:
            return None
        return os.listdir(self.descriptor)

    def scan(self) -> Scan:
        """An iterator of what is in it, without ``.`` and ``..``; to be closed. :raises OSError: as ``opendir(3)``."""
        return os.scandir(self.prefix if self.descriptor is None else self.descriptor)

    def close(self) -> None:
        """Let go of it; once."""
        if self.descriptor is not None:
            os.close(self.descriptor)

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


class Confinement:
    """
    One root. Symbolic links work as after ``chroot(2)``: relative ones that stay inside, absolute ones from the root; beside
    that, an absolute link to the root's own place on the host (``/srv/ftp/pub`` in the root ``/srv/ftp``).

    Paths are tuples of names as in ``interfaces``. Every method but ``__init__`` fails with a ``StorageError``.

    :param use_openat2: ``None``: if it works here.
    :param use_descriptors: ``False``: as on Windows, by real paths; a race is then not excluded.
    :raises OSError: the root is missing or no directory.
    """

    __slots__ = ("__weakref__", "_descriptor", "_hosts", "_kernel", "real_root")

    def __init__(self, root: str | os.PathLike[str], *, use_openat2: bool | None = None, use_descriptors: bool | None = None) -> None:
        given = os.path.abspath(os.fsencode(root))
        self.real_root: bytes = os.path.realpath(given)
        # Links may spell the root as the operator did, or with the links on the way to it resolved.
        self._hosts = tuple({tuple(parts(path)) for path in (given, self.real_root)} - {()})
        self._descriptor: int | None = None
        self._kernel = False
        if SUPPORTED and use_descriptors is not False:
            self._descriptor = os.open(self.real_root, DIRECTORY)
            self._kernel = is_available(self._descriptor) if use_openat2 is None else use_openat2
        elif not os.path.isdir(self.real_root):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(root))

    def open(self, path: Sequence[str], flags: int, mode: int = 0) -> int:
        """
        Open an object: a descriptor that children do not inherit.

        :param flags: as for ``os.open``; with ``O_NOFOLLOW`` a link as last name is not followed.
        """
        route = _route(path)
        try:
            return self._open(route, flags | _CLOEXEC, mode)
        except OSError as error:
            _refuse(error)

    def status(self, path: Sequence[str]) -> os.stat_result:
        """What the system knows of an object, seen through links."""
        try:
            return self._status(_route(path))
        except OSError as error:
            _refuse(error)

    def open_if(self, path: Sequence[str], flags: int, demand: Callable[[int], object]) -> tuple[int, os.stat_result]:
        """
        Open an object for which ``demand``, told its mode, raises nothing: as :meth:`open`, with what the system knows of it.

        To open a device or a FIFO can already do something to it, so it is looked at before; and again then, since it may have been replaced.
        """
        route = _route(path)
        try:
            demand(self._status(route).st_mode)
            descriptor = self._open(route, flags | _CLOEXEC, 0)
        except OSError as error:
            _refuse(error)
        try:
            found = os.fstat(descriptor)
            demand(found.st_mode)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor, found

    def directory(self, path: Sequence[str], *, readable: bool = False) -> Directory:
        """
        Open a directory, seen through links.

        :param readable: whether its names will be read; for passing through, the search right is enough.
        """
        route = _route(path)
        try:
            if self._descriptor is None:
                real = self._real(route)
                if not stat.S_ISDIR(os.stat(real).st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                return Directory(None, os.path.join(real, b""))
            return Directory(self._open(route, _READ_NAMES if readable else _PASS_THROUGH, 0))
        except OSError as error:
            _refuse(error)

    def place(self, path: Sequence[str]) -> tuple[bytes, ...]:
        """The names below the root that lead to an object without any link."""
        route = _route(path)
        try:
            if self._descriptor is None:
                return tuple(parts(os.path.relpath(self._real(route), self.real_root).replace(os.sep.encode(), b"/")))
            return self._in_both_views(route, True, _place)
        except OSError as error:
            _refuse(error)

    def below(self, target: bytes) -> list[bytes] | None:
        """The names below the root of an absolute path of the host; ``None`` if it does not lead below the root."""
        names = parts(target)
        for host in self._hosts:
            if tuple(names[: len(host)]) == host:
                return names[len(host) :]
        return None

    def close(self) -> None:
        """Let go of the root. May be called more than once; nothing else may be called after it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        if getattr(self, "_descriptor", None) is not None:  # the last user has gone; no root was opened if __init__ failed
            self.close()

    def _status(self, route: bytes) -> os.stat_result:
        if self._descriptor is None:
            return os.lstat(self._real(route))
        if not self._kernel:
            return self._in_both_views(route, True, lambda directory, where, name: os.lstat(name, dir_fd=directory))
        descriptor = self._open(route, os.O_PATH | _CLOEXEC, 0)
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def _open(self, route: bytes, flags: int, mode: int) -> int:
        if self._descriptor is None:
            return os.open(self._real(route), flags, mode)
        hosts = None
        if self._kernel:
            try:
                return openat2(self._descriptor, route or b".", flags, mode)
            except OSError as error:
                if error.errno in _LOOK_AGAIN:
                    hosts = self._hosts
                elif error.errno != errno.EAGAIN:
                    raise

        def opener(directory: int, where: list[bytes], name: bytes) -> int:
            return os.open(name, flags | _NOFOLLOW, mode, dir_fd=directory)

        follow = not flags & _NOFOLLOW
        return self._in_both_views(route, follow, opener) if hosts is None else self._walk(route, follow, opener, hosts)

    def _in_both_views(self, route: bytes, follow: bool, operation: _Operation[_T]) -> _T:
        """Take absolute links first as after ``chroot(2)``, which is what ``openat2`` does, then as paths of the host."""
        try:
            return self._walk(route, follow, operation, ())
        except OSError as error:
            if error.errno not in _LOOK_AGAIN:
                raise
        return self._walk(route, follow, operation, self._hosts)

    def _walk(self, route: bytes, follow: bool, operation: _Operation[_T], hosts: Sequence[tuple[bytes, ...]]) -> _T:
        if self._descriptor is None:
            raise ValueError("the confinement is closed")
        for _ in range(_RACES):
            directory, where, name = walk(self._descriptor, parts(route), follow, hosts)
            try:
                return operation(directory, where, name)
            except OSError as error:
                if not follow or error.errno not in _LINK_MET:
                    raise
            finally:
                os.close(directory)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

    def _real(self, route: bytes) -> bytes:
        """The real path of an object, checked to be below the root (Windows)."""
        if os.sep == "\\" and (b"\\" in route or b":" in route):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        real = os.path.realpath(os.path.join(self.real_root, route))
        if real != self.real_root and not real.startswith(os.path.join(self.real_root, b"")):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return real


def _route(path: Sequence[str]) -> bytes:
    """A path as octets. :raises NotFound: nothing can have this name (P-PATH-6)."""
    route = octets_of("/".join(path))
    if len(route) >= _PATH_MAX or b"\0" in route or (path and route.count(b"/") != len(path) - 1):
        raise NotFound
    return route


def _place(directory: int, where: list[bytes], name: bytes) -> tuple[bytes, ...]:
    os.lstat(name, dir_fd=directory)
    return tuple(where) if name == b"." else (*where, name)


def _refuse(error: OSError) -> NoReturn:
    raise from_os_error(error) from error
