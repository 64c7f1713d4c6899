"""
One users file as the running server knows it: read at the start, read again when it has changed.

Not here: the form of the file (``users_file``), threads (``users``). What reads and verifies here may block; several threads may be in it.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Mapping

from twistftp.accounts.hashing import decoy_of, is_password
from twistftp.accounts.users_file import BadUsersFile, User, parse

__all__ = ["UserBook", "exposure", "load_users"]

_LARGEST = 64 * 1024 * 1024  # octets; a wrong path may name anything
_Signature = tuple[int, int, int, int]
IsReserved = Callable[[str], bool]


def _nobody_reserved(name: str) -> bool:
    return False


def load_users(path: str, is_reserved: IsReserved = _nobody_reserved) -> Mapping[str, User]:
    """
    The users of a file.

    :raises BadUsersFile: it cannot be read, or a line breaks a rule.
    """
    return _load(path, is_reserved)[0]


def _load(path: str, is_reserved: IsReserved) -> tuple[dict[str, User], _Signature]:
    try:
        # Not "open": a FIFO would let the server wait for somebody who writes.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            content = file.read(_LARGEST + 1) if stat.S_ISREG(status.st_mode) else None
    except FileNotFoundError:
        raise BadUsersFile("no such file; make it with: twistftp passwd FILE USER") from None
    except OSError as error:
        raise BadUsersFile((error.strerror or str(error)).lower()) from error
    if content is None:
        raise BadUsersFile("not a plain file")
    if len(content) > _LARGEST:
        raise BadUsersFile(f"larger than {_LARGEST // 1024 // 1024} MiB")
    return parse(content, is_reserved), _signature(status)


def _counted(number: int) -> str:
    return f"{number} user{'' if number == 1 else 's'}"


def _signature(status: os.stat_result) -> _Signature:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def exposure(path: str) -> str:
    """A warning, if everybody on this machine may read the file; ``""`` if not, or it cannot be told."""
    try:
        is_public = os.name == "posix" and bool(os.stat(path).st_mode & stat.S_IROTH)
    except OSError:
        return ""
    return f"users file {path} may be read by everybody on this machine, who could guess at its passwords: chmod o= {path}" if is_public else ""


class UserBook:
    """
    The users of one file.

    :param path: absolute, for a daemon changes its directory.
    :param is_sealed: never read it again: behind a chroot the path would name another file, which clients might have made.
    :raises BadUsersFile: it cannot be read, or a line breaks a rule.
    """

    def __init__(self, path: str, is_reserved: IsReserved = _nobody_reserved, *, is_sealed: bool = False) -> None:
        self.path = path
        self._is_sealed = is_sealed
        self._lock = threading.Lock()
        self._trouble = ""
        self._told_sealed = False
        self.users, self._signature = _load(path, is_reserved)
        self._order = tuple(self.users.values())

    def refuse_reserved(self, is_reserved: IsReserved) -> None:
        """
        Check the users against another site's names of the anonymous user.

        :raises BadUsersFile: one of them has such a name.
        """
        for name, user in self.users.items():
            if is_reserved(name):
                raise BadUsersFile(f"line {user.line}: {name} is a name of the anonymous user; choose another")

    def refresh(self, is_reserved: IsReserved = _nobody_reserved) -> str:
        """
        Read the file again if it has changed. If that cannot be, the users stay who they were.

        :return: what is to be said about it, ``""`` if nothing. The same trouble is told once.
        """
        if self._is_sealed or not self._lock.acquire(blocking=False):
            return ""  # somebody is at it
        try:
            return self._refresh(is_reserved)
        finally:
            self._lock.release()

    def _refresh(self, is_reserved: IsReserved) -> str:
        count = len(self.users)
        try:
            if _signature(os.stat(self.path)) == self._signature:
                self._trouble = ""
                return ""
            users, signature = _load(self.path, is_reserved)
        except (OSError, BadUsersFile) as error:
            trouble = self._cure(error)
            if trouble == self._trouble:
                return ""
            self._trouble = trouble
            return f"users file {self.path}: {trouble}; the users from before ({count}) stay"
        self._trouble = ""
        self._order = tuple(users.values())
        self.users, self._signature = users, signature
        return f"users file {self.path}: read again, {_counted(len(users))} (before: {count})"

    def _cure(self, error: Exception) -> str:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, PermissionError):
            who = f"user {os.geteuid()}" if hasattr(os, "geteuid") else "this user"
            return f"it has changed or moved, and {who}, who serves, may not read it: let the group of that user read file and directory, or restart"
        if isinstance(error, OSError):
            return "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error)).lower()
        return str(error)

    def sealed_note(self) -> str:
        """What SIGHUP says of a sealed file, once."""
        if not self._is_sealed or self._told_sealed:
            return ""
        self._told_sealed = True
        return f"users file {self.path}: lies outside --chroot and is not read again; changes need a restart"

    def knows(self, name: str, password: bytes) -> bool:
        """Whether this is a user's name and password. Takes as long for an unknown name (PROTOCOL P-SEC-4)."""
        users = self.users
        user = users.get(name)
        if user is not None:
            return is_password(user.encoded, password)
        # Hashes may differ in cost. A name always gets the same, as if it were a user's; ``hash`` is another in each process.
        order = self._order
        is_password(decoy_of(order[hash(name) % len(order)].encoded if order else None), password)
        return False
