"""
The content root of a site: what an administrator writes, the directory it means, and whether that can be served.

Not here: which site has which root (``configuration``), and confinement in it (``storage.confinement``).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping

from attrs import frozen

from twistftp.privileges import ServingUser, may_read, may_write

__all__ = ["Place", "directory_trouble", "expand", "file_trouble", "root_trouble", "served_trouble"]


@frozen
class Place:
    """
    How the file system will look to the server: behind ``chroot``, and to ``user`` after ``--uid``.

    ``is_serving``: this process serves already. What it read at its start it may not be able to read any more.
    """

    chroot: str = ""
    user: ServingUser | None = None
    is_serving: bool = False

    def outside(self, path: str) -> str:
        """The path by which this process, before its chroot, reaches ``path``."""
        return os.path.join(self.chroot, path.lstrip("/")) if self.chroot else path


_VARIABLE = re.compile(r"\$(\w+)|\$\{([^{}]*)\}|%(\w+)%")


def expand(text: str, environment: Mapping[str, str] | None = None) -> str:
    """
    Expand ``~``, ``$VAR``, ``${VAR}`` and ``%VAR%``, as shells, IIS and its administrators write them.

    :raises ValueError: empty, or a user or a variable that does not exist; the text names it.
    """
    values = os.environ if environment is None else environment

    def value(match: re.Match[str]) -> str:
        name = next(group for group in match.groups() if group is not None)
        if name not in values:
            raise ValueError(f"the environment variable {name or match[0]} is not set")
        return values[name]

    expanded = _VARIABLE.sub(value, text)
    if not expanded.strip():
        raise ValueError("must not be empty")
    if "\0" in expanded:
        raise ValueError("must not contain a NUL character")
    if expanded.startswith("~"):
        home = os.path.expanduser(expanded)
        if home == expanded:
            raise ValueError(f"there is no user {expanded[1:].split('/')[0]!r}, so no home directory")
        return home
    return expanded


def root_trouble(root: str, place: Place) -> str:
    """Why ``root`` cannot be served, ``""`` if it can."""
    directory = place.outside(root)
    behind = f" behind --chroot {place.chroot}" if place.chroot else ""
    try:
        mode = os.stat(directory).st_mode
    except FileNotFoundError:
        return f"no such directory{behind}"
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    if not stat.S_ISDIR(mode):
        return f"is not a directory{behind}"
    if not may_read(directory, place.user):
        who = f"user {place.user.uid} (--uid)" if place.user else "this user"
        return f"is not readable for {who}: read and search permission are needed, on the directories above it search permission"
    return ""


def directory_trouble(path: str, place: Place) -> str:
    """Why no files can be made in the directory ``path``, ``""`` if they can."""
    directory = place.outside(path)
    try:
        mode = os.stat(directory).st_mode
    except FileNotFoundError:
        return "no such directory; make it, for it is not made by itself"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if not stat.S_ISDIR(mode):
        return "is not a directory"
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return "everybody may write there, and put other files in place of the server's (chmod o-w)"
    if not may_write(directory, place.user):
        return f"is not writable for {f'user {place.user.uid} (--uid)' if place.user else 'this user'}"
    return ""


def file_trouble(path: str, place: Place) -> str:
    """Why there can be no file at ``path``, which need not be there yet; ``""`` if there can."""
    file = place.outside(path)
    if os.path.isdir(file):
        return "is a directory"
    if not os.path.isdir(os.path.dirname(file)):
        return "there is no directory to make it in; make that first"
    writable = file if os.path.exists(file) else os.path.dirname(file)
    return "" if os.access(writable, os.W_OK) else "permission denied"


def served_trouble(path: str, served: Iterable[str], place: Place) -> str:
    """Why what is in the directory ``path`` would not stay private while the directories ``served`` are served; ``""`` if it would."""

    def real(name: str) -> str:
        return os.path.join(os.path.normcase(os.path.realpath(place.outside(name))), "")

    for one in served:
        if real(path).startswith(real(one)):
            return f"lies in {one}, which is served: clients could fetch what is there; choose a directory outside"
    return ""
