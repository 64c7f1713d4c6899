"""Tests of ``policy.logon_attempts``: who is blocked, when, and what is kept in memory for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import booleans, floats, integers, lists, sampled_from, tuples
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.logon_attempts import FailedLogins, client_of
from twistftp.policy.settings import BadSetting, LogonAttempts

FOUR = LogonAttempts()  # 4 within 30 s block for 300 s
A, B = "192.0.2.1", "192.0.2.2"


class ClientTests(SynchronousTestCase):
    """Who counts as one."""

    def test_clients(self) -> None:
        """An IPv4 address, an IPv6 /64, a single link-local address; nobody without an IP address."""
        for address, client in {
            "192.0.2.1": "192.0.2.1",
            "::ffff:192.0.2.1": "192.0.2.1",
            "2001:db8::1": "2001:db8::/64",
            "2001:db8:0:0:ffff::9": "2001:db8::/64",
            "2001:db8:0:1::9": "2001:db8:0:1::/64",
            "fe80::1%eth0": "fe80::1",
            "fe80::2": "fe80::2",
            "": "",
            "client.example.org": "",
        }.items():
            self.assertEqual(client, client_of(address), address)


class BlockTests(SynchronousTestCase):
    """The rule of ``[site.logon_attempts]``."""

    def setUp(self) -> None:
        self.logins = FailedLogins()

    def fail_at(self, *times: float, address: str = A, settings: LogonAttempts = FOUR) -> list[bool]:
        return [self.logins.failed(address, settings, time) is not None for time in times]

    def is_blocked(self, now: float, address: str = A, settings: LogonAttempts = FOUR) -> bool:
        return self.logins.blocked(address, settings, now) is not None

    def test_max_failures(self) -> None:
        """The fourth failure within the period blocks, for the block's time, and this address alone."""
        self.assertEqual([False, False, False], self.fail_at(0, 1, 2))
        self.assertFalse(self.is_blocked(2))
        block = self.logins.failed(A, FOUR, 3.0)
        assert block is not None
        self.assertEqual((A, 303.0, 4, 3.0), (block.client, block.until, block.failures, block.seconds))
        self.assertEqual([True, True, False], [self.is_blocked(time) for time in (3, 302.9, 303)])
        self.assertFalse(self.is_blocked(3, B))

    def test_period(self) -> None:
        """Failures that are longer ago than the period count no more."""
        self.assertEqual([False] * 6, self.fail_at(0, 10, 20, 30, 40, 50))
        self.assertEqual([True], self.fail_at(50.5))

    def test_networks(self) -> None:
        """All addresses of an IPv6 /64 count together."""
        for number in range(4):
            self.logins.failed(f"2001:db8::{number}", FOUR, 0)
        self.assertTrue(self.is_blocked(1, "2001:db8::ffff:9"))
        self.assertFalse(self.is_blocked(1, "2001:db8:0:1::1"))

    def test_nobody(self) -> None:
        """Clients without an address, who cannot be told apart, are never blocked."""
        self.assertEqual([False] * 9, self.fail_at(*range(9), address=""))
        self.assertFalse(self.is_blocked(9, ""))

    def test_exempt(self) -> None:
        """Exempt networks never are; one that becomes exempt is let in at once."""
        exempt = LogonAttempts(exempt=["192.0.2.0/30", "2001:db8::/32", "127.0.0.1"])  # type: ignore[arg-type]
        for address in (A, "::ffff:192.0.2.1", "2001:db8::1", "127.0.0.1"):
            self.assertEqual([False] * 9, self.fail_at(*range(9), address=address, settings=exempt))
        self.assertEqual(0, len(self.logins))
        self.fail_at(0, 0, 0, 0)
        self.assertEqual((True, False), (self.is_blocked(1), self.is_blocked(1, settings=exempt)))

    def test_exempt_is_read(self) -> None:
        """What is no network is refused."""
        self.assertEqual("exempt", self.assertRaises(BadSetting, LogonAttempts, exempt=["10.0.0.1/8"]).name)

    def test_log_only(self) -> None:
        """With ``log_only`` a block is found once for its time, and keeps nobody out."""
        watching = LogonAttempts(log_only=True)
        self.assertEqual([False, False, False, True] + [False] * 9, self.fail_at(*range(13), settings=watching))
        self.assertFalse(self.is_blocked(13, settings=watching))
        self.assertEqual([False, False, False, True], self.fail_at(304, 305, 306, 307, settings=watching))

    def test_no_block(self) -> None:
        """A block of no time is none."""
        self.assertEqual([False] * 9, self.fail_at(*range(9), settings=LogonAttempts(block=0)))
        self.assertFalse(self.is_blocked(9))

    def test_afresh(self) -> None:
        """After a block the count begins afresh."""
        self.fail_at(0, 1, 2, 3)
        self.assertEqual([False, False, False, True], self.fail_at(303, 304, 305, 306))

    def test_ended(self) -> None:
        """Ends are told once, and when the next one is."""
        self.assertIsNone(self.logins.next_end)
        self.fail_at(0, 0, 0, 0)
        self.fail_at(10, 10, 10, 10, address=B)
        self.assertEqual(300, self.logins.next_end)
        self.assertEqual([], self.logins.ended(299))
        self.assertEqual([A], [block.client for block in self.logins.ended(300)])
        self.assertEqual(310, self.logins.next_end)
        self.assertEqual([B], [block.client for block in self.logins.ended(400)])
        self.assertEqual(([], 0), (self.logins.ended(400), len(self.logins)))

    def test_memory(self) -> None:
        """However many addresses attack, little is kept; those who failed last are."""
        logins = FailedLogins(100, 250)
        for number in range(100_000):
            address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            for _ in range(3):
                logins.failed(address, FOUR, number / 10_000)
        self.assertLessEqual(len(logins), 250)
        self.assertIsNotNone(logins.failed(address, FOUR, 10.0))
        logins = FailedLogins(100, 250)
        for number in range(1000):
            for _ in range(4):
                logins.failed(f"10.0.{number >> 8}.{number & 255}", FOUR, 10.0)
        self.assertEqual(100, len(logins))
        self.assertIsNotNone(logins.blocked("10.0.3.231", FOUR, 10.0))


class ModelTests(SynchronousTestCase):
    """Against the rule, said plainly: a list of all failures."""

    @given(
        lists(tuples(sampled_from([A, B, "2001:db8::1", "2001:db8::2"]), floats(0, 20), booleans()), max_size=60),
        integers(1, 5),
        sampled_from([5.0, 30.0]),
        sampled_from([10.0, 60.0]),
    )
    def test_model(self, events: list[tuple[str, float, bool]], most: int, period: float, block: float) -> None:
        """Blocked is who failed ``max_failures`` times within ``period``, not counting what was before the last block."""
        settings = LogonAttempts(max_failures=most, period=period, block=block)
        logins, now = FailedLogins(), 0.0
        failures: dict[str, list[float]] = {}
        until: dict[str, float] = {}
        for address, later, is_failure in events:
            now += later
            client = client_of(address)
            if is_failure and until.get(client, 0) <= now:
                recent = failures.setdefault(client, [])
                recent.append(now)
                expected = len([time for time in recent if now - time < period]) >= most
                if expected:
                    until[client] = now + block
                    recent.clear()
                self.assertEqual(expected, logins.failed(address, settings, now) is not None)
            self.assertEqual(until.get(client, 0) > now, logins.blocked(address, settings, now) is not None)
        logins.ended(now + 1000)
        self.assertLessEqual(len(logins), sum(len(times) for times in failures.values()))
