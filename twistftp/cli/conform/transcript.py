"""
The record of what was said in one check, as it goes into the card: exact, but fit for a terminal and without secrets.

Not here: saying it (``dialogue``).
"""

from __future__ import annotations

import re

__all__ = ["MASK", "Transcript", "shown"]

MASK = "********"
_LONGEST_LINE = 300
_MOST_LINES = 80
_TAIL = 15
_PASS = re.compile(rb"(PASS )(?=.)", re.IGNORECASE)


def shown(octets: bytes, secret: str = "") -> str:
    """Octets as text; what cannot be printed is escaped as in Python, ``secret`` is masked, and long lines are cut."""
    text = octets.decode("utf-8", "surrogateescape")
    if secret:
        text = text.replace(secret, MASK)
    text = "".join(_escaped(character) for character in text)
    return text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]} ... ({len(octets)} octets)"


def _escaped(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # an octet that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if character.isprintable():
        return character
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


class Transcript:
    """
    Lines, each with who said it in front: ``C`` the client, ``S`` the server, ``D`` what went over a data connection, ``-`` what was done.

    :param secret: what no line may hold.
    """

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self._lines: list[str] = []

    def client(self, octets: bytes) -> None:
        """What the client sent: one or several commands, with or without line ends."""
        for line in octets.split(b"\r\n"):
            if line:
                masked = _PASS.match(line)
                self._lines.append(f"C: {shown(masked[1]) + MASK if masked else shown(line, self._secret)}")

    def server(self, line: bytes) -> None:
        """One line of a reply, without its end."""
        self._lines.append(f"S: {shown(line, self._secret)}".rstrip())

    def data(self, text: str) -> None:
        """What went over a data connection, in words."""
        self._lines.append(f"D: {text}")

    def note(self, text: str) -> None:
        """What was done beside talking."""
        self._lines.append(f"-- {text}")

    def fold(self, since: int, text: str) -> None:
        """Put a note in the place of all lines since a mark."""
        self._lines[since:] = [f"-- {text}"]

    def cut(self, since: int) -> None:
        """Forget all lines since a mark."""
        del self._lines[since:]

    def mark(self) -> int:
        """The present end, for :meth:`fold`."""
        return len(self._lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, or of a long one its beginning and its end."""
        lines = self._lines
        if len(lines) <= _MOST_LINES:
            return tuple(lines)
        cut = len(lines) - (_MOST_LINES - 1)
        return (*lines[: _MOST_LINES - 1 - _TAIL], f"-- {cut} lines left out", *lines[-_TAIL:])
