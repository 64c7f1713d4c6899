"""
Times as FTP writes them: RFC 3659's ``YYYYMMDDHHMMSS`` and the dates of LIST.

Not here: clocks and time zones; every function is told the seconds, since 1970, that it shows as UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

__all__ = ["LAST", "RECENT", "dos_date", "parse_timeval", "timeval", "unix_date"]

LAST = 253402300799  # 9999-12-31 23:59:59, the end of what four digits can say (P-LU-9)
RECENT = 180 * 86400  # PROTOCOL P-LU-6: younger than this, LIST shows the time of day instead of the year
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = date(1970, 1, 1)

# A listing shows thousands of times: days and the minutes of a day are remembered once they were shown.
_DAYS = 16384  # some 45 years
_MINUTES = 1440


def _second(seconds: float) -> int:
    """A whole second that four digits of a year can say: clamped to 1970…9999."""
    return int(seconds) if 0 <= seconds <= LAST else 0 if seconds < 0 else LAST


@lru_cache(_DAYS)
def _timeval_day(day: int) -> str:
    shown = _EPOCH + timedelta(day)
    return f"{shown.year:04d}{shown.month:02d}{shown.day:02d}"


@lru_cache(_DAYS)
def _unix_day(day: int) -> tuple[str, str]:
    shown = _EPOCH + timedelta(day)
    month_day = f"{_MONTHS[shown.month - 1]} {shown.day:2d}"
    return month_day, f"{month_day} {shown.year:5d}"


@lru_cache(_DAYS)
def _dos_day(day: int) -> str:
    shown = _EPOCH + timedelta(day)
    return f"{shown.month:02d}-{shown.day:02d}-{shown.year % 100:02d}"


@lru_cache(_MINUTES)
def _clock_24(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@lru_cache(_MINUTES)
def _clock_12(minute: int) -> str:
    hour = minute // 60
    return f"{hour % 12 or 12:02d}:{minute % 60:02d}{'AM' if hour < 12 else 'PM'}"


@lru_cache(_MINUTES)
def _hhmm(minute: int) -> str:
    return f"{minute // 60:02d}{minute % 60:02d}"


def timeval(seconds: float) -> str:
    """``YYYYMMDDHHMMSS`` in UTC, no fraction (RFC 3659 §2.3; PROTOCOL P-MDTM-1)."""
    second = _second(seconds)
    return f"{_timeval_day(second // 86400)}{_hhmm(second % 86400 // 60)}{second % 60:02d}"


def parse_timeval(text: str) -> float:
    """
    The seconds since 1970 of RFC 3659's ``YYYYMMDDHHMMSS[.fraction]``.

    :raises ValueError: it is not such a time.
    """
    digits, dot, fraction = text.partition(".")
    if len(digits) != 14 or not (digits.isascii() and digits.isdigit()) or (dot and not (fraction.isascii() and fraction.isdigit())):
        raise ValueError(f"not YYYYMMDDHHMMSS: {text!r}")
    year, month, day, hour, minute, second = (int(digits[a:b]) for a, b in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14)))
    leap_second = second == 60  # RFC 3659 §2.3 allows it; datetime does not
    moment = datetime(year, month, day, hour, minute, second - leap_second, tzinfo=UTC)
    return moment.timestamp() + leap_second + (float(f"0.{fraction}") if fraction else 0)


def unix_date(seconds: float, now: float) -> str:
    """``Jan  5 09:07`` for the last 180 days, ``Jan  5  2023`` for the rest and for the future (PROTOCOL P-LU-5, P-LU-6)."""
    second = int(seconds) if 0 <= seconds <= LAST else _second(seconds)  # spares a call for most
    month_day, with_year = _unix_day(second // 86400)
    return f"{month_day} {_clock_24(second % 86400 // 60)}" if 0 <= now - seconds < RECENT else with_year


def dos_date(seconds: float) -> str:
    """``01-05-24  09:07AM``, 17 columns (PROTOCOL P-LD-1)."""
    second = _second(seconds)
    return f"{_dos_day(second // 86400)}  {_clock_12(second % 86400 // 60)}"
