"""
What a client has sent and nobody has acted on yet: octets, and the lines that wait behind a transfer.

Not here: cutting octets into lines (``wire.lines``), deciding what a line means, and pausing the reading when this is full.
"""

from __future__ import annotations

from twistftp.wire.lines import LineSplitter, Oversize

__all__ = ["Intake"]

_LINES = 256  # lines that wait before reading pauses (PROTOCOL P-PIPE-4) …
_OCTETS = 64 * 1024  # … and octets, of lines that wait and again of what is not cut into lines


class Intake:
    """
    Lines in the order of their arrival.

    ``take`` gives the next one. During a transfer ``look`` cuts new ones off to be looked at, and ``keep`` puts those that wait at the end.

    :param limit: octets that a line may have.
    """

    __slots__ = ("_kept", "_lines", "_splitter")

    def __init__(self, limit: int) -> None:
        self._splitter = LineSplitter(limit)
        self._lines: list[bytes | Oversize] = []  # an empty deque takes ten times the memory, and there are few
        self._kept = 0  # their octets

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, not even a part of a line."""
        return not self._lines and not self._splitter.pending

    @property
    def octets(self) -> int:
        """All that is held."""
        return self._kept + self._splitter.pending

    @property
    def has_lines(self) -> bool:
        """Whether a line waits that has been looked at."""
        return bool(self._lines)

    @property
    def is_full(self) -> bool:
        """Whether no more is to be read from the client for now."""
        return self._is_kept_full or self._splitter.pending >= _OCTETS

    @property
    def _is_kept_full(self) -> bool:
        return len(self._lines) >= _LINES or self._kept >= _OCTETS

    def whole_line(self, data: bytes) -> bytes | None:
        """The line in ``data`` if nothing waits before it and it is one that is read at a glance; it is not to be fed then."""
        return None if self._lines else self._splitter.whole_line(data)

    def feed(self, data: bytes) -> bool:
        """Add octets; whether there may be several lines now."""
        self._splitter.feed(data)
        return self._splitter.pending > 64 or bool(self._lines)

    def take(self) -> bytes | Oversize | None:
        """
        The line whose turn it is; ``None`` when there is no whole one.

        :raises Flood: the client sends no lines but octets.
        """
        if not self._lines:
            return self._splitter.next_line() if self._splitter.pending else None
        line = self._lines.pop(0)
        if isinstance(line, bytes):
            self._kept -= len(line)
        return line

    def look(self) -> bytes | Oversize | None:
        """
        The newest whole line, ahead of its turn; ``None`` when there is none or enough wait already.

        :raises Flood: as :meth:`take`.
        """
        return None if not self._splitter.pending or self._is_kept_full else self._splitter.next_line()

    def keep(self, line: bytes | Oversize, *, first: bool = False) -> None:
        """Let a line wait behind, or ``first`` before, all others that wait."""
        self._lines.insert(0 if first else len(self._lines), line)
        if isinstance(line, bytes):
            self._kept += len(line)

    def take_answers(self) -> bytes:
        """The answers to Telnet requests in the lines taken so far (PROTOCOL P-TEL-2)."""
        answers, self._splitter.answers = self._splitter.answers, b""
        return answers

    def clear(self) -> None:
        """Forget all."""
        self._splitter.clear()
        self._lines.clear()
        self._kept = 0
