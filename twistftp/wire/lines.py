"""
Octets of the control connection to command lines: line ends, Telnet codes, the length limit.

Not here: what a line means (``wire.commands``) and who answers Telnet options (the interpreter sends ``answers``).
"""

from __future__ import annotations

import re
from enum import Enum

__all__ = ["Flood", "LineSplitter", "Oversize", "IAC"]

IAC = 0xFF
_WILL, _WONT, _DO, _DONT = 0xFB, 0xFC, 0xFD, 0xFE
_REFUSALS = {_WILL: _DONT, _DO: _WONT}
_ANSWERED = 64  # option requests that are answered in a connection (PROTOCOL P-TEL-10)
_FLOOD = 1 << 20  # octets without a line end after which the connection is given up (P-LINE-3)
_OVERSIZES = 3  # over-long lines after which it is (P-LINE-3)


class Oversize(Enum):
    """Stands in the stream of lines for one that was longer than the limit and has been thrown away."""

    LINE = "line too long"


class Flood(Exception):
    """So many octets without a line end, or so many over-long lines, that the connection is to be closed (P-LINE-3)."""


# A Telnet command within a line (RFC 854): IAC IAC, IAC SB … IAC SE, IAC WILL/WONT/DO/DONT option, IAC command.
# 0xFF before anything below 0xF0 is no command but a sloppy client's Latin-1 "ÿ" (P-TEL-6).
_COMMAND = rb"\xff(?:[\xf0-\xf9\xff]|[\xfb-\xfe].|\xfa[^\xff]*(?:\xff[^\xf0][^\xff]*)*\xff\xf0)"
_TELNET = re.compile(_COMMAND, re.DOTALL)
# A line's end, a Telnet command, or the beginning of one: the first group to match decides, each octet is looked at once.
_END_OR_TELNET = re.compile(rb"(?P<end>\n)|" + _COMMAND + rb"|(?P<begun>\xff(?:[\xfb-\xfe]?\Z|\xfa))", re.DOTALL)
# One whole line without NUL, Telnet codes or octets before its verb that may be what is left of such.
_PLAIN = re.compile(rb"(?:[^\x00\n\x80-\xff][^\x00\n\xff]*)?\n").fullmatch
_LOST_CODES = re.compile(rb"[\x80-\xff]+(?=(?:ABOR|STAT|QUIT)(?: |\Z))", re.IGNORECASE)


class LineSplitter:
    """
    Cuts what arrives into lines, however the network cut it before.

    ``feed`` adds octets, ``next_line`` gives one line without its end, :class:`Oversize`, or ``None`` when no whole line is left.
    Memory is bounded by the limit plus what is fed; the caller stops feeding (stops reading) while it takes no lines.
    """

    __slots__ = ("_answered", "_buffer", "_discarded", "_limit", "_oversizes", "_start", "answers")

    def __init__(self, limit: int = 8192) -> None:
        self._limit = limit
        self._buffer = b""
        self._start = 0  # of the buffer's octets that have been taken
        self._discarded = 0  # octets of an over-long line that were thrown away; 0 = not within one
        self._oversizes = 0
        self._answered = 0
        self.answers = b""  # Telnet refusals to send; whoever sends them empties it

    @property
    def pending(self) -> int:
        """The octets held back, whole lines and a part of one."""
        return len(self._buffer) - self._start

    def clear(self) -> None:
        """Forget what was fed and not taken."""
        self._buffer, self._start, self._discarded = b"", 0, 0

    def feed(self, data: bytes) -> None:
        """Add octets as they came from the network."""
        self._buffer = self._buffer[self._start :] + data if self._buffer else data
        self._start = 0

    def whole_line(self, data: bytes) -> bytes | None:
        """
        The line in ``data``, if that is exactly one, nothing was fed before it and nothing in it needs a second look; it is not
        to be fed then. Otherwise ``None``. Nearly every command of an interactive client comes so.
        """
        if self._buffer or self._discarded or self._oversizes >= _OVERSIZES or len(data) > self._limit or _PLAIN(data) is None:
            return None
        return data[:-2] if data.endswith(b"\r\n") else data[:-1]

    def next_line(self) -> bytes | Oversize | None:
        """
        Take one line.

        :raises Flood: the client sends no lines but octets; close the connection.
        """
        if self._oversizes >= _OVERSIZES or self._discarded > _FLOOD:
            raise Flood("over-long lines")
        if self._discarded:
            return self._skip_line()
        buffer, start = self._buffer, self._start
        # Whether a line is too long depends on these octets alone, so it does not depend on how many came with them.
        longest = start + self._limit + 1
        end = buffer.find(b"\n", start, longest)
        if end >= 0 and buffer.find(b"\xff", start, end) >= 0:
            end = _end_outside_telnet(buffer, start, longest)
        if end < 0:
            if len(buffer) < longest:
                return None
            self._take(longest)
            self._discarded = longest - start
            return self._skip_line()
        self._take(end + 1)
        line = buffer[start:end]
        if IAC in line:
            line = _TELNET.sub(self._telnet_command, line)
        if line.endswith(b"\r"):
            line = line[:-1]
        if line[:1] >= b"\x80" and (lost := _LOST_CODES.match(line)):  # P-TEL-9
            line = line[lost.end() :]
        if b"\r\0" in line:
            line = line.replace(b"\r\0", b"\r")  # RFC 854: a bare CR is sent as CR NUL
        return line

    def _take(self, end: int) -> None:
        """The buffer's octets up to ``end`` are done with. They are cut off at once only where that costs nothing."""
        if end < len(self._buffer):
            self._start = end
        else:
            self._buffer, self._start = b"", 0

    def _skip_line(self) -> Oversize | None:
        """Throw away an over-long line up to the next LF, whatever holds it: no part of it is a command (P-LINE-4)."""
        end = self._buffer.find(b"\n", self._start)
        rest = (end if end >= 0 else len(self._buffer)) - self._start
        self._discarded += rest
        self._take(self._start + rest + 1)
        if self._discarded > _FLOOD:
            raise Flood("no line end")
        if end < 0:
            return None
        self._discarded = 0
        self._oversizes += 1
        return Oversize.LINE

    def _telnet_command(self, match: re.Match[bytes]) -> bytes:
        code = match[0]
        if code[1] == IAC:
            return b"\xff"
        refusal = _REFUSALS.get(code[1])
        if refusal is not None and self._answered < _ANSWERED:
            self._answered += 1
            self.answers += bytes((IAC, refusal, code[2]))
        return b""


def _end_outside_telnet(buffer: bytes, start: int, stop: int) -> int:
    """
    The first LF that no Telnet command holds: an option may be numbered 10, a subnegotiation may hold any octet.

    -1: there is none yet, or a command that has only begun may still hold it.
    """
    for match in _END_OR_TELNET.finditer(buffer, start, stop):
        if match["end"]:
            return match.start()
        if match["begun"]:
            break
    return -1
