"""
LIST's lines in the form of ``ls -l`` (PROTOCOL P-LU), as octets, with what lines have in common remembered.

Not here: the other forms (``entries``), and where the values come from (``storage``).
"""

from __future__ import annotations

import stat
from collections.abc import Iterable

from twistftp.wire.entries import Entry
from twistftp.wire.forms import Form
from twistftp.wire.times import unix_dates

__all__ = ["KIND", "OWNER", "UnixForm", "unix_lines"]

OWNER = "ftp"
"""Shown as owner and as group of local files: the names of the machine's users are nobody's business (P-LU-3)."""

KIND = 0o170000
"""The part of ``st_mode`` that ``stat.S_IFMT`` gives; a call for each name would cost more than the rest of the test."""
_MOST = 4096  # texts that one table remembers


class _Heads(dict[tuple[int, int, str, str], bytes]):
    """The columns before the size, by ``(mode, links, owner, group)``: few differ, and making them takes longer than the rest of a line."""

    def __missing__(self, key: tuple[int, int, str, str]) -> bytes:
        if len(self) >= _MOST:
            self.clear()
        mode, links, owner, group = key
        shown = stat.filemode(mode).replace("?", "-")
        head = self[key] = f"{shown} {links:3d} {owner:<8} {group:<8} ".encode("utf-8", "surrogateescape")
        return head


class _Files(dict[int, bytes | None]):
    """Whole lines of files that have one name and are ``OWNER``'s, by their mode, with room for size, date and name; ``None`` of all else."""

    def __missing__(self, mode: int) -> bytes | None:
        if len(self) >= _MOST:
            self.clear()
        line = self[mode] = _heads[mode, 1, OWNER, OWNER] + b"%8d %s %s\r\n" if mode & KIND == stat.S_IFREG else None
        return line


_heads, _files = _Heads(), _Files()  # the same for all listings


class UnixForm(Form):
    """
    The form of LIST at one time: ``now`` decides between ``HH:MM`` and the year, ``offset`` are seconds to add for local time.

    ``heads``, ``files`` and ``dates`` are for those who have bare ``stat`` values by the thousand; :meth:`lines` shows how to use them.
    """

    __slots__ = ("dates", "files", "heads")

    def __init__(self, now: float, offset: float = 0) -> None:
        super().__init__(("unix", offset), now)
        self.heads, self.files = _heads, _files
        self.dates = unix_dates(now, int(offset))

    def span(self) -> tuple[float, float]:
        """As in ``Form``: days pass, and dates that were recent get a year."""
        return self.dates.now, self.dates.until

    def lines(self, entries: Iterable[Entry]) -> bytes:
        """The lines of any entries, each ended by CRLF."""
        shown, seconds = [], []
        heads = self.heads
        for name, mode, size, modified, links, owner, group, _, _, target, resolved in entries:
            kind = mode & KIND
            if kind != stat.S_IFREG and kind != stat.S_IFDIR:
                if kind != stat.S_IFLNK:
                    size = 0  # P-LU-4
                elif target is not None:
                    name = f"{name} -> {target}"
                else:  # a link whose text must stay private is shown as what it leads to (P-LU-8)
                    mode = resolved.mode if resolved is not None else stat.S_IFREG | stat.S_IMODE(mode)
                    size = resolved.size if resolved is not None and stat.S_IFMT(resolved.mode) in (stat.S_IFREG, stat.S_IFDIR) else 0
            seconds.append(int(modified // 1) if -_FAR < modified < _FAR else 0 if modified < 0 else _FAR)
            shown.append((heads[mode, links, owner, group], size, name.encode("utf-8", "surrogateescape")))
        return b"".join([b"%s%8d %s %s\r\n" % (head, size, date, name) for (head, size, name), date in zip(shown, self.dates(seconds), strict=True)])


_FAR = 10**12  # seconds; later than any year that can be shown


def unix_lines(entries: Iterable[Entry], now: float, offset: float = 0) -> str:
    """The lines as text, as STAT sends them."""
    return UnixForm(now, offset).lines(entries).decode("utf-8", "surrogateescape")
