"""How many lines the log gets about what anybody can cause."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.ration import Ration


class RationTests(SynchronousTestCase):
    """Lines that are wanted at given seconds."""

    def test_span(self) -> None:
        """So many, then none until the span is over; a span begins with a line."""
        ration = Ration(2, 10.0)
        self.assertEqual([True, True, False, False], [ration.allows(at) for at in (5.0, 5.0, 5.0, 14.9)])
        self.assertEqual((2, 0), (ration.settle(), ration.settle()))
        self.assertEqual([True, True, False], [ration.allows(at) for at in (15.0, 24.9, 24.9)])
        self.assertEqual(1, ration.withheld)

    def test_any_clock(self) -> None:
        """A clock may begin anywhere, below nought too."""
        self.assertTrue(Ration(1).allows(-1e9))

    @given(st.integers(1, 5), st.floats(0.1, 60), st.lists(st.floats(0, 10), max_size=200))
    def test_never_more(self, lines: int, seconds: float, pauses: list[float]) -> None:
        """No line is lost from the count; a span from any line on holds twice the ration at most: the end of one, the start of the next."""
        ration, now, written = Ration(lines, seconds), 0.0, []
        for pause in pauses:
            now += pause
            if ration.allows(now):
                written.append(now)
        self.assertEqual(len(pauses), len(written) + ration.withheld)
        for start in written:
            self.assertLessEqual(sum(start <= at < start + seconds for at in written), 2 * lines)
