"""
Resolve a path below a directory name by name, following symbolic links ourselves: what ``openat2`` does, in user space.

Not here: opening the object at the end (``confinement``). No step follows a link in the kernel and ``..`` never asks the
file system, so nothing that others rename or replace meanwhile leads out of the root.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

__all__ = ["DIRECTORY", "SUPPORTED", "parts", "walk"]

SUPPORTED = os.open in os.supports_dir_fd and os.readlink in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether this system has ``openat(2)`` and its kin (Windows has not)."""

# The right to pass through a directory is enough: Linux says O_PATH for it, macOS and FreeBSD O_SEARCH.
_SEARCH = getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY))
DIRECTORY = _SEARCH | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
"""Flags that open a directory, and no link to one, to pass through it."""

_MAX_LINKS = 40  # as Linux
_MAX_STEPS = 4096  # directories opened for one path: links with many ".." in them must not keep us busy
_PERHAPS_A_LINK = frozenset({errno.ENOTDIR, errno.ELOOP, getattr(errno, "EMLINK", errno.ELOOP)})


def parts(path: bytes) -> list[bytes]:
    """The names of a path, without the empty ones and without ``.``."""
    return [name for name in path.split(b"/") if name not in (b"", b".")]


def walk(root: int, names: Sequence[bytes], follow: bool, hosts: Sequence[Sequence[bytes]]) -> tuple[int, list[bytes], bytes]:
    """
    Find the directory that holds an object.

    :param root: the descriptor of the directory that ``/`` and the topmost ``..`` mean.
    :param follow: whether a link as last name is followed, too.
    :param hosts: names of directories of the host that are the root: an absolute link that leads below one of them leads
        below the root. Any other absolute link is taken from the root, as after ``chroot(2)``.
    :return: the directory's descriptor (the caller closes it), its names below the root, free of links, and the object's
        name in it: ``.`` if the object is that directory. The object itself may be missing; with ``follow`` it was no
        link when we looked.
    :raises OSError: a directory on the way is missing or none, or has no search right; ``ELOOP`` after too many links.
    """
    todo = list(reversed(names))
    where: list[bytes] = []
    here = os.dup(root)
    links = steps = 0
    try:
        while todo:
            name = todo.pop()
            if name == b"..":
                if where:
                    where.pop()
                    steps += len(where) + 1
                    here = _replace(here, _descend(root, where))
            elif not todo:
                target = _link(here, name) if follow else None
                if target is None:
                    return here, where, name
            else:
                steps += 1
                try:
                    below = os.open(name, DIRECTORY, dir_fd=here)
                except OSError as error:
                    target = _link(here, name) if error.errno in _PERHAPS_A_LINK else None
                    if target is None:
                        raise
                else:
                    target = None
                    where.append(name)
                    here = _replace(here, below)
            if name != b".." and target is not None:
                links += 1
                if target.startswith(b"/"):
                    where = []
                    here = _replace(here, os.dup(root))
                todo.extend(reversed(_below(target, hosts)))
            if links > _MAX_LINKS or steps > _MAX_STEPS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    except BaseException:
        os.close(here)
        raise
    return here, where, b"."


def _replace(old: int, new: int) -> int:
    os.close(old)
    return new


def _descend(root: int, names: Sequence[bytes]) -> int:
    """Open a directory again by names that were no links before; if one has become a link, that is an error."""
    here = os.dup(root)
    for name in names:
        try:
            below = os.open(name, DIRECTORY, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def _link(directory: int, name: bytes) -> bytes | None:
    """What the link ``name`` holds; ``None`` if it is no link or missing."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


def _below(target: bytes, hosts: Sequence[Sequence[bytes]]) -> list[bytes]:
    names = parts(target)
    if target.startswith(b"/"):
        for host in hosts:
            if names[: len(host)] == list(host):
                return names[len(host) :]
    return names
