"""
Who has how much to do, as all workers see it: sessions, in shared memory; and a bell for each worker, which the others ring.

Not here: who takes a connection and who leaves it to others (``porter``). Each worker writes a row of its own, so nothing is locked: a number that is
a moment old makes the shares a little less even, and nothing else.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress

from twistftp.session.recorder import Recorder
from twistftp.session.session import Session

__all__ = ["Pan", "Scales"]

AHEAD, PART = 1, 8
"""So many sessions more than another has, and one more for each so many of its own, are no reason yet to leave a connection to that one."""
TURNS = 16
"""The same of sessions that have begun, where they end as fast as they come."""
MEMORY = 128
"""Sessions that a worker may catch up with: one that was busy with other things for an hour does not have to take all that come then."""

_ROW = 64
"""Octets, a line of the processor's cache: who writes a row does not slow down those who write theirs."""
_WIDTH = _ROW // 8
_THERE, _SESSIONS, _BEGUN, _RESTING = range(4)
"""Numbers of a row: whether the worker takes connections, its sessions, all that have begun, whether it waits for its bell."""


class Scales:
    """The rows of ``columns`` workers; made by the process that forks them."""

    def __init__(self, columns: int) -> None:
        self.rows = memoryview(mmap.mmap(-1, columns * _ROW)).cast("Q")
        self.bells = [os.pipe() for _ in range(columns)]
        for bell in self.bells:
            for end in bell:
                os.set_blocking(end, False)

    def clear(self, column: int) -> None:
        """A worker has ended."""
        self.rows[column * _WIDTH + _THERE] = False


class Pan(Recorder):
    """What one worker has on the scales. As a recorder of its sites it counts their sessions."""

    def __init__(self, scales: Scales, column: int) -> None:
        self._rows, self._bells, self._row = scales.rows, scales.bells, column * _WIDTH
        self._others = [row for row in range(0, len(scales.rows), _WIDTH) if row != self._row]
        self._sessions, self._begun = self._row + _SESSIONS, self._row + _BEGUN
        self.bell = scales.bells[column][0]
        """The descriptor that this worker listens on, to be read until it is empty."""

    def begin(self) -> None:
        """From now on others count on this worker, as if it had had as many sessions as anybody."""
        rows = self._rows
        rows[self._sessions], rows[self._row + _RESTING] = 0, False
        rows[self._begun] = max(rows[_BEGUN::_WIDTH])
        rows[self._row] = True

    def end(self) -> None:
        """This worker takes no more."""
        self._rows[self._row] = False

    def opened(self, session: Session) -> None:
        """See :class:`Recorder`."""
        rows = self._rows
        rows[self._sessions] += 1
        rows[self._begun] += 1

    def closed(self, session: Session) -> None:
        """See :class:`Recorder`."""
        self._rows[self._sessions] -= 1

    def lighter(self) -> int:
        """The worker that has less to do than this one, by so much that the next connection should be its own; -1 if there is none."""
        rows = self._rows
        sessions = begun = most = 0
        found = -1
        for row in self._others:
            if rows[row]:
                of_row, begun_of_row = rows[row + _SESSIONS], rows[row + _BEGUN]
                if found < 0 or of_row < sessions or (of_row == sessions and begun_of_row < begun):
                    found, sessions, begun = row, of_row, begun_of_row
                if begun_of_row > most:
                    most = begun_of_row
        if found < 0:
            return -1
        my_sessions, my_begun = rows[self._sessions], rows[self._begun]
        if my_begun + MEMORY < most:
            rows[self._begun] = my_begun = most - MEMORY
        if my_sessions > sessions + AHEAD + sessions // PART or (my_sessions >= sessions and my_begun > begun + TURNS):
            return found // _WIDTH
        return -1

    def begun_by(self, column: int) -> int:
        """The sessions of a worker that have begun."""
        return self._rows[column * _WIDTH + _BEGUN]

    def rest(self, is_resting: bool) -> None:
        """This worker leaves the next connection to others, until its bell rings or its patience ends."""
        self._rows[self._row + _RESTING] = is_resting

    def ring_for(self, column: int) -> None:
        """Wake a worker that rests; one that does not hears nothing."""
        if self._rows[column * _WIDTH + _RESTING]:
            with suppress(BlockingIOError):  # it has been rung for more often than it can hear
                os.write(self._bells[column][1], b"!")
