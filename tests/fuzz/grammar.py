"""
Replies as RFC 959 §4.2 and PROTOCOL P-GEN-3 to P-GEN-5 want them: a reader that knows nothing of the code that writes them.

Not here: which reply fits which command (``model``).
"""

from __future__ import annotations

import re

from attrs import frozen

__all__ = ["BadReply", "Reply", "read_replies"]

_IAC = 0xFF
_ANSWER = re.compile(rb"\xff[\xfc\xfe].", re.DOTALL)
_FIRST = re.compile(rb"([1-6][0-5][0-9])([ -])")
_LONGEST = 2000  # octets of a line (P-GEN-5); where names are shown exactly it may be longer
_EXACT = frozenset({150, 212, 213, 250, 257})


class BadReply(AssertionError):
    """What the server said is no reply."""


@frozen
class Reply:
    """One reply: its code, and its lines without the code and without line ends."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def text(self) -> str:
        """All lines, for people."""
        return b"\n".join(self.lines).decode("utf-8", "backslashreplace")

    @property
    def is_preliminary(self) -> bool:
        """Whether a final one follows."""
        return self.code < 200


def read_replies(octets: bytes) -> tuple[list[Reply], bytes]:
    """
    The whole replies that octets begin with, and the rest. Refusals of Telnet options may stand between replies, not in them (P-TEL-10).

    :raises BadReply: they are none.
    """
    replies: list[Reply] = []
    lines: list[bytes] = []
    code, start, done = b"", 0, 0
    while True:
        if not lines and _ANSWER.match(octets, start):
            start = done = start + 3
            continue
        end = octets.find(b"\n", start)
        if end < 0 or (not lines and octets[start] == _IAC and len(octets) < start + 3):
            return replies, octets[done:]
        line, start = octets[start:end], end + 1
        if not line.endswith(b"\r"):
            raise BadReply(f"a line that ends without CR: {line!r}")
        line = line[:-1]
        _check_octets(line)
        if not code:
            begin = _FIRST.match(line)
            if begin is None:
                raise BadReply(f"no reply code: {line!r}")
            code, is_last = begin[1], begin[2] == b" "
            lines.append(line[4:])
        else:
            is_last = line.startswith(code + b" ")
            if not is_last and not line.startswith(b" "):
                raise BadReply(f"a middle line that does not begin with a blank: {line!r}")
            lines.append(line[4:] if is_last else line[1:])
        if len(line) > _LONGEST and int(code) not in _EXACT:
            raise BadReply(f"a line of {len(line)} octets: {line[:80]!r}")
        if is_last:
            replies.append(Reply(int(code), tuple(lines)))
            lines, code, done = [], b"", start


def _check_octets(line: bytes) -> None:
    plain = line.replace(b"\r\0", b"").replace(b"\xff\xff", b"")
    for octet in (b"\r", b"\0", b"\xff"):
        if octet in plain:
            raise BadReply(f"{octet!r} in {line!r}")
