"""Tests of ``twistftp.wire.timeval``."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.timeval import RECENT, dos_date, parse_timeval, timeval, unix_date

_LAST = 253402300799
_SECONDS = st.integers(0, _LAST)


def at(*moment: int) -> float:
    """Seconds since 1970 of a moment in UTC."""
    return datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


class TimevalTests(SynchronousTestCase):
    """RFC 3659's form."""

    def test_example(self) -> None:
        """14 digits, UTC (P-MDTM-1, P-ML-4)."""
        self.assertEqual("20240105090703", timeval(at(2024, 1, 5, 9, 7, 3)))

    def test_fractions_are_cut(self) -> None:
        """A fraction is left out, not rounded (P-MDTM-1)."""
        self.assertEqual("20231231235959", timeval(at(2023, 12, 31, 23, 59, 59) + 0.999))

    def test_clamped(self) -> None:
        """Before 1970 and after 9999 the nearest time that can be said is shown (P-LU-9)."""
        for seconds in (-1, -0.5, -1e18, float("-inf")):
            self.assertEqual("19700101000000", timeval(seconds))
        for seconds in (_LAST, _LAST + 0.5, _LAST + 1, 1e18, float("inf")):
            self.assertEqual("99991231235959", timeval(seconds))

    @given(_SECONDS)
    def test_round_trip(self, seconds: int) -> None:
        """What is written is read as the same second (P-MDTM-1, P-MFMT-1)."""
        self.assertEqual(seconds, parse_timeval(timeval(seconds)))

    @given(_SECONDS)
    def test_as_datetime_says(self, seconds: int) -> None:
        """The digits are those of the calendar (P-MDTM-1)."""
        self.assertEqual(datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S").zfill(14), timeval(seconds))


class ParseTimevalTests(SynchronousTestCase):
    """Times from clients."""

    def test_fraction(self) -> None:
        """A fraction of any length may follow (P-MFMT-1)."""
        self.assertEqual(at(2024, 1, 5, 9, 7, 3) + 0.25, parse_timeval("20240105090703.25"))
        self.assertEqual(at(2024, 1, 5), parse_timeval("20240105000000." + "0" * 1000))

    def test_leap_second(self) -> None:
        """A leap second is the first second of the next minute (RFC 3659 §2.3)."""
        self.assertEqual(at(2017, 1, 1), parse_timeval("20161231235960"))

    def test_before_1970(self) -> None:
        """Earlier years are read (P-MFMT-1)."""
        self.assertEqual(-86400.0, parse_timeval("19691231000000"))

    def test_refused(self) -> None:
        """Anything that is not a time is a ``ValueError`` (P-MFMT-1)."""
        for text in (
            *("", "2024", "2024010509070", "202401050907033", "20241305090703", "20240230000000", "20240105240000", "20240105096003"),
            *("20240105090761", "00000105090703", "20240105090703.", "20240105090703.x", "20240105090703.1.2", " 20240105090703", "+2024010509070"),
            *("2024010509070²", "2024010509070٣", "20240105090703.٣", "20240105090703.-1", "2024_0105090703", "20240105090703\n"),
        ):
            self.assertRaises(ValueError, parse_timeval, text)

    @given(st.text() | st.text("0123456789.", min_size=14, max_size=18))
    def test_any_text(self, text: str) -> None:
        """Any text is a time or a ``ValueError``, nothing else (P-MFMT-1)."""
        try:
            parse_timeval(text)
        except ValueError:
            return
        self.assertTrue(text[:14].isascii() and text[:14].isdigit())


class UnixDateTests(SynchronousTestCase):
    """The date of ``ls -l``: 12 columns."""

    now = at(2024, 6, 1, 12, 0)

    def test_time_of_day(self) -> None:
        """What is recent shows its time of day, zero-padded, 24 hours; the day is padded with a blank (P-LU-5, P-LU-6)."""
        self.assertEqual("Jan  5 09:07", unix_date(at(2024, 1, 5, 9, 7, 59), self.now))
        self.assertEqual("Mar 14 23:59", unix_date(at(2024, 3, 14, 23, 59), self.now))

    def test_year(self) -> None:
        """What is older shows its year, right-aligned in five columns (P-LU-6)."""
        self.assertEqual("Nov 30  2023", unix_date(at(2023, 11, 30), self.now))

    def test_edges(self) -> None:
        """Recent is from 180 days ago, exclusive, to now, inclusive; the future shows its year (P-LU-6)."""
        for age, is_recent in ((0, True), (RECENT - 1, True), (RECENT - 0.5, True), (RECENT, False), (RECENT + 1, False), (-0.5, False), (-1, False)):
            self.assertEqual(is_recent, ":" in unix_date(self.now - age, self.now), age)

    def test_clamped(self) -> None:
        """Times that four digits cannot say are clamped (P-LU-9)."""
        self.assertEqual("Jan  1  1970", unix_date(at(1960, 5, 5), self.now))
        self.assertEqual("Dec 31  9999", unix_date(1e15, self.now))
        self.assertEqual("Jan  1 00:00", unix_date(-100, 0))

    @given(_SECONDS, _SECONDS)
    def test_as_datetime_says(self, seconds: int, now: int) -> None:
        """12 columns with the month, day and year of the calendar, in English (P-LS-4, P-LU-5, P-LU-6)."""
        moment = datetime.fromtimestamp(seconds, UTC)
        last = f"{moment:%H:%M}" if seconds <= now < seconds + RECENT else f" {moment.year:4d}"
        month = "JanFebMarAprMayJunJulAugSepOctNovDec"[moment.month * 3 - 3 :][:3]
        self.assertEqual(f"{month} {moment.day:2d} {last}", unix_date(seconds, now))


class DosDateTests(SynchronousTestCase):
    """The date of Windows' ``dir``: 17 columns."""

    def test_examples(self) -> None:
        """Two digits of the year, hours from 01 to 12, AM or PM without a blank (P-LD-1)."""
        for expected, moment in (
            ("11-02-09  05:32PM", (2009, 11, 2, 17, 32)),
            ("01-06-09  02:42PM", (2009, 1, 6, 14, 42)),
            ("01-05-24  12:00AM", (2024, 1, 5)),
            ("01-05-24  12:59PM", (2024, 1, 5, 12, 59)),
            ("01-05-24  11:59AM", (2024, 1, 5, 11, 59)),
            ("01-01-00  01:00AM", (2000, 1, 1, 1)),
        ):
            self.assertEqual(expected, dos_date(at(*moment)))

    def test_clamped(self) -> None:
        """Times that cannot be said are clamped (P-LU-9)."""
        self.assertEqual(["01-01-70  12:00AM", "12-31-99  11:59PM"], [dos_date(-1), dos_date(1e15)])

    @given(_SECONDS)
    def test_as_datetime_says(self, seconds: int) -> None:
        """The form is Python's ``%m-%d-%y  %I:%M%p`` in the C locale (P-LD-1, P-LD-3)."""
        moment = datetime.fromtimestamp(seconds, UTC)
        self.assertEqual(f"{moment:%m-%d}-{moment.year % 100:02d}  {moment:%I:%M}{'AM' if moment.hour < 12 else 'PM'}", dos_date(seconds))
