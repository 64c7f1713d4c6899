"""
How much room capsules may take: on the disk in all, and in memory while the disk is slow.

Not here: single capsules (``recording``).
"""

from __future__ import annotations

import os
from typing import Any

from twisted.logger import Logger

from twistftp.logfile import InThread

__all__ = ["HELD", "TOTAL", "Room"]

TOTAL = 1 << 30
"""Octets of all that is in the directory, whoever made it. A site on the open Internet has visitors every minute who want nothing good."""
HELD = 32 << 20
"""Octets that wait to be written, at most: the disk may be slow, or a network's that has gone."""
LOOK = 60.0
"""Seconds between two looks into a directory that is full."""

_PART = 64  # of what is free: the most processes that are workers of one server
_FILE = 4096  # octets that a file takes at least: there shall not be millions of them either


class Room:
    """
    The room that the capsules of one directory have.

    It looks into the directory at the start, when it seems to be full, and from then on every :data:`LOOK` seconds at the most,
    when somebody asks: room that has been made is used. It looks, too, when it has used a small part of what was free: other processes may
    have used as much.

    :param capsule: octets that a capsule may have: so much must be free where one is to be begun.
    """

    _log = Logger()

    def __init__(self, reactor: Any, directory: str, in_thread: InThread, capsule: int, total: int = TOTAL, held: int = HELD) -> None:
        self._reactor, self._directory, self._in_thread = reactor, directory, in_thread
        self._capsule, self._total, self._held = capsule, total, held
        self._used = self._seen = 0
        self._waiting = 0
        self._is_looking = self._is_told = False
        self._looked_at = 0.0
        self._look()

    @property
    def is_open(self) -> bool:
        """Whether a capsule can be begun."""
        if self._used + _FILE + self._capsule <= self._total:
            return self._waiting <= self._held // 2  # those who are here go first
        if not self._is_looking and self._reactor.seconds() >= self._looked_at + LOOK:
            self._look()
        return False

    def begin(self) -> None:
        """There is one file more."""
        self._used += _FILE

    def refusal(self, count: int) -> str:
        """Why ``count`` octets more are too many, ``""`` if they are not."""
        if self._used + count > self._total:
            return f"all capsules together have reached {self._total} octets"
        return f"{self._held} octets wait for the disk" if self._waiting + count > self._held else ""

    def take(self, count: int) -> None:
        """So many octets are to be written."""
        self._used += count
        self._waiting += count

    def wrote(self, count: int) -> None:
        """They are, or will not be."""
        self._waiting -= count
        if self._used - self._seen > max(self._capsule, (self._total - self._seen) // _PART) and not self._is_looking:
            self._look()

    def _look(self) -> None:
        self._is_looking, self._looked_at = True, self._reactor.seconds()
        taken_before = self._used
        self._in_thread(_octets_in, self._directory).addCallback(self._looked, taken_before)

    def _looked(self, found: int, taken_before: int) -> None:
        """What was taken meanwhile may have been seen or not: it counts."""
        self._is_looking = False
        self._used = self._seen = found + self._waiting + self._used - taken_before
        is_full = self._used + _FILE + self._capsule > self._total
        if is_full and not self._is_told:
            text = "capsules: {directory} holds {used} octets, of at most {total}; no sessions are captured until some are taken away"
            self._log.warn(text, directory=self._directory, used=self._used, total=self._total)
        elif self._is_told and not is_full:
            self._log.info("capsules: {directory} has room again", directory=self._directory)
        self._is_told = is_full


def _octets_in(directory: str) -> int:
    """What is in a directory, in a thread; nothing if that cannot be seen, for then no file can be made there either."""
    found = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    found += _FILE + entry.stat(follow_symlinks=False).st_size
                except OSError:
                    continue  # taken away meanwhile
    except OSError:
        return 0
    return found
