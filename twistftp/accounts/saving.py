"""
Changing a users file on disk: nobody ever reads half of one, and nobody else may read a new one.

Not here: what is changed (``users_file``).
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["change"]


def change(path: str, edit: Callable[[bytes], bytes], *, may_create: bool = True) -> None:
    """
    Give the file the content ``edit(content)``, in one step. A new file may be read by its owner alone; an old one keeps its owner,
    its group, and what its group may read. A link stays one.

    :raises FileNotFoundError: there is none, and none may be made.
    :raises OSError: it cannot be read or written.
    """
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    with _locked(directory):
        try:
            with open(path, "rb") as file:
                old, status = file.read(), os.fstat(file.fileno())
        except FileNotFoundError:
            if not may_create:
                raise
            old, status = b"", None
        _replace(path, directory, edit(old), status)


def _replace(path: str, directory: str, content: bytes, status: os.stat_result | None) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=directory)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if status is not None and hasattr(os, "fchown"):
                with suppress(PermissionError):  # not ours to give away: it becomes ours, as with most editors
                    os.fchown(descriptor, status.st_uid, status.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & 0o640 | 0o600)
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


@contextmanager
def _locked(directory: str) -> Iterator[None]:
    """Two who change a file at the same time do it one after the other, where the system has such locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
