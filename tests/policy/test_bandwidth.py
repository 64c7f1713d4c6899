"""Tests of ``policy.bandwidth``."""

from hypothesis import given
from hypothesis.strategies import floats, integers, lists, tuples
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.bandwidth import Bucket, Floor

RATES = integers(1, 10**9)
STEPS = lists(tuples(floats(0, 5), integers(0, 10**8)), max_size=50)


class BucketTests(SynchronousTestCase):
    """What may move when."""

    @given(RATES, STEPS)
    def test_never_more_than_the_rate(self, rate: int, steps: list[tuple[float, int]]) -> None:
        """Whatever is asked when, in no span of time do more octets move than the rate and two slices allow."""
        now, moved, began = 100.0, 0, 100.0
        bucket = Bucket(rate, now)
        for pause, wanted in steps:
            now += pause
            octets = min(wanted, bucket.allowed(now))
            bucket.took(octets)
            moved += octets
            self.assertLessEqual(moved, rate * (now - began) + 2 * max(1.0, rate / 10) + 1)

    @given(RATES, integers(1, 60))
    def test_reaches_the_rate(self, rate: int, seconds: int) -> None:
        """Who waits as told and takes what is allowed gets the rate, even when each timer is late, and is woken twenty times a second at most."""
        now, moved, turns = 0.0, 0, 0
        bucket = Bucket(rate, now)
        while now < seconds:
            octets = bucket.allowed(now)
            self.assertGreater(octets, 0)
            bucket.took(octets)
            moved += octets
            turns += 1
            now += bucket.wait(now) + 0.003
        self.assertGreaterEqual(moved, int(rate * seconds * 0.95))
        self.assertLessEqual(turns, 20 * seconds + 2)

    @given(RATES, integers(1, 10**7))
    def test_debt(self, rate: int, octets: int) -> None:
        """More may be taken than was allowed; then the wait is as much longer."""
        bucket = Bucket(rate, 0.0)
        bucket.took(octets)
        wait = bucket.wait(0.0)
        self.assertAlmostEqual(octets / rate, wait, places=6)
        self.assertGreater(bucket.allowed(wait), 0)

    def test_idleness_saves_nothing(self) -> None:
        """After an hour of silence two slices may move at once, not an hour's worth; a clock that is set back changes nothing."""
        bucket = Bucket(1000, 0.0)
        self.assertEqual(200, bucket.allowed(3600.0))
        bucket.took(200)
        self.assertEqual(0, bucket.allowed(10.0))
        self.assertEqual(100, bucket.allowed(3600.1))


class FloorTests(SynchronousTestCase):
    """What is too slow."""

    def test_windows(self) -> None:
        """Each window is judged by itself, and only when it has ended."""
        floor = Floor(100, 0.0, 0, 60.0)
        self.assertFalse(floor.is_missed(59.9, 0))
        self.assertEqual(60.0, floor.due)
        self.assertFalse(floor.is_missed(60.0, 6000))
        self.assertEqual(120.0, floor.due)
        self.assertFalse(floor.is_missed(100.0, 6000))
        self.assertTrue(floor.is_missed(120.0, 11999))

    def test_late_look(self) -> None:
        """A look that comes late counts the time that has passed."""
        self.assertTrue(Floor(100, 0.0, 0, 10.0).is_missed(20.0, 1500))
        self.assertFalse(Floor(100, 0.0, 500, 10.0).is_missed(20.0, 2500))
