"""
The ways in which storage says no, and the one place where ``OSError`` becomes one of them.

Not here: reply codes and texts for clients (``session.failures``).
"""

from __future__ import annotations

import errno

__all__ = [
    "DirectoryNotEmpty",
    "IsADirectory",
    "NameNotAllowed",
    "NotADirectory",
    "NotAPlainFile",
    "NotFound",
    "ObjectExists",
    "PermissionDenied",
    "ReadFailed",
    "StorageError",
    "from_os_error",
]


class StorageError(Exception):
    """The base of all; raised with no text, since none of it may reach a client."""


class NotFound(StorageError):
    """There is no such object, or none that this user may know of (PROTOCOL P-PATH-4: one answer for both)."""


class PermissionDenied(StorageError):
    """The object is there and the user has no right to do this to it."""


class IsADirectory(StorageError):
    """A file was needed."""


class NotADirectory(StorageError):
    """A directory was needed."""


class NotAPlainFile(StorageError):
    """A FIFO, device or socket: never opened."""


class ObjectExists(StorageError):
    """The name is taken."""


class DirectoryNotEmpty(StorageError):
    """Only empty directories are removed."""


class NameNotAllowed(StorageError):
    """The name is too long or holds octets that no name may hold."""


class ReadFailed(StorageError):
    """The disk failed while reading; ``strerror`` is the system's word for it."""

    def __init__(self, strerror: str = "Input/output error") -> None:
        super().__init__(strerror)
        self.strerror = strerror


_BY_ERRNO: dict[int, type[StorageError]] = {
    errno.ENOENT: NotFound,
    errno.EXDEV: NotFound,  # openat2: the path leads out of the root
    errno.ELOOP: NotFound,
    errno.ENAMETOOLONG: NotFound,  # nothing can be there (PROTOCOL P-PATH-6)
    errno.EINVAL: NotFound,
    errno.EACCES: PermissionDenied,
    errno.EPERM: PermissionDenied,
    errno.EROFS: PermissionDenied,
    errno.EISDIR: IsADirectory,
    errno.ENOTDIR: NotADirectory,
    errno.EEXIST: ObjectExists,
    errno.ENOTEMPTY: DirectoryNotEmpty,
    errno.ENXIO: NotAPlainFile,
    errno.ENODEV: NotAPlainFile,
}


def from_os_error(error: OSError) -> StorageError:
    """The storage failure that an operating system error amounts to."""
    kind = _BY_ERRNO.get(error.errno or 0)
    return kind() if kind is not None else ReadFailed(error.strerror or "Input/output error")
