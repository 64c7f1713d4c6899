"""
Names made, moved and taken away below a root, and the few attributes that a client may set.

Not here: contents (``uploads``), and whether the user may (``filesystem``). Every change is made relative to a directory that is
held, and to no link, so nothing that others rename meanwhile leads it out of the root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from twistftp.storage import failures
from twistftp.storage.confinement import Confinement, Directory, octets_of, text_of
from twistftp.storage.failures import from_write_error
from twistftp.storage.locking import is_locked
from twistftp.storage.placing import RESERVED
from twistftp.storage.renameat2 import rename_new

__all__ = [
    "demand_usable",
    "free_space",
    "make_directory",
    "parent",
    "place_of",
    "remove_directory",
    "remove_file",
    "rename",
    "set_mode",
    "set_modified",
    "telling",
]

_PROBE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_T = TypeVar("_T")


@contextmanager
def telling() -> Iterator[None]:
    """What the system refuses inside becomes a ``StorageError``."""
    try:
        yield
    except OSError as error:
        raise from_write_error(error) from error


def parent(confinement: Confinement, path: Sequence[str]) -> tuple[Directory, bytes]:
    """
    The directory, now the caller's, that holds an object or will, and the object's name in it.

    :raises PermissionDenied: it is the root, which nobody here changes.
    """
    if not path:
        raise failures.PermissionDenied
    name = octets_of(path[-1])
    if b"/" in name or b"\0" in name or name in (b"", b".", b"..") or name.startswith(RESERVED):
        raise failures.NotFound
    return confinement.directory(path[:-1]), name


def place_of(confinement: Confinement, path: Sequence[str]) -> tuple[Directory, bytes, os.stat_result | None]:
    """
    :func:`parent` of the object itself where ``path`` leads through a link, and its status; ``None`` if there is none yet.

    :raises NotFound: also for a link that leads nowhere: nothing is made at its end.
    """
    directory, name = parent(confinement, path)
    try:
        found = _status(directory, name)
        if found is not None and stat.S_ISLNK(found.st_mode):
            real = tuple(text_of(part) for part in confinement.place(path))
            directory.close()
            directory, name = parent(confinement, real)
            found = _status(directory, name)
            if found is None or stat.S_ISLNK(found.st_mode):  # it has just been replaced
                raise failures.NotFound
    except BaseException:
        directory.close()
        raise
    return directory, name, found


def demand_usable(path: Sequence[str]) -> None:
    """:raises NameNotAllowed: nothing new can be named so."""
    if octets_of(path[-1]).startswith(RESERVED):
        raise failures.NameNotAllowed("names that begin so are the server's own")


def make_directory(confinement: Confinement, path: Sequence[str]) -> None:
    """Make one directory, in one that is there."""
    if not path:
        raise failures.ObjectExists
    demand_usable(path)
    directory, name = parent(confinement, path)
    with directory, telling():
        os.mkdir(directory.prefix + name, dir_fd=directory.descriptor)


def remove_directory(confinement: Confinement, path: Sequence[str]) -> None:
    """Remove an empty directory."""
    directory, name = parent(confinement, path)
    with directory, telling():
        os.rmdir(directory.prefix + name, dir_fd=directory.descriptor)


def remove_file(confinement: Confinement, path: Sequence[str]) -> None:
    """Remove a file, or a link, not what it leads to."""
    directory, name = parent(confinement, path)
    with directory, telling():
        if stat.S_ISDIR(directory.status(name).st_mode):
            raise failures.IsADirectory
        _demand_idle(directory, name)
        os.unlink(directory.prefix + name, dir_fd=directory.descriptor)


def rename(confinement: Confinement, path: Sequence[str], to: Sequence[str], replace: bool) -> None:
    """
    Rename or move an object.

    :param replace: whether a file may take the place of another file; a directory's place nothing may take.
    :raises Occupied: something is there.
    """
    if not to:
        raise failures.Occupied
    demand_usable(to)
    source, name = parent(confinement, path)
    with source:
        target, new = parent(confinement, to)
        with target, telling():
            found = source.status(name)
            _demand_idle(source, name)
            there = _status(target, new)
            if there is not None:
                if not replace or stat.S_ISDIR(there.st_mode) or stat.S_ISDIR(found.st_mode):
                    raise failures.Occupied
                _demand_idle(target, new)
            try:
                if replace and there is not None:
                    os.replace(source.prefix + name, target.prefix + new, src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor)
                else:
                    rename_new(source.prefix + name, target.prefix + new, source.descriptor, target.descriptor)
            except OSError as error:
                if (refusal := _RENAMES.get(error.errno or 0)) is not None:
                    raise refusal() from error
                raise


_RENAMES: dict[int, Callable[[], failures.StorageError]] = {
    errno.EINVAL: lambda: failures.NameNotAllowed("a directory cannot be moved into itself"),
    errno.EXDEV: failures.OtherFileSystem,
    errno.EEXIST: failures.Occupied,
    errno.ENOTEMPTY: failures.Occupied,
}


def set_modified(confinement: Confinement, path: Sequence[str], seconds: float) -> None:
    """Set when an object, seen through links, was last modified: seconds since 1970; when it was read stays."""
    whole, fraction = divmod(seconds, 1)
    modified = int(whole) * 10**9 + int(fraction * 10**9)
    if path:
        directory, name, found = place_of(confinement, path)
    else:
        directory, name, found = confinement.directory(()), b".", confinement.status(())
    with directory, telling():
        if found is None:
            raise failures.NotFound
        link = os.utime in os.supports_follow_symlinks
        os.utime(directory.prefix + name, ns=(found.st_atime_ns, modified), dir_fd=directory.descriptor, follow_symlinks=not link)


def set_mode(confinement: Confinement, path: Sequence[str], mode: int) -> None:
    """Set the permission bits of a file or directory, seen through links."""
    held = confinement.open(path, getattr(os, "O_PATH", _PROBE & ~getattr(os, "O_NOFOLLOW", 0)))
    try:
        with telling():
            kind = os.fstat(held).st_mode
            if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                raise failures.NotAPlainFile
            try:
                os.chmod(f"/proc/self/fd/{held}" if hasattr(os, "O_PATH") else held, mode)
            except FileNotFoundError:  # there is no /proc, as behind chroot: then it must be one that may be read
                _change_readable(confinement, path, mode)
    finally:
        os.close(held)


def _change_readable(confinement: Confinement, path: Sequence[str], mode: int) -> None:
    held = confinement.open(path, _PROBE & ~getattr(os, "O_NOFOLLOW", 0))
    try:
        os.chmod(held, mode)
    finally:
        os.close(held)


def free_space(confinement: Confinement, path: Sequence[str]) -> int | None:
    """The octets that are free for this process in a directory; ``None`` where the system does not tell."""
    with confinement.directory(path) as directory, telling():
        if not hasattr(os, "statvfs"):
            return None
        found = os.statvfs(directory.prefix if directory.descriptor is None else directory.descriptor)
        return found.f_bavail * found.f_frsize


def _status(directory: Directory, name: bytes) -> os.stat_result | None:
    try:
        return directory.status(name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_write_error(error) from error


def _demand_idle(directory: Directory, name: bytes) -> None:
    """:raises Busy: the file is being uploaded, in its own place."""
    try:
        if not stat.S_ISREG(directory.status(name).st_mode):
            return
        held = os.open(directory.prefix + name, _PROBE, dir_fd=directory.descriptor)
    except OSError:  # may not be read, so it is none of ours; or gone, and the change itself finds that out
        return
    try:
        if is_locked(held):
            raise failures.Busy
    finally:
        os.close(held)
