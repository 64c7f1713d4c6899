"""
How many lines the log gets about what anybody can cause by connecting: so many in a while, and the rest is counted.

Not here: the lines, and who writes them.
"""

from __future__ import annotations

__all__ = ["Ration"]


class Ration:
    """
    At most so many ``lines`` in a span of ``seconds``, which begins with the first of them.

    An attack must not fill the disk, and to write a line costs as much as a small transfer.
    """

    __slots__ = ("_left", "_lines", "_seconds", "_until", "withheld")

    def __init__(self, lines: int, seconds: float = 1.0) -> None:
        self._lines, self._seconds = lines, seconds
        self._left, self._until = lines, float("-inf")
        self.withheld = 0
        """How many have not been allowed since :meth:`settle`."""

    def allows(self, now: float) -> bool:
        """Whether there may be one more line; if not, it is counted. ``now`` in seconds of a clock that is not set back."""
        if now >= self._until:
            self._left, self._until = self._lines, now + self._seconds
        if self._left:
            self._left -= 1
            return True
        self.withheld += 1
        return False

    def settle(self) -> int:
        """How many have not been allowed; they count as told now."""
        withheld, self.withheld = self.withheld, 0
        return withheld
