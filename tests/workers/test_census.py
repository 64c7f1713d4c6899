"""Tests of ``workers.census``: limits of a site that hold for all workers together."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import evolve
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from hypothesis.strategies import integers, sampled_from
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.settings import Limits, SiteSettings
from twistftp.transport.throttle import Throttle
from twistftp.workers.board import Board
from twistftp.workers.census import SHARING, Census

SITE = SiteSettings(name="Files", root="/")
PEERS = ("192.0.2.1", "192.0.2.2", "2001:db8::1")


class FakePI:
    """A session, as far as it is counted."""

    def __init__(self, is_busy: bool = False) -> None:
        self.session = self
        self.transfer = object() if is_busy else None


class FakeSite:
    """A site of one worker, which counts as ``FTPSite`` does."""

    is_draining = False

    def __init__(self, census: Census, limits: Limits, clock: Any = None) -> None:
        self.census = census
        self.settings = evolve(SITE, limits=limits)
        self.throttle = Throttle(clock, limits)
        self.sessions: set[Any] = set()
        self.by_peer: Counter[str] = Counter()

    def peers(self) -> list[str]:
        return list(self.by_peer)

    def sessions_of(self, peer: str) -> int:
        return self.by_peer[peer]

    def judge(self, peer: str, elsewhere: int, from_peer: int) -> str | None:
        limits = self.settings.limits
        if limits.max_connections and len(self.sessions) + elsewhere >= limits.max_connections:
            return "full"
        if limits.max_connections_per_address and self.by_peer[peer] + from_peer >= limits.max_connections_per_address:
            return "too many"
        return None

    def come(self, peer: str) -> str | None:
        """A connection: ``None`` if it is let in."""
        verdict = self.census.judged(self, peer, lambda elsewhere, from_peer: self.judge(peer, elsewhere, from_peer))
        if verdict is None:
            self.by_peer[peer] += 1
            self.sessions.add((peer, object()))
        return verdict  # type: ignore[no-any-return]

    def go(self, peer: str) -> None:
        """One of a peer's sessions ends."""
        self.sessions.discard(next(one for one in self.sessions if one[0] == peer))
        self.by_peer[peer] -= 1
        self.by_peer += Counter()
        self.census.ended(self, peer)

    def reconfigure(self, limits: Limits, name: str = SITE.name) -> None:
        self.settings = evolve(self.settings, limits=limits, name=name)
        self.census.changed(self)


class Workers(RuleBasedStateMachine):
    """Three workers; clients come and go, limits change, workers are killed and replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board(3)
        self.limits = Limits(max_connections=6, max_connections_per_address=3)
        self.sites = [self.made(number) for number in range(3)]

    def made(self, number: int) -> FakeSite:
        site = FakeSite(Census(self.board, number, Clock()), self.limits)
        site.reconfigure(self.limits)
        return site

    @rule(worker=integers(0, 2), peer=sampled_from(PEERS))
    def come(self, worker: int, peer: str) -> None:
        expected = None
        if self.limits.max_connections and sum(len(site.sessions) for site in self.sites) >= self.limits.max_connections:
            expected = "full"
        elif self.limits.max_connections_per_address:
            expected = "too many" if sum(site.by_peer[peer] for site in self.sites) >= self.limits.max_connections_per_address else None
        assert self.sites[worker].come(peer) == expected

    @rule(worker=integers(0, 2))
    def go(self, worker: int) -> None:
        site = self.sites[worker]
        if site.sessions:
            site.go(min(peer for peer, _ in site.sessions))

    @rule(worker=integers(0, 2))
    def kill(self, worker: int) -> None:
        self.board.clear(worker)
        self.sites[worker] = self.made(worker)

    @rule(most=sampled_from([0, 2, 6]), of_address=sampled_from([0, 1, 3]))
    def reload(self, most: int, of_address: int) -> None:
        self.limits = Limits(max_connections=most, max_connections_per_address=of_address)
        for site in self.sites:
            site.reconfigure(self.limits)

    @rule(worker=integers(0, 2))
    def leave(self, worker: int) -> None:
        """A worker ends its site in peace."""
        site = self.sites[worker]
        for peer, _ in list(site.sessions):
            site.go(peer)
        site.census.forget(site)
        self.sites[worker] = self.made(worker)

    @invariant()
    def counted(self) -> None:
        if self.limits.max_connections or self.limits.max_connections_per_address:
            assert self.board.read("c Files") == tuple(len(site.sessions) for site in self.sites)
            for peer in PEERS:
                assert self.board.read(f"p Files\n{peer}") == tuple(site.by_peer[peer] for site in self.sites)
        else:
            assert not any(self.board.read("c Files"))


class LimitTests(SynchronousTestCase):
    """Connections."""

    def test_model(self) -> None:
        """In whatever order, a connection is refused exactly when all workers together have as many as the limit."""
        run_state_machine_as_test(Workers, settings=settings(max_examples=40, stateful_step_count=50, deadline=None))

    def test_no_limits(self) -> None:
        """A site without limits touches no shared memory at all."""

        class Untouchable:
            def __getattr__(self, name: str) -> None:
                raise AssertionError(f"{name} of the board was asked for")

        site = FakeSite(Census(Untouchable(), 0, Clock()), Limits(max_connections=0))  # type: ignore[arg-type]
        site.reconfigure(site.settings.limits)
        self.assertIsNone(site.come("192.0.2.1"))
        site.go("192.0.2.1")
        site.census.forget(site)

    def test_another_name(self) -> None:
        """A site that is renamed takes its counts with it."""
        board, limits = Board(2), Limits(max_connections=5)
        site = FakeSite(Census(board, 1, Clock()), limits)
        site.reconfigure(limits)
        site.come("192.0.2.1")
        site.reconfigure(limits, "Archive")
        self.assertEqual([(0, 0), (0, 1)], [board.read("c Files"), board.read("c Archive")])


class RateTests(SynchronousTestCase):
    """``max_site_bytes_per_second``."""

    def test_parts(self) -> None:
        """Each transfer gets the same part of the rate, whichever worker has it, and a worker without any can begin one; alone one has it all."""
        clock, board, limits = Clock(), Board(2), Limits(max_connections=0, max_site_bytes_per_second=1000)
        sites = [FakeSite(Census(board, number, clock), limits, clock) for number in range(2)]
        for site in sites:
            site.reconfigure(limits)
        self.assertEqual([1000, 1000], self.rates(sites))
        sites[0].sessions = {FakePI(True), FakePI(True), FakePI(True), FakePI()}
        clock.advance(SHARING)
        clock.advance(SHARING)
        self.assertEqual([1000, 250], self.rates(sites))
        sites[1].sessions = {FakePI(True)}
        clock.advance(SHARING)
        clock.advance(SHARING)
        self.assertEqual([750, 250], self.rates(sites))
        sites[0].census.forget(sites[0])
        clock.advance(SHARING)
        self.assertEqual(1000, self.rates(sites)[1])
        sites[1].reconfigure(Limits(max_connections=0))
        self.assertEqual([], clock.getDelayedCalls())
        self.assertEqual((0, 0), board.read("t Files"))

    def rates(self, sites: list[FakeSite]) -> list[float]:
        return [site.throttle._shared.rate for site in sites]  # type: ignore[union-attr]
