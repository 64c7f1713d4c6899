"""
What a replay is made of, from the disk: the capsule, and where wanted a directory that stands for the one of the session.

Not here: the form of a capsule (``format``), and playing it (``replay``).
"""

from __future__ import annotations

import os

from attrs import evolve

from twistftp.capsules.data import KEPT
from twistftp.capsules.format import BadCapsule, Capsule, parse
from twistftp.capsules.learning import plain_entry
from twistftp.capsules.tree import PlayedStore
from twistftp.wire.entries import Entry

__all__ = ["read_capsule", "store_of"]

_LARGEST = 64 << 20  # octets of a file that is taken for a capsule


def read_capsule(path: str) -> Capsule:
    """
    Read a capsule.

    :raises BadCapsule: it is none. :raises OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise BadCapsule(f"it has more than {_LARGEST} octets, so it is no capsule")
    *lines, rest = content.split(b"\n")
    if not lines:
        return parse([rest] if rest else [])  # says what is wrong with it
    # A server that was killed, or a disk that was full, leaves the last line half written.
    return evolve(parse(lines), is_broken_off=bool(rest))


def store_of(root: str, now: float) -> PlayedStore:
    """
    The files below a directory, as a replay's; nothing in it is ever changed.

    :raises OSError: it cannot be read.
    """
    store = PlayedStore(lambda: now)
    root = os.path.abspath(root)
    os.listdir(root)  # raises; walk would not
    for directory, directories, files in os.walk(root):
        above = tuple(part for part in os.path.relpath(directory, root).split(os.sep) if part != ".")
        for name in sorted((*directories, *files)):
            path = os.path.join(directory, name)
            status = os.stat(path) if os.path.exists(path) else os.lstat(path)
            perm = "el" if name in directories else "r"
            store.plant((*above, name), plain_entry(Entry(name, status.st_mode, status.st_size, status.st_mtime, perm=perm)))
            if name in files and os.path.isfile(path):
                with open(path, "rb") as file:
                    store.nodes[(*above, name)].put(0, file.read(KEPT))
    return store
