"""
Command lines that wait behind a transfer, in order and in bounds (PROTOCOL P-PIPE-4).

Not here: which of them act at once, and when the rest are run (``interpreter``).
"""

from __future__ import annotations

from collections import deque

from twistftp.wire.lines import Oversize

__all__ = ["LARGEST", "Backlog"]

LARGEST = 64 * 1024  # octets that wait before reading pauses
_LINES = 256  # lines that do


class Backlog:
    """The lines. Whoever adds to it asks ``is_full`` first."""

    __slots__ = ("_lines", "octets")

    def __init__(self) -> None:
        self._lines: deque[bytes | Oversize] = deque()
        self.octets = 0

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def is_full(self) -> bool:
        """Whether no further line is to be added."""
        return len(self._lines) >= _LINES or self.octets >= LARGEST

    def add(self, line: bytes | Oversize) -> None:
        """A line that comes after all others."""
        self._lines.append(line)
        if isinstance(line, bytes):
            self.octets += len(line)

    def put_first(self, line: bytes) -> None:
        """A line that is to be run before all others."""
        self._lines.appendleft(line)
        self.octets += len(line)

    def take(self) -> bytes | Oversize:
        """The line whose turn it is."""
        line = self._lines.popleft()
        if isinstance(line, bytes):
            self.octets -= len(line)
        return line

    def clear(self) -> None:
        """Forget all."""
        self._lines.clear()
        self.octets = 0
