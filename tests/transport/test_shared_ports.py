"""
Tests of data connections under TLS at a passive port (``transport.data_tls``, ``passive``, ``leases``, ``pool``): whose they are, where
several sessions of one address share the port, and what becomes of those whose TLS does not come about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.tls import TLS13, VERSIONS, site_tls
from tests.support.transports import BytesSource
from tests.support.visitors import PORT, Person
from tests.transport.test_pool import FakeNet
from twistftp.policy.channels import PortRange
from twistftp.policy.diagnosis import Cause
from twistftp.transport.data_tls import DECIDED
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.transport.pool import PassivePool


class PortCase(SynchronousTestCase):
    """A pool with one port, and sessions of one address with PROT P."""

    def setUp(self) -> None:
        self.clock, self.net = Clock(), FakeNet()
        self.site = site_tls(self, clock=self.clock.seconds)
        self.pool = PassivePool(self.clock, PortRange(PORT, PORT), Deadlines(self.clock), listen=self.net.listen)
        self.neighbours = self.pool.neighbours

    def person(self, name: str, version: Any = TLS13, **about: Any) -> Person:
        return Person(self, name, version, **about)

    def sharers(self, *names: str, version: Any = TLS13) -> list[Person]:
        """Sessions with the right to share."""
        people = [self.person(name, version) for name in names]
        for person in people * 2:
            person.fetch()
        self.assertTrue(all(person.visitor.tls.may_share for person in people))
        return people

    def tearDown(self) -> None:
        """Nothing is left: no lease, no connection, no undecided arrival, no timer but that of the warm port."""
        pool = self.pool
        self.assertEqual((0, 0, set()), (pool.active_leases, pool.open_connections, pool._arrivals))
        for listener in pool._open:
            self.assertEqual(({}, {}, {}), (listener.leases, listener.crowds, listener.undecided))
        pool.trim()
        self.assertEqual([], self.clock.getDelayedCalls())


class SharedPortTests(PortCase):
    def test_each_its_own(self) -> None:
        """DESIGN §3: leases of one address on one port are told apart by what their connections resume, in any order, connected early or late."""
        for version in VERSIONS:
            people = self.sharers("a", "b", "c", version=version)
            shared = self.pool.counters.shared
            for early in (True, False):
                for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
                    for person in people:
                        self.assertFalse(isinstance(person.set_up(), Deferred))
                        if early:
                            person.command()
                    for number in order:
                        people[number].dial()
                    for number in reversed(order):
                        people[number].begin()
                    if not early:
                        for person in people:
                            person.command()
                    for person in people:
                        person.finish()
                        self.assertEqual((person.file, "sent"), (person.received, person.result))
            self.assertGreater(self.pool.counters.shared, shared)

    def test_without_right(self) -> None:
        """Whoever has not proved it waits for the port, and gets it when it is free."""
        a, b = self.person("a"), self.person("b")
        a.set_up()
        b.set_up()
        self.assertTrue(b.is_waiting)
        a.dial()
        a.command()
        a.begin()
        self.assertEqual((a.file, False), (a.received, b.is_waiting))
        b.command()
        b.dial()
        b.begin()
        self.assertEqual(b.file, b.received)

    def test_mixed(self) -> None:
        """One that never resumes and two that share get along: it waits for its turn, they wait for theirs, each gets its file."""
        a, b = self.sharers("a", "b")
        never = self.person("never")
        a.set_up()
        never.set_up()
        b.set_up()
        self.assertEqual((False, True, True), (a.is_waiting, never.is_waiting, b.is_waiting), "nobody overtakes")
        a.dial()
        a.command()
        a.begin()
        self.assertEqual((False, True), (never.is_waiting, b.is_waiting))
        never.dial(None)
        never.command()
        never.begin()
        b.dial()
        b.command()
        b.begin()
        self.assertEqual([a.file, never.file, b.file], [a.received, never.received, b.received])

    def test_nobodys(self) -> None:
        """A connection that resumes none of those who share is reset without an octet; all lose the right; the next time each gets its file."""
        for offers in (None, "third"):
            a, b = self.sharers("a", "b")
            third = self.person("third")
            for person in (a, b):
                person.set_up()
                person.command()
            unproven = self.pool.counters.unproven
            a.dial(third.visitor.ticket if offers else None).shake_hands()
            self.assertEqual((["abort"], b"", False), (a.link.below.events, a.received, a.link.client.is_secure))
            a.link.below.lose()
            self.assertEqual((1, False, False), (self.pool.counters.unproven - unproven, a.visitor.tls.may_share, b.visitor.tls.may_share))
            for person in (a, b):
                person.lease.close()
                self.assertEqual(Cause.ABORTED, person.result)
            for person in (a, b):
                self.assertEqual(person.file, person.fetch())

    def test_alone_in_a_crowd(self) -> None:
        """One that has the right and is alone on the port is held to its session only by the site's rule."""
        for rule, expected in (("off", b"the file of a"), ("auto", b"")):
            a, _ = self.sharers("a", "b")
            a.visitor.rule = rule
            a.set_up()
            a.command()
            a.dial(None)
            a.begin()
            self.assertEqual((expected, "sent" if expected else Cause.NOT_RESUMED), (a.received, a.result))
            self.assertFalse(a.visitor.tls.may_share)

    def test_knock(self) -> None:
        """P-TD-2: a client that begins TLS only after 150 is told that somebody came, before it shows who; either order."""
        a, b = self.sharers("a", "b")
        for dials_first in (True, False):
            for person in (a, b):
                person.set_up()
                person.knocks = 0
            if dials_first:
                a.dial()
                a.command()
            else:
                a.command()
                a.dial()
            self.assertEqual(1, a.knocks)
            b.command()
            b.dial()
            self.assertEqual((1, 1), (a.knocks, b.knocks))
            for person in (a, b):
                person.begin()
                self.assertEqual(person.file, person.received)

    def test_silent(self) -> None:
        """P-TIME-3: a connection that never shows whose it is ends, and the leases stay for their own."""
        a, b = self.sharers("a", "b")
        for person in (a, b):
            person.set_up()
        silent = self.person("silent")
        silent.dial()
        silent.link.push(silent.link.client.begin()[:20])  # type: ignore[union-attr]
        self.clock.advance(DECIDED - 1)
        self.assertEqual([], silent.link.below.events)  # type: ignore[union-attr]
        self.clock.advance(2)
        self.assertEqual(["abort"], silent.link.below.events)  # type: ignore[union-attr]
        silent.link.below.lose()  # type: ignore[union-attr]
        for person in (a, b):
            person.dial()
            person.command()
            person.begin()
            self.assertEqual(person.file, person.received)

    def test_many_undecided(self) -> None:
        """DESIGN §3: a few more than there are leases may be undecided; the rest are strangers, and let the rightful one in when they go."""
        a, b = self.sharers("a", "b")
        for person in (a, b):
            person.set_up()
        silent = [self.person(f"s{number}") for number in range(12)]
        for person in silent:
            person.dial()
        self.assertEqual(10, sum(person.link.below.protocol is not None for person in silent))
        self.assertEqual(2, self.pool.counters.strangers)
        for person in silent:
            person.hang_up()
        for person in (a, b):
            person.dial()
            person.command()
            person.begin()
            self.assertEqual(person.file, person.received)

    def test_stray(self) -> None:
        """
        A connection that was on its way when its transfer was refused (550) shows whose it is: it is not taken for that of another session of
        the same user which has the port now, and costs nobody the right to share it.
        """
        for version in VERSIONS:
            a, b = self.person("a", version), self.person("b", version)
            for person in (a, b):
                person.name = "anonymous"
                person.set_up()
            a.lease.refuse()
            self.assertFalse(b.is_waiting)
            a.dial()
            a.begin()
            b.command()
            self.assertEqual((b"", Cause.NOT_RESUMED), (a.received, b.result))
            a.hang_up()
            self.assertEqual(b.file, b.fetch())

    def test_stray_at_a_shared_port(self) -> None:
        """The same where those who have the port share it: it is reset, and they get their files and keep their right."""
        a, b, c = self.sharers("a", "b", "c")
        for person in (a, b, c):
            person.set_up()
        a.lease.refuse()
        a.dial().shake_hands()
        self.assertEqual((["abort"], b""), (a.link.below.events, a.received))
        a.hang_up()
        for person in (b, c):
            person.command()
            person.dial()
            person.begin()
            self.assertEqual((person.file, True), (person.received, person.visitor.tls.may_share))

    def test_from_elsewhere(self) -> None:
        """Another address with a's own ticket is a stranger (P-DC-10)."""
        a, b = self.sharers("a", "b")
        for person in (a, b):
            person.set_up()
        thief = self.person("thief", client="198.51.100.9")
        thief.dial(a.visitor.ticket)
        self.assertIsNone(thief.link.below.protocol)
        for person in (a, b):
            person.dial()
            person.command()
            person.begin()
            self.assertEqual(person.file, person.received)

    def test_everything_ends(self) -> None:
        """``close`` in every phase: leases, waiters, undecided arrivals, connections in their handshake and in their transfer."""
        a, b = self.sharers("a", "b")
        c = self.person("c")
        for person in (a, b):
            person.set_up()
        c.set_up()
        self.assertTrue(c.is_waiting)
        a.dial()
        b.dial()
        b.command()
        b.link.push(b.link.client.begin())  # type: ignore[union-attr]
        closed = self.pool.close()
        self.assertNoResult(closed)
        self.assertEqual((Cause.CLOSING, ["abort"]), (c.result, a.link.below.events))
        for person in (a, b):
            person.link.below.lose()
        self.successResultOf(closed)


class HandshakeOfDataTests(PortCase):
    """What happens to a transfer when its TLS does not come about."""

    def test_silence(self) -> None:
        """P-TIME-3, P-TD-6: a client that does not begin TLS within the time: 522, and the connection is reset."""
        for begun in (False, True):
            a = self.person("a")
            a.visitor.tls.timeout = lambda: 5.0
            a.set_up()
            a.dial()
            if begun:
                a.link.push(a.link.client.begin()[:50])  # type: ignore[union-attr]
            a.command()
            self.assertIsNone(a.result)
            self.clock.pump([1.0] * 4)
            self.assertIsNone(a.result)
            self.clock.pump([1.0] * 3)
            self.assertEqual((Cause.TLS_NOT_STARTED, ["abort"]), (a.result, a.link.below.events))  # type: ignore[union-attr]
            a.link.below.lose()  # type: ignore[union-attr]

    def test_in_clear(self) -> None:
        """P-DX-11, P-TEXT-28: a client that speaks in clear, or sends an alert: 522 that says so, and not that it should have resumed."""
        cases = [(octets, rule) for octets in (b"GET / HTTP/1.0\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28") for rule in ("auto", "require")]
        for octets, rule in cases:
            a = self.person("a", rule=rule)
            a.set_up()
            a.dial()
            a.command()
            a.link.push(octets)  # type: ignore[union-attr]
            a.link.below.lose()  # type: ignore[union-attr]
            self.assertEqual((Cause.TLS_FAILED, b""), (a.result, a.received))

    def test_refused(self) -> None:
        """P-TD-8: the handshake of a refused connection is finished, so that the client reads the 522 and not a failure of TLS."""
        for version in VERSIONS:
            for early in (True, False):
                a = self.person("a", version, rule="require")
                a.set_up()
                a.dial(None)
                if not early:
                    a.command()
                a.link.shake_hands()  # type: ignore[union-attr]
                if early:
                    a.command()
                self.assertEqual((Cause.NOT_RESUMED, True, True, b""), (a.result, a.link.client.is_secure, a.link.client.has_end, a.received))
                a.finish()

    def test_empty(self) -> None:
        """P-DX-19, P-TW-3: an empty file is sent in order: handshake, close_notify, and then the transfer is complete."""
        for version in VERSIONS:
            for begins_first in (True, False):
                a = self.person("a", version)
                a.file = b""
                a.set_up()
                a.dial()
                if begins_first:
                    a.link.shake_hands()  # type: ignore[union-attr]
                a.command()
                if not begins_first:
                    self.assertIsNone(a.result)
                a.begin() if not begins_first else a.finish()
                self.assertEqual(("sent", True, None), (a.result, a.link.client.has_end, a.link.client.error))  # type: ignore[union-attr]

    def test_lost(self) -> None:
        """P-DX-11, P-DC-9: a client that goes away in the handshake: 522 after 150, 425 before the transfer command."""
        a = self.person("a")
        for early in (True, False):
            a.set_up()
            a.dial()
            if not early:
                a.command()
            a.link.push(a.link.client.begin())  # type: ignore[union-attr]
            a.hang_up()
            if early:
                a.command()
            self.assertEqual(Cause.RESET_EARLY if early else Cause.TLS_FAILED, a.result)

    def test_silence_with_a_short_stall_timeout(self) -> None:
        """P-TIME-3: the time for the handshake is kept to however often the connection is looked at."""
        a = self.person("a")
        a.stall_timeout = 14.0
        a.visitor.tls.timeout = lambda: 5.0
        a.set_up()
        a.dial()
        a.command()
        self.clock.pump([0.5] * 9)
        self.assertIsNone(a.result)
        self.clock.pump([0.5] * 3)
        self.assertEqual(Cause.TLS_NOT_STARTED, a.result)
        a.link.below.lose()  # type: ignore[union-attr]

    def test_given_up_before_tls(self) -> None:
        """P-DC-17, P-TIME-7: a connection that is not needed any more ends in order if its client begins TLS, and soon if it does not."""
        for is_silent in (True, False):
            a = self.person("a")
            a.set_up()
            a.dial()
            a.lease.close()
            below = a.link.below  # type: ignore[union-attr]
            self.assertEqual([], below.events)
            if is_silent:
                self.clock.pump([1.0] * 4)
                self.assertEqual([], below.events)
                self.clock.pump([1.0] * 2)
                self.assertEqual(["abort"], below.events)
                below.lose()
            else:
                a.link.shake_hands()  # type: ignore[union-attr]
                self.assertEqual((["half"], True, None), (below.events, a.link.client.has_end, a.link.client.error))  # type: ignore[union-attr]
                a.finish()

    def test_aborted(self) -> None:
        """P-DX-9, P-DX-21: a transfer that is aborted ends by reset, without close_notify: no client can take what it has for the whole."""
        for version in VERSIONS:
            a = self.person("a", version)
            a.set_up()
            a.dial()
            connection = self.successResultOf(self.made(a))
            sent = connection.send(BytesSource(b"some", Deferred()))
            a.link.shake_hands()  # type: ignore[union-attr]
            connection.abort(Cause.ABORTED)
            self.failureResultOf(sent, DataConnectionFailed)
            self.assertEqual((["abort"], False), (a.link.below.events, a.link.client.has_end))  # type: ignore[union-attr]
            a.link.below.lose()  # type: ignore[union-attr]

    def made(self, person: Person) -> Deferred[Any]:
        """The data connection of a lease whose client has come."""
        found = person.lease.connection(30)
        return found if isinstance(found, Deferred) else succeed(found)

    def test_client_does_not_end(self) -> None:
        """P-TIME-7, P-TW-4: a client that neither answers close_notify nor closes does not keep the connection, and 226 did not wait for it."""
        a = self.person("a")
        a.set_up()
        a.dial()
        a.command()
        a.link.shake_hands()  # type: ignore[union-attr]
        a.link.secure.writeConnectionLost()  # type: ignore[union-attr]
        self.assertEqual("sent", a.result)
        self.clock.pump([1.0] * 7)
        self.assertEqual("lose", a.link.below.events[-1])  # type: ignore[union-attr]
        a.link.below.lose()  # type: ignore[union-attr]


POLICIES: dict[str, Callable[[list[Any]], Any]] = {
    "newest": lambda store: store[-1],
    "oldest": lambda store: store[0],
    "newest once": lambda store: store.pop(),
    "oldest once": lambda store: store.pop(0),
}
PROGRAMS = [(policy, is_for_all) for policy in POLICIES for is_for_all in (True, False) if (policy, is_for_all) != ("oldest once", False)]
"""
What a program offers, and whether on its control connections, too. One that takes each ticket once, the oldest first, and for data connections
alone, looks as if it kept its sessions apart as long as they take turns; no such program is known.
"""
SESSIONS = 3
"""Of the program."""


class OneStoreTests(PortCase):
    """
    A program with one store of tickets for all its sessions: in whatever order it works, no session's data connection ever brings the
    octets of another's file.
    """

    @settings(max_examples=40)
    @given(
        st.sampled_from(VERSIONS),
        st.sampled_from(PROGRAMS),
        st.lists(st.tuples(st.integers(0, SESSIONS + 1), st.booleans(), st.sampled_from([1, 2, 4, 8])), min_size=10, max_size=60),
    )
    def test_never_another(self, version: Any, program: tuple[str, bool], steps: list[tuple[int, bool, int]]) -> None:
        """DESIGN §3: wrong octets in a file are worse than a 425. Beside the program there are other clients behind the same address."""
        self.run_program(version, program, steps)

    @settings(max_examples=20)
    @given(st.randoms(use_true_random=False), st.sampled_from(PROGRAMS))
    def test_long_runs(self, random: Any, program: tuple[str, bool]) -> None:
        """The same, for as long as it takes until some have gained the right to share the port."""
        steps = [(random.randrange(SESSIONS + 2), random.random() < 0.5, random.choice([1, 1, 4, 8])) for _ in range(80)]
        self.run_program(TLS13, program, steps)

    def run_program(self, version: Any, program: tuple[str, bool], steps: list[tuple[int, bool, int]]) -> None:
        """One run; the first sessions are the program's. Each comes with its first step."""
        PortCase.setUp(self)
        policy, is_for_all = program
        store: list[Any] = []

        def choose() -> Any:
            return POLICIES[policy](store) if store else None

        people: dict[int, Person] = {}
        for number, dials_first, repeats in steps:
            is_ours = number < SESSIONS
            if number not in people:  # it comes only now
                people[number] = self.person(f"{number}", version, offers=choose() if is_for_all and is_ours else None)
                if is_ours:
                    store.append(people[number].visitor.ticket)
            for _ in range(repeats):
                self.step(people[number], dials_first, choose if is_ours else None, store)
        for person in people.values():
            self.clock.pump([10.0] * 10)
            person.hang_up()
            self.look(person)
        self.clock.pump([10.0] * 10)
        PortCase.tearDown(self)

    def step(self, person: Person, dials_first: bool, choose: Callable[[], Any] | None, store: list[Any]) -> None:
        """The next thing that this session does."""
        if person.lease is None:
            person.result = person.link = None
            person.set_up()
        elif person.is_waiting:
            self.clock.advance(0.3)
        elif person.link is None and person.lease.failure is not None:  # it has run out
            person.lease = None
        elif person.result is None and not (dials_first and person.link is None):
            person.result = "asked"
            person.command()
        elif person.link is None:
            person.dial(choose()) if choose is not None else person.dial()
        else:
            person.begin()
            self.look(person)
            if choose is not None and person.received:
                store.append(person.link.client.session)
            person.hang_up()
            person.lease.close()
            person.lease = None

    def look(self, person: Person) -> None:
        """Its own file or nothing."""
        self.assertIn(person.received, (b"", person.file))
