"""
LIST's lines in the form of ``ls -l`` (PROTOCOL P-LU), as octets, with what lines have in common remembered.

Not here: the other forms (``entries``), and where the values come from (``storage``).
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from math import inf

from twistftp.wire.entries import Entry
from twistftp.wire.forms import Form
from twistftp.wire.timeval import RECENT, unix_date

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


class _Files(dict[tuple[int, int], bytes]):
    """Whole lines of files that have one name and are ``OWNER``'s, by ``(mode, links)``, with room for size, date and name; of all else ``b""``."""

    def __missing__(self, key: tuple[int, int]) -> bytes:
        if len(self) >= _MOST:
            self.clear()
        mode, links = key
        line = self[key] = _heads[mode, links, OWNER, OWNER] + b"%8d %s %s\r\n" if links == 1 and mode & KIND == stat.S_IFREG else b""
        return line


class _Dates(dict[float, bytes]):
    """The date columns, by the second of modification, as any time from ``since`` until before ``until`` shows them, ``now`` among them."""

    def __init__(self, now: float, offset: float) -> None:
        super().__init__()
        self._now = now
        self._offset = offset
        self.since, self.until = -inf, inf

    def __missing__(self, second: float) -> bytes:
        if len(self) >= _MOST:
            self.clear()
        shown = self[second] = unix_date(second + self._offset, self._now + self._offset).encode("ascii")
        for edge in (second, second + RECENT):
            if edge > self._now:
                self.until = min(self.until, edge)
            else:
                self.since = max(self.since, edge)
        return shown


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
        self.dates = _Dates(now, offset)

    def span(self) -> tuple[float, float]:
        """As in ``Form``: days pass, and dates that were recent get a year."""
        return self.dates.since, self.dates.until

    def lines(self, entries: Iterable[Entry]) -> bytes:
        """The lines of any entries, each ended by CRLF."""
        lines = []
        heads, dates = self.heads, self.dates
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
            second = int(modified // 1) if -_FAR < modified < _FAR else 0 if modified < 0 else _FAR
            lines.append(b"%s%8d %s %s\r\n" % (heads[mode, links, owner, group], size, dates[second], name.encode("utf-8", "surrogateescape")))
        return b"".join(lines)


_FAR = 10**12  # seconds; later than any year that can be shown


def unix_lines(entries: Iterable[Entry], now: float, offset: float = 0) -> str:
    """The lines as text, as STAT sends them."""
    return UnixForm(now, offset).lines(entries).decode("utf-8", "surrogateescape")
