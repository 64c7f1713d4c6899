"""
The ways in which storage says no, and the one place where ``OSError`` becomes one of them.

Not here: reply codes and texts for clients (``session.failures``).
"""

from __future__ import annotations

import errno

__all__ = [
    "BeyondRange",
    "Busy",
    "DirectoryNotEmpty",
    "DiskFull",
    "IsADirectory",
    "NameNotAllowed",
    "NotADirectory",
    "NotAPlainFile",
    "NotFound",
    "ObjectExists",
    "Occupied",
    "OtherFileSystem",
    "PermissionDenied",
    "QuotaExceeded",
    "ReadFailed",
    "StorageError",
    "WriteFailed",
    "from_os_error",
    "from_write_error",
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
    """Nothing new can have this name; ``reason`` is fit for the client (PROTOCOL P-TEXT-24)."""

    def __init__(self, reason: str = "this name cannot be used") -> None:
        super().__init__(reason)
        self.reason = reason


class Occupied(StorageError):
    """What is to be renamed would take the place of something that must stay."""


class OtherFileSystem(StorageError):
    """A rename cannot leave its file system."""


class BeyondRange(StorageError):
    """More octets came for a part of a file than it has."""


class Busy(StorageError):
    """The file is being uploaded; later it will do."""


class DiskFull(StorageError):
    """No room is left on the file system."""


class QuotaExceeded(StorageError):
    """No room is left for this user."""


class ReadFailed(StorageError):
    """The disk failed while reading; ``strerror`` is the system's word for it."""

    def __init__(self, strerror: str = "Input/output error") -> None:
        super().__init__(strerror)
        self.strerror = strerror


class WriteFailed(StorageError):
    """The disk failed while writing; ``strerror`` is the system's word for it."""

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
    errno.ENOSPC: DiskFull,
    getattr(errno, "EDQUOT", errno.ENOSPC): QuotaExceeded if hasattr(errno, "EDQUOT") else DiskFull,
    errno.EBUSY: Busy,
    errno.ETXTBSY: Busy,
}

_TOO_LONG = "a name has at most 255 octets, a path 4095"


def from_os_error(error: OSError) -> StorageError:
    """The storage failure that an operating system error amounts to."""
    kind = _BY_ERRNO.get(error.errno or 0)
    return kind() if kind is not None else ReadFailed(error.strerror or "Input/output error")


def from_write_error(error: OSError) -> StorageError:
    """:func:`from_os_error` for what makes or changes something: a name that is too long is then told so (PROTOCOL P-PATH-6)."""
    if error.errno == errno.ENAMETOOLONG:
        return NameNotAllowed(_TOO_LONG)
    failure = from_os_error(error)
    return WriteFailed(failure.strerror) if isinstance(failure, ReadFailed) else failure
