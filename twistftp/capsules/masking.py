"""
What a client says on its control connection, with its secrets masked, however it is cut, spelled and mixed with Telnet codes.

Not here: when it said so, and the file. Nothing of a line is given out before the whole line is here, because only then it is known
what it is: it is cut off by the very class that the server uses (``wire.lines``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twistftp.capsules.format import text_of
from twistftp.session.dispatch import OTHER_PROTOCOLS
from twistftp.wire.commands import Command, split_line
from twistftp.wire.lines import Flood, LineSplitter

__all__ = ["MASK", "ClientTape", "Piece", "joined", "mask_reply"]

MASK = "****"

_TLS_RECORD = b"\x16"
_ECHO = re.compile(rb'(?m)^(500 Unknown command "(?:SITE )?).*(")(?=; try (?:SITE )?HELP)')

Piece = str | dict[str, int]
"""
Octets as text, or ``{"filler": n}``: so many octets of a line that was too long, of which nothing is kept, its end included; with
``"open": 1`` the end never came.
"""


Verbs = tuple[Mapping[str, Command], Mapping[str, Command]]
"""Those that the server knows, and those that it knows behind SITE."""


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

    def take(self, data: bytes, verbs: Verbs) -> list[Piece]:
        """Octets have arrived: the lines that are whole now, in the pieces that they came in."""
        if self._is_flooded:
            return []
        splitter = self._splitter
        if self._raw:
            self._cuts.append(len(self._raw))
        elif not splitter.pending and (whole := splitter.whole_line(data)) is not None:
            shown = self._shown(whole, verbs, data)
            return [text_of(data) if shown is None else f"{shown}\r\n"]
        self._raw += data
        splitter.feed(data)
        pieces: list[Piece] = []
        said: list[str] = []  # the present piece, in parts: one text that grows line by line would be copied each time
        start = 0
        while True:
            before = splitter.pending
            try:
                line = splitter.next_line()
            except Flood:
                _finish(pieces, said)
                if self._raw[:1] == _TLS_RECORD and not start:
                    pieces.append("\x16")  # this the server looks at before all else
                    start = 1
                self._filler += len(self._raw) - start
                self._is_flooded = self._filler > 0  # the server, too, says so only when something comes
                start = len(self._raw)
                self._take_filler(pieces, is_open=True)
                break
            end = start + before - splitter.pending
            if isinstance(line, bytes):
                self._add(pieces, said, start, end, line, verbs)
                start = end
                continue
            self._filler += end - start
            start = end
            if line is None:
                break
            _finish(pieces, said)
            self._take_filler(pieces)
        self._raw, self._cuts = self._raw[start:], [cut - start for cut in self._cuts if cut > start] if start else self._cuts
        _finish(pieces, said)
        return pieces

    def rest(self, verbs: Verbs) -> list[Piece]:
        """There will be no more of this stream, or what is left is thrown away by the server, too: what there is of a last line."""
        raw, self._raw, self._cuts = self._raw, b"", []
        self._splitter.clear()
        pieces: list[Piece] = []
        if raw:
            ending = LineSplitter(len(raw) + 1)
            ending.feed(raw + b"\n")
            line = ending.next_line()
            shown = self._shown(line, verbs, raw) if isinstance(line, bytes) else MASK  # it ends within a Telnet code
            pieces.append(text_of(raw) if shown is None else shown)
        self._take_filler(pieces, is_open=True)
        return pieces

    def _take_filler(self, pieces: list[Piece], *, is_open: bool = False) -> None:
        if self._filler:
            pieces.append({"filler": self._filler} | ({"open": 1} if is_open else {}))
            self._filler = 0

    def _add(self, pieces: list[Piece], said: list[str], start: int, end: int, line: bytes, verbs: Verbs) -> None:
        shown = self._shown(line, verbs, self._raw[start : start + 1])
        if shown is not None:
            said.append(f"{shown}\r\n")
            return
        # All lines but the first are whole in the last piece, as is the first one's end.
        for cut in self._cuts if start == 0 else ():
            if cut < end:
                said.append(text_of(self._raw[start:cut]))
                _finish(pieces, said)
                start = cut
        said.append(text_of(self._raw[start:end]))

    def _shown(self, line: bytes, verbs: Verbs, raw: bytes) -> str | None:
        """
        What to show instead of a line, ``None`` if it may be shown as it came; ``raw`` is how it came, or its beginning.

        Of what is no verb nothing is shown between USER and the login, and never more than the word that it begins with: nobody
        knows what the rest is. So too behind SITE, where other servers change passwords.
        """
        verb, argument = split_line(line)
        command = verbs[0].get(verb)
        if command is not None:
            if verb == "SITE" and argument:
                return self._shown_of_site(argument, verbs[1])
            if not command.argument.is_secret:
                self._expects_password |= verb == "USER"
                return None
            word = line.lstrip(b" ")[: len(verb)].decode("ascii")
            return f"{word} {MASK}" if argument else word
        if line.strip(b" ") in (b"", b"\0"):
            return None
        if self._expects_password or not verb:
            return _shape(line, verb if argument else "", raw)
        return f"{verb} {MASK}" if argument else verb

    def _shown_of_site(self, words: bytes, site_verbs: Mapping[str, Command]) -> str | None:
        verb, argument = split_line(words)
        command = site_verbs.get(verb)
        if not words.strip(b" ") or (command is not None and not command.argument.is_secret):
            return None
        return " ".join(("SITE", verb or MASK, *([MASK] if argument else [])))

    def logged_in(self) -> None:
        """A login has succeeded: what is no verb is no password any more."""
        self._expects_password = False


def _shape(line: bytes, verb: str, raw: bytes) -> str:
    """What a line that is hidden shows all the same: that it is of another protocol, for the server treats such otherwise."""
    if raw[:1] == _TLS_RECORD:
        return f"\x16{MASK}"
    if verb in OTHER_PROTOCOLS or verb == "PROXY":
        return f"{verb} {MASK}"
    return f"{MASK}:" if line.lstrip(b" ").partition(b" ")[0].endswith(b":") else MASK


def _finish(pieces: list[Piece], said: list[str]) -> None:
    """A piece is whole."""
    if said:
        pieces.append("".join(said))
        said.clear()


def joined(pieces: list[Piece]) -> Any:
    """The pieces as the value of an event: a text where there is but one."""
    return pieces[0] if len(pieces) == 1 else pieces
