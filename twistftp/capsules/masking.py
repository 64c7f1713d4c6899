"""
What a client says on its control connection, with its secrets masked, however it is cut, spelled and mixed with Telnet codes.

Not here: when it said so, and the file. Nothing of a line is given out before the whole line is here, because only then it is known
what it is: it is cut off by the very class that the server uses (``wire.lines``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from twistftp.capsules.format import text_of
from twistftp.wire.commands import Command, split_line
from twistftp.wire.lines import Flood, LineSplitter

__all__ = ["MASK", "ClientTape", "Piece", "joined", "mask_reply"]

MASK = "****"

_ECHO = re.compile(rb'(?m)^(500 Unknown command ").*(")(?=; try HELP)')

Piece = str | dict[str, int]
"""
Octets as text, or ``{"filler": n}``: so many octets of a line that was too long, of which nothing is kept, its end included; with
``"open": 1`` the end never came.
"""


def mask_reply(octets: bytes) -> bytes:
    """Replies without what they repeat of unknown verbs, for such a verb may be a password that was mistyped (PROTOCOL P-SEC-13)."""
    return _ECHO.sub(rb"\1" + MASK.encode() + rb"\2", octets) if b"500 Unknown" in octets else octets


class ClientTape:
    """
    The stream of one client's octets.

    :param limit: octets that a line may have, as the server was told.
    """

    def __init__(self, limit: int) -> None:
        self._splitter = LineSplitter(limit)
        self._raw = b""  # what the splitter holds, and what it came from
        self._cuts: list[int] = []  # where in it one piece ended and the next began
        self._filler = 0
        self._is_flooded = False
        self._expects_password = False

    def take(self, data: bytes, verbs: Mapping[str, Command]) -> list[Piece]:
        """Octets have arrived: the lines that are whole now, in the pieces that they came in."""
        if self._is_flooded:
            return []
        if self._raw:
            self._cuts.append(len(self._raw))
        self._raw += data
        self._splitter.feed(data)
        pieces: list[Piece] = []
        while True:
            before = self._splitter.pending
            try:
                line = self._splitter.next_line()
            except Flood:
                self._is_flooded = True
                self._filler += len(self._raw)
                self._raw = b""
                self._take_filler(pieces, is_open=True)
                return pieces
            raw, cuts = self._cut(before - self._splitter.pending)
            if isinstance(line, bytes):
                self._add(pieces, raw, cuts, line, verbs)
                continue
            self._filler += len(raw)
            if line is None:
                return pieces
            self._take_filler(pieces)

    def rest(self, verbs: Mapping[str, Command]) -> list[Piece]:
        """There will be no more of this stream, or what is left is thrown away by the server, too: what there is of a last line."""
        raw, self._raw, self._cuts = self._raw, b"", []
        self._splitter.clear()
        pieces: list[Piece] = []
        if raw:
            ending = LineSplitter(len(raw) + 1)
            ending.feed(raw + b"\n")
            line = ending.next_line()
            shown = self._shown(line, verbs) if isinstance(line, bytes) else MASK  # it ends within a Telnet code
            pieces.append(text_of(raw) if shown is None else shown)
        self._take_filler(pieces, is_open=True)
        return pieces

    def _cut(self, count: int) -> tuple[bytes, list[int]]:
        raw, self._raw = self._raw[:count], self._raw[count:]
        cuts = [cut for cut in self._cuts if cut < count]
        self._cuts = [cut - count for cut in self._cuts if cut > count]
        return raw, cuts

    def _take_filler(self, pieces: list[Piece], *, is_open: bool = False) -> None:
        if self._filler:
            pieces.append({"filler": self._filler} | ({"open": 1} if is_open else {}))
            self._filler = 0

    def _add(self, pieces: list[Piece], raw: bytes, cuts: list[int], line: bytes, verbs: Mapping[str, Command]) -> None:
        shown = self._shown(line, verbs)
        # All lines but the first are whole in the last piece, as is the first one's end.
        bounds = [0, *cuts, len(raw)] if shown is None else []
        first, *more = [text_of(raw[start:end]) for start, end in pairwise(bounds)] or [f"{shown}\r\n"]
        if pieces and isinstance(pieces[-1], str):
            pieces[-1] += first
        else:
            pieces.append(first)
        pieces += more

    def _shown(self, line: bytes, verbs: Mapping[str, Command]) -> str | None:
        """
        What to show instead of a line, ``None`` if it may be shown as it came.

        Of what is no verb nothing is shown between USER and the login, and never more than the word that it begins with: nobody
        knows what the rest is.
        """
        verb, argument = split_line(line)
        command = verbs.get(verb)
        if command is not None:
            if not command.argument.is_secret:
                self._expects_password |= verb == "USER"
                return None
            word = line.lstrip(b" ")[: len(verb)].decode("ascii")
            return f"{word} {MASK}" if argument else word
        if not line.strip(b" "):
            return None
        if self._expects_password or not verb:
            return MASK
        return f"{verb} {MASK}" if argument else verb

    def logged_in(self) -> None:
        """A login has succeeded: what is no verb is no password any more."""
        self._expects_password = False


def joined(pieces: list[Piece]) -> Any:
    """The pieces as the value of an event: a text where there is but one."""
    return pieces[0] if len(pieces) == 1 else pieces
