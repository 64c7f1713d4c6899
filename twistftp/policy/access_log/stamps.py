"""
The time of a line, to the second: put into words when another second has begun, not for each line.

Not here: fractions of it. Times are UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime

from twistftp.policy.access_log.entry import Epoch

__all__ = ["Stamped", "stamp"]


def stamp(second: int, pattern: str) -> str:
    """A second since 1970 in the words of ``strftime``."""
    return datetime.fromtimestamp(second, UTC).strftime(pattern)


class Stamped:
    """
    A format that knows the second of its latest line: ``_stamp`` stands for ``_since <= now < _until``. Who makes a line looks at that himself,
    and calls :meth:`_turn` where it is over, since a call for each line would cost more than it saves.

    :param pattern: the words, for ``strftime``.
    """

    def __init__(self, epoch: Epoch, pattern: str) -> None:
        self._epoch, self._pattern = epoch, pattern
        self._since, self._until, self._stamp = 0.0, 0.0, ""

    def _turn(self, now: float) -> None:
        """Another second has begun."""
        epoch = self._epoch()
        second = int(now + epoch)
        self._since, self._until, self._stamp = second - epoch, second + 1 - epoch, stamp(second, self._pattern)
