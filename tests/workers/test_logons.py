"""Tests of ``workers.logons``: failed logins of all workers count together."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis.strategies import integers, lists, tuples
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.logon_attempts import Block
from twistftp.policy.settings import LogonAttempts, SiteSettings
from twistftp.transport.deadlines import Deadlines
from twistftp.wire.states import Login
from twistftp.workers.logons import CountingGuard, TellingGuard

A, B = "192.0.2.1", "192.0.2.2"


class FakePI:
    """A session of a worker; ``closing`` is what it was told at its end."""

    def __init__(self, peer: str, login: Login = Login.NONE) -> None:
        self.session, self.peer, self.login = self, peer, login
        self.closing: Any = None

    def close(self, reply: Any) -> None:
        self.closing = reply

    def give_up_login(self) -> None:
        pass


class FakeSite:
    """A site with a log."""

    def __init__(self, clock: Clock, rule: LogonAttempts) -> None:
        self.settings = SiteSettings(name="Files", root="/", logon_attempts=rule)
        self.deadlines = Deadlines(clock)
        self.sessions: list[FakePI] = []
        self.events: list[str] = []
        self.log = Logger(namespace="tests", observer=lambda event: self.events.append(event["log_format"].format(**event)))


class Office:
    """A supervisor's guard and those of two workers; what is said arrives at once."""

    def __init__(self, **rule: Any) -> None:
        self.clock = Clock()
        rule_of_site = LogonAttempts(**{"delay": 0, **rule})
        self.site = FakeSite(self.clock, rule_of_site)
        self.sites = [FakeSite(self.clock, rule_of_site) for _ in range(2)]
        self.supervisor = CountingGuard(self.site, self.to_all)
        self.workers = [TellingGuard(site, self.to_supervisor) for site in self.sites]

    def to_all(self, word: str, site: str, **block: Any) -> None:
        assert (word, site) == ("block", "Files")
        for guard in self.workers:
            guard.block(Block(**block))

    def to_supervisor(self, word: str, site: str, **what: Any) -> None:
        assert site == "Files"
        if word == "failed":
            self.supervisor.count(what["peer"], what["user"])
        else:
            assert word == "refused"
            self.supervisor.refused_by(what["client"], what["count"])

    def fail(self, worker: int, peer: str = A) -> int:
        """A login fails: the code of the reply that ends its session, 0 if that may go on."""
        pi = FakePI(peer)
        self.sites[worker].sessions.append(pi)
        reply = self.workers[worker].failed(pi, "alice")  # type: ignore[arg-type]
        return reply.code if reply is not None else 0


class LogonTests(SynchronousTestCase):
    """Guessing."""

    def test_together(self) -> None:
        """Failures of both count; the block is that of one server: one line, all connections that are not logged in, no others."""
        office = Office(max_failures=3)
        waiting, done, other = FakePI(A), FakePI(A, Login.DONE), FakePI(B)
        office.sites[1].sessions += [waiting, done, other]
        self.assertEqual([0, 0, 421], [office.fail(worker) for worker in (0, 1, 0)])
        self.assertEqual([True, False, False], [pi.closing is not None for pi in (waiting, done, other)])
        self.assertEqual(["Files: 192.0.2.1 is blocked for 300 s after 3 failed logins in 0 s, the last as alice"], office.site.events)
        self.assertEqual([421, 421], [guard.refusal(A).code for guard in office.workers])  # type: ignore[union-attr]
        self.assertEqual([None, None], [guard.refusal(B) for guard in office.workers])

    def test_end(self) -> None:
        """The end of a block holds in all, and is told once, with what all have refused."""
        office = Office(max_failures=1, block=60)
        office.fail(0)
        for worker, count in ((0, 2), (1, 3)):
            for _ in range(count):
                office.workers[worker].refusal(A)
        office.clock.pump([1.0] * 70)
        self.assertEqual([None, None], [guard.refusal(A) for guard in office.workers])
        self.assertEqual(["Files: 192.0.2.1 is no longer blocked; 5 connections were refused meanwhile"], office.site.events[1:])
        self.assertEqual([[], []], [site.events for site in office.sites])
        self.assertEqual([], office.supervisor.blocks())

    def test_successor(self) -> None:
        """A worker that takes another's place is given the blocks that there are, and obeys them."""
        office = Office(max_failures=1, block=60)
        office.fail(0)
        office.clock.advance(20)
        successor = TellingGuard(FakeSite(office.clock, office.site.settings.logon_attempts), office.to_supervisor)
        for block in office.supervisor.blocks():
            successor.block(block)
        reply = successor.refusal(A)
        self.assertEqual("Too many failed logins from your address; try again in 40 seconds.", reply.lines[0])  # type: ignore[union-attr]
        office.clock.pump([1.0] * 50)
        self.assertIsNone(successor.refusal(A))

    def test_log_only(self) -> None:
        """Under ``log_only`` nobody is kept out; the log says who would be."""
        office = Office(max_failures=2, log_only=True)
        self.assertEqual([0, 0, 0], [office.fail(worker) for worker in (0, 1, 1)])
        self.assertEqual(["would be" in event for event in office.site.events], [True])
        self.assertIsNone(office.workers[0].refusal(A))

    @given(lists(tuples(integers(0, 1), integers(0, 3), integers(0, 20)), max_size=60), integers(1, 5))
    def test_same_as_one(self, events: list[tuple[int, int, int]], most: int) -> None:
        """Whichever worker has which failure, the same clients are kept out at the same times as with one process."""
        spread, alone = Office(max_failures=most, block=30), Office(max_failures=most, block=30)
        for worker, peer, seconds in events:
            address = f"192.0.2.{peer}"
            self.assertEqual(alone.fail(0, address), spread.fail(worker, address))
            for office in (spread, alone):
                office.clock.advance(seconds)
            kept_out = [[guard.refusal(f"192.0.2.{number}") is not None for number in range(4)] for guard in spread.workers]
            self.assertEqual(kept_out[0], kept_out[1])
            self.assertEqual(kept_out[0], [alone.workers[0].refusal(f"192.0.2.{number}") is not None for number in range(4)])
