"""Tests of ``workers.porter``: whose connections are whose, and that none waits for a worker that does not come. All workers are in this process."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twistftp.workers.porter import OWN, PATIENCE, Porter
from twistftp.workers.scales import MEMORY, TURNS, Pan, Scales

SESSION: Any = object()


class FakeReactor(Clock):
    """A worker's: told what it watches."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard


class FakePort:
    """A worker's end of the one port; connections come from ``street``."""

    connected = True
    is_read = True
    sessionno = 0

    def __init__(self, street: Street, porter: Porter, pan: Pan) -> None:
        self.street, self.porter, self.pan = street, porter, pan

    def startReading(self) -> None:
        self.is_read = True

    def stopReading(self) -> None:
        self.is_read = False

    def doRead(self) -> None:
        while self.connected and self.porter.admits(self):
            if not self.street.waiting:
                return
            self.street.waiting.pop(0)
            self.sessionno += 1
            self.pan.opened(SESSION)


class Worker:
    """One that is alive takes its turn when it is told to, one that is stopped does nothing."""

    is_stopped = False
    is_done = False

    def __init__(self, street: Street, column: int) -> None:
        self.street, self.reactor, self.pan = street, FakeReactor(), Pan(street.scales, column)
        self.porter = Porter(self.reactor, self.pan)
        self.ports = [FakePort(street, self.porter, self.pan)]
        self.left = 0
        self.porter.begin()

    @property
    def sessions(self) -> int:
        return sum(port.sessionno for port in self.ports) - self.left

    def close(self) -> None:
        """A session ends."""
        if self.sessions:
            self.left += 1
            self.pan.closed(SESSION)

    def turn(self, passed: float = 0.0) -> None:
        """A turn of its reactor."""
        if self.is_stopped:
            return
        self.reactor.advance(self.street.now - self.reactor.seconds())
        for reader in list(self.reactor.readers):
            if _has_octets(reader.fileno()):
                reader.doRead()
        for port in self.ports:
            if port.is_read and self.street.waiting:
                port.doRead()


def _has_octets(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0)[0])


class Street:
    """Workers, and the connections that wait at their door, by the time at which they came."""

    def __init__(self, count: int) -> None:
        self.now = 0.0
        self.scales = Scales(count)
        self.waiting: list[float] = []
        self.workers = [Worker(self, column) for column in range(count)]

    def close(self) -> None:
        for bell in self.scales.bells:
            for end in bell:
                os.close(end)

    def come(self, count: int = 1) -> None:
        self.waiting += [self.now] * count

    def turns(self, count: int = 2) -> None:
        """Everybody's."""
        for _ in range(count):
            for worker in self.workers:
                worker.turn()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.turns()

    @property
    def shares(self) -> list[int]:
        return [worker.sessions for worker in self.workers]


class PorterCase(SynchronousTestCase):
    """Two workers, or more."""

    def street(self, count: int = 2) -> Street:
        street = Street(count)
        self.addCleanup(street.close)
        return street


class ShareTests(PorterCase):
    """Who takes what."""

    def test_staying(self) -> None:
        """Sessions that stay are shared evenly, come they one by one or all at once, and whoever is the quickest; no time passes."""
        for together in (1, 7, 60):
            for count in (2, 3, 8):
                street = self.street(count)
                for _ in range(240 // together):
                    street.come(together)
                    street.turns(2 + together)
                self.assertEqual([], street.waiting)
                self.assertLessEqual(max(street.shares) - min(street.shares), 2 + min(street.shares) // 8, (together, count))

    def test_short(self) -> None:
        """The same of sessions that end before the next one begins."""
        street = self.street(3)
        for _ in range(300):
            street.come()
            street.turns()
            for worker in street.workers:
                worker.close()
        begun = [worker.ports[0].sessionno for worker in street.workers]
        self.assertEqual(300, sum(begun))
        self.assertLessEqual(max(begun) - min(begun), TURNS + 1)

    def test_newcomer(self) -> None:
        """Who takes the place of one that has ended is given what comes, until it has as many as the others."""
        street = self.street(2)
        street.come(40)
        street.turns(40)
        street.scales.clear(1)
        street.workers[1] = Worker(street, 1)
        for _ in range(10):
            street.come()
            street.turns()
        self.assertEqual(10, street.workers[1].sessions)

    def test_reactor_ends(self) -> None:
        """A reactor that ends tells its readers so; the pipe stays for whoever takes the worker's place."""
        street = self.street(2)
        (bell,) = street.workers[0].reactor.readers
        self.assertEqual("bell", bell.logPrefix())
        bell.connectionLost(Failure(ConnectionError()))
        self.assertFalse(_has_octets(bell.fileno()))
        bell.doRead()


class PatienceTests(PorterCase):
    """A worker that does not come."""

    def stuck(self, waiting: int) -> Street:
        """Connections that wait for the second of two workers, which is stopped, as the first one has taken some already."""
        street = self.street(2)
        street.workers[1].is_stopped = True
        street.come(2)
        street.turns()
        street.come(waiting)
        street.turns()
        self.assertEqual(waiting, len(street.waiting))
        return street

    def test_nobody_comes(self) -> None:
        """What waits is taken when the other's patience ends, and some more with it; the next wait again, but ever more rarely."""
        street = self.stuck(1000)
        steps = []
        while street.waiting:
            before = len(street.waiting)
            street.advance(PATIENCE)
            steps.append(before - len(street.waiting))
        self.assertEqual([8, 16, 32, 64, 128, 256, 256], steps[:7])
        self.assertEqual(8, len(steps))
        self.assertEqual(OWN, (steps[0], max(steps)))

    def test_another_chance(self) -> None:
        """After a second it is given another chance; one that lives is not waited for any more rarely than at first."""
        street = self.stuck(10)
        street.advance(PATIENCE)
        self.assertEqual(2, len(street.waiting))
        street.advance(PATIENCE)
        self.assertEqual([], street.waiting)
        street.advance(2.0)
        street.come()
        street.turns()
        self.assertEqual(1, len(street.waiting))
        street.workers[1].is_stopped = False
        street.turns()
        self.assertEqual(([], [12, 1]), (street.waiting, street.shares))
        street.workers[1].is_stopped = True
        street.come(100)
        street.turns()
        self.assertEqual([12, 1], street.shares)
        street.advance(PATIENCE)
        self.assertEqual([12 + OWN[0], 1], street.shares)

    def test_in_vain(self) -> None:
        """Patience that ends when another has taken what waited: nothing more is taken without asking."""
        street = self.stuck(1)
        one, two = street.workers
        one.is_stopped, two.is_stopped = True, False
        street.turns()
        one.is_stopped = False
        street.advance(PATIENCE)
        self.assertEqual((True, [2, 1]), (one.ports[0].is_read, street.shares))
        two.close()
        street.come()
        one.turn()
        self.assertEqual([2, 0], street.shares)
        two.turn()
        self.assertEqual([2, 1], street.shares)

    def test_catching_up(self) -> None:
        """Who was stopped for long takes what comes afterwards, and of sessions that are over not more than :data:`MEMORY`."""
        street = self.stuck(600)
        one, two = street.workers
        while street.waiting:
            street.advance(PATIENCE)
        for _ in range(602):
            one.close()
        two.is_stopped = False
        street.advance(2.0)
        for _ in range(4 * MEMORY):
            street.come()
            street.turns()
            for worker in street.workers:
                worker.close()
        begun = two.ports[0].sessionno
        self.assertLess(abs(begun - (2 * MEMORY + MEMORY // 2)), 2 * TURNS)

    def test_leaving(self) -> None:
        """One that is to end gets its ports back and takes what comes, as long as it reads them; others do not wait for it."""
        street = self.stuck(3)
        one, two = street.workers
        self.assertFalse(one.ports[0].is_read)
        two.is_stopped = False
        one.porter.end()
        self.assertEqual((True, set(), []), (one.ports[0].is_read, one.reactor.readers, one.reactor.getDelayedCalls()))
        one.turn()
        self.assertEqual([], street.waiting)
        one.ports[0].is_read = False
        street.come(200)
        street.turns()
        self.assertEqual(([], 200), (street.waiting, two.sessions))
        one.porter.end()  # once is enough

    def test_closed_port(self) -> None:
        """A port that is closed while it rests is left alone."""
        street = self.stuck(1)
        port = street.workers[0].ports[0]
        port.connected = False
        street.advance(2 * PATIENCE)
        self.assertFalse(port.is_read)


class Model(RuleBasedStateMachine):
    """Anything may happen to three workers; who waits is let in soon, as long as one of them lives."""

    def __init__(self) -> None:
        super().__init__()
        self.street = Street(3)

    def teardown(self) -> None:
        self.street.close()

    @rule(count=st.integers(1, 30))
    def come(self, count: int) -> None:
        self.street.come(count)

    @rule(number=st.integers(0, 2))
    def turn(self, number: int) -> None:
        self.street.workers[number].turn()

    @rule(number=st.integers(0, 2), count=st.integers(1, 20))
    def close(self, number: int, count: int) -> None:
        worker = self.street.workers[number]
        if not worker.is_stopped:
            for _ in range(count):
                worker.close()

    @rule(number=st.integers(0, 2), is_stopped=st.booleans())
    def stop(self, number: int, is_stopped: bool) -> None:
        if not self.street.workers[number].is_done:
            self.street.workers[number].is_stopped = is_stopped

    @rule(number=st.integers(0, 2))
    def kill(self, number: int) -> None:
        """It ends, whatever it is about, and another takes its place."""
        self.street.scales.clear(number)
        self.street.workers[number] = Worker(self.street, number)

    @precondition(lambda self: any(not worker.is_stopped and not worker.is_done for worker in self.street.workers))
    @rule(number=st.integers(0, 2))
    def end(self, number: int) -> None:
        """It drains, unless it is the last one."""
        worker = self.street.workers[number]
        if any(other is not worker and not other.is_stopped and not other.is_done for other in self.street.workers):
            worker.porter.end()
            worker.is_stopped = worker.is_done = True

    @rule(seconds=st.floats(0.0, 2.0))
    def wait(self, seconds: float) -> None:
        self.street.advance(seconds)

    @invariant()
    def reads_or_waits(self) -> None:
        """Who does not read its port wakes by itself."""
        for worker in self.street.workers:
            if not worker.is_done:
                self.assert_awake(worker)

    def assert_awake(self, worker: Worker) -> None:
        assert worker.ports[0].is_read or len(worker.reactor.getDelayedCalls()) == 1

    @precondition(lambda self: any(not worker.is_stopped for worker in self.street.workers))
    @rule()
    def everybody_is_served(self) -> None:
        """In the time of one worker's patience the first that waits are let in."""
        self.street.turns()
        while came := len(self.street.waiting):
            self.street.advance(PATIENCE + 1e-9)
            assert len(self.street.waiting) <= max(0, came - OWN[0])


class ModelTests(SynchronousTestCase):
    """No connection waits for somebody who does not come."""

    def test_model(self) -> None:
        """See :class:`Model`."""
        run_state_machine_as_test(Model, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))
