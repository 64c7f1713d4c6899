"""
One object of a directory as FTP shows it, and the lines it becomes in LIST and MLSD.

Not here: where the values come from (``storage``), which verb asks (``session.verbs.listings``).
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple

from twistftp.wire.timeval import dos_date, timeval

__all__ = ["ALL_FACTS", "DEFAULT_FACTS", "Entry", "facts_line", "facts_lines", "ms_dos_lines"]


class Entry(NamedTuple):
    """
    What is known of one object. A tuple, because a listing makes one for each name.

    ``name`` holds any octets, as UTF-8 with surrogate escapes; ``mode`` is ``st_mode``; ``modified`` is
    in seconds since 1970, UTC; ``unique`` identifies the object for the session (RFC 3659 §7.5.2),
    ``""`` where nothing does; ``perm`` holds the letters of RFC 3659 §7.5.5 that hold for this user.

    For a symbolic link the values are the link's own, ``resolved`` is what it leads to (``None``: it
    dangles or leads outside the root) and ``target`` is the text to show behind ``->`` (``None``: none may be shown).
    """

    name: str
    mode: int
    size: int
    modified: float
    links: int = 1
    owner: str = "ftp"
    group: str = "ftp"
    unique: str = ""
    perm: str = ""
    target: str | None = None
    resolved: Entry | None = None

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory, seen through a link that resolves."""
        return stat.S_ISDIR((self.resolved or self).mode)

    @property
    def is_file(self) -> bool:
        """Whether this is a plain file, seen through a link that resolves."""
        return stat.S_ISREG((self.resolved or self).mode)

    @property
    def is_link(self) -> bool:
        """Whether the object itself is a symbolic link."""
        return stat.S_ISLNK(self.mode)


def ms_dos_lines(entries: Iterable[Entry], offset: float = 0) -> str:
    """The lines of Windows' ``dir`` (PROTOCOL P-LD), each ended by CRLF; links appear as their targets."""
    lines = []
    for entry in entries:
        seen = entry.resolved or entry
        size = "       <DIR>         " if seen.is_directory else f"{seen.size if seen.is_file else 0:21d}"
        lines.append(f"{dos_date(seen.modified + offset)}{size} {entry.name}\r\n")
    return "".join(lines)


# RFC 3659 §7.5: each fact of an entry, in the order in which they are written. A fact that does not
# apply gives None and is left out.
_FACTS: dict[str, Callable[[Entry], str | None]] = {
    "type": lambda e: "dir" if stat.S_ISDIR(e.mode) else "file",
    "size": lambda e: None if stat.S_ISDIR(e.mode) else str(e.size),
    "modify": lambda e: timeval(e.modified),
    "perm": lambda e: e.perm,
    "unique": lambda e: e.unique or None,
    "unix.mode": lambda e: f"{stat.S_IMODE(e.mode):04o}",
    "unix.owner": lambda e: e.owner,
    "unix.group": lambda e: e.group,
}
ALL_FACTS: tuple[str, ...] = tuple(_FACTS)
DEFAULT_FACTS: frozenset[str] = frozenset(ALL_FACTS) - {"unix.owner", "unix.group"}


def facts_line(entry: Entry, facts: frozenset[str], name: str | None = None) -> str:
    """
    One entry as MLST and MLSD write it, without line end: ``type=file;size=3; name`` (RFC 3659 §7.2).

    :param facts: the names of the facts the client wants.
    :param name: shown instead of the entry's own (MLST shows the whole path).
    """
    seen = entry.resolved or entry
    parts = []
    for fact, value in _FACTS.items():
        if fact in facts and (text := value(seen)) is not None:
            parts.append(f"{fact}={text};")
    return f"{''.join(parts)} {entry.name if name is None else name}"


def facts_lines(entries: Iterable[Entry], facts: frozenset[str]) -> str:
    """The lines of MLSD, each ended by CRLF; links that lead nowhere are left out (PROTOCOL P-ML-2)."""
    wanted = [(f"{fact}=", value) for fact, value in _FACTS.items() if fact in facts]
    lines = []
    for entry in entries:
        seen = entry.resolved or entry
        if stat.S_ISLNK(seen.mode):
            continue
        parts = [f"{key}{text};" for key, value in wanted if (text := value(seen)) is not None]
        lines.append(f"{''.join(parts)} {entry.name}\r\n")
    return "".join(lines)
