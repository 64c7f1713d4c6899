"""Tests of ``workers.kin``: one program's TLS sessions in several workers. Here the workers are in one process, and share keys as forked ones do."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from hypothesis.strategies import integers, sampled_from
from twisted.trial.unittest import SynchronousTestCase

from tests.support.tls import VERSIONS, site_tls
from tests.support.visitors import Visitor
from twistftp.policy.diagnosis import Cause
from twistftp.workers.kin import FarNeighbours, Kin, Known

CLIENTS = [f"192.0.2.{number}" for number in range(9)]


class Model(RuleBasedStateMachine):
    """Sessions of three workers come and go, against a table of them."""

    def __init__(self) -> None:
        super().__init__()
        self.kin = Kin(3, buckets=2)
        self.sessions: dict[int, tuple[int, str, Known]] = {}
        self.ended: dict[int, tuple[int, str, Known]] = {}
        self.made = 0

    def anew(self) -> Known:
        self.made += 1
        return self.made.to_bytes(16, "big"), self.made.to_bytes(8, "big"), self.made.to_bytes(32, "big")

    @rule(column=integers(0, 2), client=sampled_from(CLIENTS))
    def add(self, column: int, client: str) -> None:
        known = self.anew()
        place = self.kin.add(column, client, known)
        if place < 0:
            assert sum(one[0] == column for one in self.sessions.values()) >= 16, "only a bucket full of sessions has no room"
        else:
            assert place not in self.sessions, "only what has ended gives way"
            self.ended.pop(place, None)
            self.sessions[place] = column, client, known

    @rule()
    def change(self) -> None:
        if self.sessions:
            place = max(self.sessions)
            self.sessions[place] = (*self.sessions[place][:2], self.anew())
            self.kin.change(place, self.sessions[place][2])

    @rule()
    def end(self) -> None:
        if self.sessions:
            place = min(self.sessions)
            self.kin.end(place)
            self.ended[place] = self.sessions.pop(place)

    @rule(column=integers(0, 2))
    def clear(self, column: int) -> None:
        self.kin.clear(column)
        for table in (self.sessions, self.ended):
            for place in [place for place, one in table.items() if one[0] == column]:
                del table[place]

    @invariant()
    def same(self) -> None:
        for column in range(3):
            for client in CLIENTS:
                all_of = [*self.sessions.values(), *self.ended.values()]
                expected = sorted(known for where, whose, known in all_of if where != column and whose == client)
                assert sorted(self.kin.elsewhere(column, client)) == expected


class KinTests(SynchronousTestCase):
    """The table."""

    def test_model(self) -> None:
        """Everybody sees the others' sessions of one client and no other's; those that have ended as long as nobody needs their place."""
        run_state_machine_as_test(Model, settings=settings(max_examples=30, stateful_step_count=60, deadline=None))


class TicketTests(SynchronousTestCase):
    """DESIGN §4 over several workers: which data connections ``auto`` lets in that resume a session elsewhere."""

    def setUp(self) -> None:
        self.site = site_tls(self)
        self.kin = Kin(2)
        self.workers = [FarNeighbours(self.kin, column) for column in range(2)]

    def visitor(self, worker: int, version: Any, user: str = "alice", **about: Any) -> Visitor:
        """A client of one worker that has logged in, and resumed once."""
        visitor = Visitor(about.pop("site", self.site), self.workers[worker], version, user=lambda: user, **about)
        visitor.tls.logged_in()
        visitor.connect(visitor.ticket)
        return visitor

    def test_same_user(self) -> None:
        """P-TD-8: the ticket of a session of the same address and user is an honest client's, whichever worker has that session."""
        for version in VERSIONS:
            one, other = self.visitor(0, version), self.visitor(1, version)
            for visitor, ticket in ((one, other.ticket), (other, one.ticket)):
                link, cause = visitor.connect(ticket)
                self.assertEqual((True, False, None), (link.client.is_secure, link.client.ssl.session_reused, cause))

    def test_others(self) -> None:
        """P-TD-8: a ticket of another user's, of another address, or of nobody's proves nothing."""
        for version in VERSIONS:
            one = self.visitor(0, version)
            bob, far = self.visitor(1, version, "bob"), self.visitor(1, version, client="198.51.100.2")
            stranger = self.visitor(1, version, site=site_tls(self))
            for visitor in (bob, far, stranger):
                self.assertIs(Cause.NOT_RESUMED, one.connect(visitor.ticket)[1])
            self.visitor(1, version)
            self.assertIs(Cause.NOT_RESUMED, one.connect(bob.ticket)[1], "there is a session of alice's elsewhere, but this is not its ticket")

    def test_require(self) -> None:
        """P-TD-11: ``require`` lets none of them in."""
        for version in VERSIONS:
            one, other = self.visitor(0, version, rule="require"), self.visitor(1, version)
            self.assertIs(Cause.NOT_RESUMED, one.connect(other.ticket)[1])

    def test_ended(self) -> None:
        """P-TD-8: a session that has ended is remembered, as in one process; one of a worker that has ended is not."""
        for version in VERSIONS:
            one, gone = self.visitor(0, version), self.visitor(1, version)
            gone.tls.close()
            self.assertIsNone(one.connect(gone.ticket)[1])
            self.kin.clear(1)
            self.assertIs(Cause.NOT_RESUMED, one.connect(gone.ticket)[1])

    def test_before_login(self) -> None:
        """A session is somebody's from the login on."""
        for version in VERSIONS:
            user = ""
            one = self.visitor(0, version)
            other = Visitor(self.site, self.workers[1], version, user=lambda: user)
            self.assertIs(Cause.NOT_RESUMED, one.connect(other.ticket)[1])
            user = "alice"
            other.tls.logged_in()
            self.assertIsNone(one.connect(other.ticket)[1])

    def test_family(self) -> None:
        """P-TD-8: who offers the ticket of a session elsewhere on the control connection has proved to be its client, also before the login."""
        for version in VERSIONS:
            one = self.visitor(0, version)
            other = Visitor(self.site, self.workers[1], version, user=lambda: "", offers=one.ticket)
            self.assertIsNone(one.connect(other.ticket)[1])
            other.connect(other.ticket)
            self.assertIsNone(other.connect(one.ticket)[1])
            stranger = Visitor(self.site, self.workers[1], version, user=lambda: "")
            self.assertIs(Cause.NOT_RESUMED, one.connect(stranger.ticket)[1])

    def test_nothing_is_kept(self) -> None:
        """Sessions that have ended, however often that is said, leave nothing behind in their worker."""
        visitors = [self.visitor(worker, VERSIONS[0]) for worker in (0, 1, 1)]
        for visitor in visitors * 2:
            visitor.tls.close()
        self.assertEqual([{}, {}], [worker._places for worker in self.workers])
