"""
The times of many objects at once, as octets: the date columns of LIST and the ``modify`` facts of MLSD, remembered by the second.

Not here: how one time looks (``timeval``), lines (``unix_form``, ``forms``). In a directory with thousands of files hardly two have the same time, so
each is put together from what stands in tables; and when it is listed again because something has changed, nearly all are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import floor, inf

from twistftp.wire.timeval import LAST, RECENT, timeval, unix_date

__all__ = ["MOST", "UnixDates", "modify_facts", "unix_dates"]

MOST = 32768
"""Seconds remembered, more or less; some megabytes."""
_DAYS = 16384  # the same, of days: some 45 years
_AHEAD = 86400  # seconds for which a table is right at most; only objects that will look otherwise sooner need be counted
_OFFSETS = 4  # from UTC: a machine has two in a year

_SS = [b"%02d" % second for second in range(60)]


@cache
def _minutes(form: bytes) -> list[bytes]:
    """The minutes of a day in that form; made for the first listing that shows some, since servers start that never do."""
    return [form % divmod(minute, 60) for minute in range(1440)]


class _ByDay(dict[int, bytes]):
    """What all times of a day have in common."""

    def __init__(self, make: Callable[[int], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, day: int) -> bytes:
        if len(self) >= _DAYS:
            self.clear()
        shown = self[day] = self._make(day * 86400).encode("ascii")
        return shown


_modify_days = _ByDay(lambda second: timeval(second)[:8])  # 20240105
_recent_days = _ByDay(lambda second: unix_date(second, second)[:7])  # "Jan  5 "
_other_days = _ByDay(lambda second: unix_date(second, inf))  # "Jan  5  2024"


class _Table:
    """Texts by the second. Not a dict that makes what is missing: that would be a call for each."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, bytes] = {}

    def __call__(self, seconds: Sequence[int]) -> list[bytes]:
        """The texts of some seconds since 1970."""
        try:
            return list(map(self._known.__getitem__, seconds))
        except KeyError:
            made = self._make(seconds)
        if len(self._known) >= MOST:
            self._known.clear()
        self._known.update(zip(seconds, made, strict=True))
        return made

    def _make(self, seconds: Sequence[int]) -> list[bytes]:
        raise NotImplementedError


class _ModifyFacts(_Table):
    """As ``timeval``."""

    __slots__ = ()

    def _make(self, seconds: Sequence[int]) -> list[bytes]:
        if min(seconds, default=0) < 0 or max(seconds, default=0) > LAST:
            seconds = [0 if second < 0 else min(second, LAST) for second in seconds]
        clock = _minutes(b"%02d%02d")
        return [_modify_days[second // 86400] + clock[second % 86400 // 60] + _SS[second % 60] for second in seconds]


class UnixDates(_Table):
    """
    As ``unix_date``, with an offset from UTC in seconds.

    :ivar now: the time at which ``HH:MM`` or the year is right.
    :ivar until: the time before which they still are.
    """

    __slots__ = ("_aged", "_newest", "_offset", "_oldest", "now", "until")

    def __init__(self, now: float, offset: int) -> None:
        super().__init__()
        self._offset = offset
        self.until = now + _AHEAD
        # What is younger is recent until then. The clock of a machine that does not know when it is shows times that must be clamped.
        self._aged = floor(self.until - RECENT) if now - RECENT > _AHEAD and self.until < LAST - _AHEAD else inf
        self.pass_to(now)

    def pass_to(self, now: float) -> None:
        """It is later now, but not ``until``."""
        self.now = now
        self._newest = floor(now)
        self._oldest = floor(now - RECENT)

    def _make(self, seconds: Sequence[int]) -> list[bytes]:
        offset, oldest, aged, newest, clock = self._offset, self._oldest, self._aged, self._newest, _minutes(b"%02d:%02d")
        return [
            _other_days[(second + offset) // 86400] if second <= oldest
            else _recent_days[(second + offset) // 86400] + clock[(second + offset) % 86400 // 60] if aged < second <= newest
            else self._changing(second)
            for second in seconds
        ]  # fmt: skip

    def _changing(self, second: int) -> bytes:
        """Of what has its half year soon, or is of the future."""
        is_recent = second <= self._newest
        self.until = min(self.until, second + RECENT if is_recent else second)
        return unix_date(second + self._offset, self.now + self._offset).encode("ascii")


modify_facts = _ModifyFacts()
"""MLSD's: the same for all."""

_dates: dict[int, UnixDates] = {}  # by offset


def unix_dates(now: float, offset: int) -> UnixDates:
    """LIST's, at a time."""
    dates = _dates.get(offset)
    if dates is None or not dates.now <= now < dates.until:
        if len(_dates) >= _OFFSETS:
            _dates.clear()
        dates = _dates[offset] = UnixDates(now, offset)
    else:
        dates.pass_to(now)
    return dates
