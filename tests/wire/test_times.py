"""``wire.times``: what is remembered is what ``timeval`` says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire import times as module
from twistftp.wire.times import UnixDates, modify_facts, unix_dates
from twistftp.wire.timeval import LAST, RECENT, timeval, unix_date

DAY = 86400
OFFSETS = st.sampled_from((0, 3600, -19800))
ANY = st.integers(-(10**12), 10**12) | st.integers(-DAY, DAY) | st.integers(LAST - DAY, LAST + DAY)


def near(now: float) -> st.SearchStrategy[int]:
    """Seconds at which something changes, and others."""
    edges = [int(now) + edge + nudge for edge in (0, -RECENT, DAY, DAY - RECENT) for nudge in (-1, 0, 1, 59)]
    return st.sampled_from(edges) | st.integers(int(now) - 2 * RECENT, int(now) + DAY) | ANY


def dates(seconds: list[int], now: float, offset: int) -> list[bytes]:
    """What they are one by one."""
    return [unix_date(second + offset, now + offset).encode() for second in seconds]


class ModifyTests(SynchronousTestCase):
    """MLSD's."""

    @given(st.lists(ANY, max_size=9))
    def test_facts(self, seconds: list[int]) -> None:
        """P-ML-4, P-LU-9: they are ``timeval``'s, the first time and the second, clamped to four digits of a year."""
        expected = [timeval(second).encode() for second in seconds]
        self.assertEqual([expected, expected], [modify_facts(seconds), modify_facts(seconds)])

    def test_bounded(self) -> None:
        """Neither seconds nor days are remembered without end."""
        self.patch(module, "MOST", 100)
        self.patch(module, "_DAYS", 50)
        for day in range(1000):
            self.assertEqual([timeval(day * DAY).encode()], modify_facts([day * DAY]))
        self.assertLessEqual(len(modify_facts._known), 100)
        self.assertLessEqual(len(module._modify_days), 50)


class UnixTests(SynchronousTestCase):
    """LIST's."""

    @given(ANY | st.floats(RECENT, 2e9), OFFSETS, st.data())
    def test_dates(self, now: float, offset: int, data: st.DataObject) -> None:
        """P-LU-5, P-LU-6, P-LU-9: they are ``unix_date``'s, until then and no longer."""
        seconds = data.draw(st.lists(near(now), max_size=9))
        table = UnixDates(now, offset)
        self.assertEqual([dates(seconds, now, offset)] * 2, [table(seconds), table(seconds)])
        edges = [now + DAY, *(edge for second in seconds for edge in (second, second + RECENT) if edge > now)]
        self.assertEqual((now, min(edges)), (table.now, table.until))

    @given(st.integers(RECENT, 2 * 10**9), OFFSETS, st.lists(st.integers(-5, 90000) | st.floats(0, 10**6), max_size=9), st.data())
    def test_time_passes(self, now: float, offset: int, passing: list[float], data: st.DataObject) -> None:
        """P-LU-6: what is remembered is shown as it is at the time, also when the clock goes back."""
        known = data.draw(st.lists(near(now), max_size=9))
        for passed in [0, *passing]:
            now += passed
            seconds = [*known, *data.draw(st.lists(near(now), max_size=3))]
            self.assertEqual(dates(seconds, now, offset), unix_dates(now, offset)(seconds))

    def test_remembered(self) -> None:
        """A later listing finds the texts that an earlier one has made, if neither the offset nor what it made them of is another."""
        module._dates.clear()
        first = unix_dates(10**9, 0)
        self.assertIs(first, unix_dates(10**9 + 3600, 0))
        self.assertIsNot(first, unix_dates(10**9 + 3600, 3600))
        first([10**9 + 7200])
        self.assertIsNot(first, unix_dates(10**9 + 7200, 0))

    def test_bounded(self) -> None:
        """Offsets that nobody uses any more are forgotten."""
        for hours in range(20):
            unix_dates(10**9, hours * 3600)
        self.assertLessEqual(len(module._dates), 4)
