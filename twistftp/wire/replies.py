"""
Replies: code and text to octets, by RFC 959 §4.2.

Not here: which reply a command gets (``session.verbs``), and when it is sent.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Reply", "cleaned", "encode_text", "exact", "quoted"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ECHOED = 512  # octets of an argument that a reply repeats at most (PROTOCOL P-LINE-11)


def encode_text(text: str) -> bytes:
    """
    Text to octets for the control connection: UTF-8, octets that were not UTF-8 as they came, 0xFF doubled
    because Telnet would take it for a command (RFC 959 §5.3, PROTOCOL P-TEL-1).
    """
    octets = text.encode("utf-8", "surrogateescape")
    return octets.replace(b"\xff", b"\xff\xff") if b"\xff" in octets else octets


def cleaned(text: str, limit: int = _ECHOED) -> str:
    """A name or argument fit for free text: control characters become ``?``, and it is cut at ``limit`` octets (P-GEN-4)."""
    octets = text.encode("utf-8", "surrogateescape")
    if len(octets) > limit:
        text = codecs.utf_8_decode(octets[:limit], "surrogateescape", False)[0] + "..."  # False: not the half of a character
    return _CONTROL.sub("?", text)


def exact(name: str) -> str:
    """A name that must come through unchanged (257, MLST): CR as CR NUL (RFC 2640 §3.1); LF and NUL cannot be said at all."""
    return name.replace("\n", "?").replace("\0", "?").replace("\r", "\r\0")


def quoted(path: str) -> str:
    """A path in double quotes, those inside it doubled (RFC 959 appendix II)."""
    return '"' + exact(path).replace('"', '""') + '"'


class Reply(NamedTuple):
    """
    One reply. ``lines`` has one line for ``ddd text`` and more for a multi-line reply, whose middle lines are
    set one space in (RFC 959 §4.2, RFC 2389 §3.2). ``closes``: the control connection is closed behind it.
    """

    code: int
    lines: tuple[str, ...]
    closes: bool = False

    @classmethod
    def of(cls, code: int, text: str, *, closes: bool = False) -> Reply:
        """A reply of one line."""
        return tuple.__new__(cls, (code, (text,), closes))  # as the class does, with a call less

    @classmethod
    def message(cls, code: int, text: str) -> Reply:
        """A reply of as many lines as an administrator's message has; control characters in it are dropped."""
        return cls(code, tuple(_CONTROL.sub(" ", line).strip() for line in text.strip().splitlines()) or ("",))

    @classmethod
    def listing(cls, code: int, first: str, middle: list[str], last: str) -> Reply:
        """A multi-line reply, even when there is no middle line."""
        return cls(code, (first, *middle, last))

    @property
    def text(self) -> str:
        """The first line, for logs."""
        return self.lines[0]

    @property
    def is_preliminary(self) -> bool:
        """Whether another reply to the same command follows (1xx)."""
        return self.code < 200

    @property
    def is_positive(self) -> bool:
        """Whether the command did what was asked (1xx to 3xx)."""
        return self.code < 400

    @property
    def octets(self) -> bytes:
        """The whole reply as it is sent, line ends included."""
        if len(self.lines) == 1:
            return _line(self.code, self.lines[0])
        first, *middle, last = self.lines
        body = "".join(f" {line}\r\n" for line in middle)
        return encode_text(f"{self.code}-{first}\r\n{body}{self.code} {last}\r\n")


@lru_cache(maxsize=256)
def _line(code: int, text: str) -> bytes:
    """A reply of one line; few differ, and most are said again and again."""
    return encode_text(f"{code} {text}\r\n")
