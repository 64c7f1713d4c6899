"""Tests for ``twistftp.transport.pool``, ``ports``, ``passive`` and ``leases``."""

from __future__ import annotations

import errno
import os
import socket
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.support.transports import BytesSource, dial
from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.diagnosis import Cause
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.dtp import DataConnection
from twistftp.transport.interfaces import DataConnectionFailed, IDataPort
from twistftp.transport.leases import SOON, Lease
from twistftp.transport.pool import PassivePool


class FakeNet:
    """Stands for ``sockets.listen``: which ports are open, which are taken by others; makes connections arrive."""

    def __init__(self):
        self.open = {}
        self.taken = set()
        self.error = errno.EADDRINUSE
        self.next_dynamic = 40000
        self.attempts = 0

    def listen(self, reactor, port, factory, interface, backlog, kind):
        self.attempts += 1
        if port == 0:
            self.next_dynamic += 1
            port = self.next_dynamic
        if port in self.taken or (interface, port) in self.open:
            raise CannotListenError(interface, port, OSError(self.error, "no"))
        self.open[interface, port] = factory
        return FakeListener(self, interface, port)

    def arrive(self, interface, port, client):
        """A connection comes: the protocol, connected, or None if it was dropped."""
        protocol = self.open[interface, port].buildProtocol(IPv4Address("TCP", client, 5000))
        if protocol is not None:
            protocol.makeConnection(StringTransport())
        return protocol


class FakeListener:
    def __init__(self, net, interface, port):
        self.net, self.interface, self.port = net, interface, port

    def getHost(self):
        return IPv4Address("TCP", self.interface, self.port)

    def stopListening(self):
        del self.net.open[self.interface, self.port]


class PoolCase(SynchronousTestCase):
    HERE = "192.0.2.1"

    def setUp(self):
        self.clock = Clock()
        self.net = FakeNet()

    def pool(self, low=50000, high=50009, **options):
        ports = PortRange(low, high)
        return PassivePool(self.clock, ports, Deadlines(self.clock), listen=self.net.listen, **options)

    def cause(self, failing):
        error = failing.value if isinstance(failing, Failure) else failing
        return error.verdict.cause

    def failed(self, result):
        return self.failureResultOf(result, DataConnectionFailed).value.verdict


class LeaseTests(PoolCase):
    def test_open_before_it_is_told(self):
        """The port listens when the lease is given (P-PB-7), inside the range (P-DC-11)."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "198.51.100.1")
        verifyObject(IDataPort, lease)
        self.assertIn((self.HERE, lease.port), self.net.open)
        self.assertIn(lease.port, PortRange(50000, 50009))

    def test_connection_after_command(self):
        """The transfer command comes first and waits (P-DC-5, P-DC-6)."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "198.51.100.1")
        waiting = lease.connection(30)
        self.assertNoResult(waiting)
        connection = self.net.arrive(self.HERE, lease.port, "198.51.100.1")
        self.assertIs(connection, self.successResultOf(waiting))
        self.assertEqual(0, pool.active_leases)
        self.assertRaises(DataConnectionFailed, lease.connection, 30)

    def test_connection_before_command(self):
        """The client connects first (P-DC-5); ::ffff: makes no difference (P-DC-10)."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "::ffff:198.51.100.1")
        connection = self.net.arrive(self.HERE, lease.port, "198.51.100.1")
        self.assertIs(connection, lease.connection(30))
        lease.close()
        self.assertFalse(connection._transport.disconnecting)

    def test_arrivals(self):
        """How long after its lease a connection comes is counted, by size; what never comes is not, nor a stranger."""
        pool = self.pool()
        for seconds in (0.0, 0.2, 0.2, 30.0):
            lease = pool.lease(self.HERE, "198.51.100.1")
            waiting = lease.connection(60)
            self.clock.advance(seconds)
            self.net.arrive(self.HERE, lease.port, "198.51.100.1")
            self.successResultOf(waiting)
        pool.lease(self.HERE, "198.51.100.2")
        self.net.arrive(self.HERE, lease.port, "198.51.100.3")
        arrivals = pool.counters.arrivals
        self.assertEqual([1, 0, 0, 0, 2, 0, 0, 1, 0], arrivals.counts)
        self.assertAlmostEqual(30.4, arrivals.seconds)

    def test_one_connection(self):
        """A lease admits one connection, the next is dropped (P-DC-4)."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "198.51.100.1")
        self.net.arrive(self.HERE, lease.port, "198.51.100.1")
        self.assertIs(None, self.net.arrive(self.HERE, lease.port, "198.51.100.1"))
        self.assertEqual(1, pool.counters.strangers)

    def test_refused(self):
        """A connection on its way to a transfer that was refused is closed with FIN, once and for 2 s; then its client is a stranger (P-DC-17)."""
        pool = self.pool()
        for wait, is_welcome in ((1.9, True), (2.1, False)):
            lease = pool.lease(self.HERE, "198.51.100.1")
            port = lease.port
            pool.lease(self.HERE, "198.51.100.2")  # keeps the ports open
            lease.refuse()
            lease.refuse()
            self.clock.advance(wait)
            connection = self.net.arrive(self.HERE, port, "198.51.100.1")
            self.assertEqual(is_welcome, connection is not None)
            if connection is not None:
                self.assertTrue(connection._transport.disconnecting)
            self.assertIs(None, self.net.arrive(self.HERE, port, "198.51.100.1"))

    def test_refused_are_forgotten(self):
        """P-SEC-10: a port that is open for a year does not remember every client that was ever refused a transfer there."""
        pool = self.pool(50000, 50000)
        [listener] = {pool.lease(self.HERE, "198.51.100.1")._listener}
        for number in range(1000):
            pool.lease(self.HERE, f"203.0.113.{number % 250}" if number % 2 else f"2001:db8::{number:x}").refuse()
            self.clock.advance(0.5)
        self.assertLess(len(listener.refused), 8)
        self.assertTrue(pool.open_ports)

    def test_refused_and_asked_again(self):
        """A new lease on the port is for a transfer again (P-DC-17)."""
        pool = self.pool(50000, 50000)
        pool.lease(self.HERE, "198.51.100.1").refuse()
        lease = pool.lease(self.HERE, "198.51.100.1")
        connection = self.net.arrive(self.HERE, lease.port, "198.51.100.1")
        self.assertIs(connection, lease.connection(30))

    def test_stranger(self):
        """A stranger is dropped and counted, the rightful client still gets through (P-DC-10)."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "198.51.100.1")
        waiting = lease.connection(30)
        self.assertIs(None, self.net.arrive(self.HERE, lease.port, "203.0.113.9"))
        self.assertEqual(1, pool.counters.strangers)
        self.net.arrive(self.HERE, lease.port, "198.51.100.1")
        self.successResultOf(waiting)

    def test_never_arrived(self):
        """The timeout names port, time and range (P-TIME-4)."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "198.51.100.1")
        waiting = lease.connection(30)
        self.clock.advance(29.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.6)
        verdict = self.failed(waiting)
        self.assertIs(Cause.NEVER_ARRIVED, verdict.cause)
        self.assertEqual((lease.port, 30, "50000-50009"), (verdict.port, verdict.seconds, verdict.range))
        self.assertEqual(0, pool.active_leases)

    def test_foreign_peer(self):
        """When only a stranger came, the timeout says so."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "198.51.100.1")
        waiting = lease.connection(30)
        self.net.arrive(self.HERE, lease.port, "203.0.113.9")
        self.clock.advance(31)
        verdict = self.failed(waiting)
        self.assertEqual((Cause.FOREIGN_PEER, "203.0.113.9"), (verdict.cause, verdict.address))

    def test_unused(self):
        """A lease that nobody uses ends by itself (P-DC-12), and a transfer command that comes later is told why."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "198.51.100.1")
        self.clock.advance(60.5)
        self.assertEqual(0, pool.active_leases)
        error = self.assertRaises(DataConnectionFailed, lease.connection, 30)
        self.assertIs(Cause.NEVER_ARRIVED, self.cause(error))
        self.assertIs(lease.failure, error.verdict)

    def test_failure(self):
        """A lease that is given up tells whether somebody should have come by then."""
        for seconds, cause in ((SOON - 0.5, None), (SOON, Cause.NEVER_ARRIVED)):
            for awaited in (False, True):
                pool = self.pool()
                lease = pool.lease(self.HERE, "198.51.100.1")
                waiting = lease.connection(30) if awaited else None
                self.clock.advance(seconds)
                lease.close()
                lease.close()
                self.assertIs(cause, lease.failure and lease.failure.cause)
                if waiting is not None:
                    self.assertIs(Cause.ABORTED, self.failed(waiting).cause)
        lease = pool.lease(self.HERE, "198.51.100.1")
        self.clock.advance(5)
        self.net.arrive(self.HERE, lease.port, "198.51.100.1")
        lease.close()
        self.assertIsNone(lease.failure, "somebody came")

    def test_close(self):
        """Closing gives the port back once (P-DC-3), ends waiting (P-DX-10), and closes an early connection with FIN."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "198.51.100.1")
        lease.close()
        lease.close()
        self.assertEqual(0, pool.active_leases)
        lease = pool.lease(self.HERE, "198.51.100.1")
        waiting = lease.connection(30)
        lease.close()
        self.assertIs(Cause.ABORTED, self.failed(waiting).cause)
        lease = pool.lease(self.HERE, "198.51.100.1")
        connection = self.net.arrive(self.HERE, lease.port, "198.51.100.1")
        transport = connection._transport
        lease.close()
        self.assertTrue(transport.disconnecting)
        self.assertFalse(transport.disconnected)

    def test_cancel(self):
        """Cancelling the wait ends the lease."""
        pool = self.pool()
        waiting = pool.lease(self.HERE, "198.51.100.1").connection(30)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(0, pool.active_leases)

    def test_early_connection_lost(self):
        """An early connection that is gone when the command comes: RESET_EARLY (P-DC-9)."""
        pool = self.pool()
        lease = pool.lease(self.HERE, "198.51.100.1")
        self.net.arrive(self.HERE, lease.port, "198.51.100.1").connectionLost(Failure(ConnectionDone()))
        self.assertIs(Cause.RESET_EARLY, self.cause(self.assertRaises(DataConnectionFailed, lease.connection, 30)))


class PoolTests(PoolCase):
    def test_spread_then_shared(self):
        """New ports up to the warm number, then open ones, shared by clients of other addresses."""
        pool = self.pool(warm=3)
        for number in range(30):
            pool.lease(self.HERE, f"198.51.100.{number}")
        self.assertEqual((3, 3, 30), (pool.open_ports, len(self.net.open), pool.active_leases))

    def test_one_client_many_ports(self):
        """Two leases of one address never share a port: more ports are opened than are kept warm."""
        pool = self.pool(warm=3)
        ports = {pool.lease(self.HERE, "198.51.100.1").port for _ in range(10)}
        self.assertEqual(set(range(50000, 50010)), ports)

    def test_not_predictable(self):
        """Ports are taken in no order (RFC 2577 §8)."""
        orders = set()
        for _ in range(5):
            self.setUp()
            pool = self.pool()
            orders.add(tuple(pool.lease(self.HERE, "198.51.100.1").port for _ in range(10)))
        self.assertGreater(len(orders), 1)

    def test_exhausted_waits(self):
        """All ports held by one client: the next lease waits for one to end, in order (P-SEC-12)."""
        pool = self.pool(high=50001)
        leases = [pool.lease(self.HERE, "198.51.100.1") for _ in range(2)]
        first, second = (pool.lease(self.HERE, "198.51.100.1") for _ in range(2))
        self.assertIsInstance(pool.lease(self.HERE, "198.51.100.2"), Lease)
        leases[1].close()
        self.assertEqual(leases[1].port, self.successResultOf(first).port)
        self.assertNoResult(second)
        self.clock.advance(2.5)
        verdict = self.failed(second)
        self.assertEqual((Cause.POOL_BUSY, 2), (verdict.cause, verdict.ports))
        self.assertEqual((2, 1), (pool.counters.waits, pool.counters.refused))

    def test_arrival_frees_for_waiter(self):
        """A connection that arrives ends its lease's hold on the port."""
        pool = self.pool(high=50000)
        lease = pool.lease(self.HERE, "198.51.100.1")
        waiting = pool.lease(self.HERE, "198.51.100.1")
        first = self.net.arrive(self.HERE, lease.port, "198.51.100.1")
        second_lease = self.successResultOf(waiting)
        second = self.net.arrive(self.HERE, lease.port, "198.51.100.1")
        self.assertIs(first, lease.connection(1))
        self.assertIs(second, second_lease.connection(1))

    def test_waiter_cancelled(self):
        """A client that stops waiting is forgotten."""
        pool = self.pool(high=50000)
        lease = pool.lease(self.HERE, "198.51.100.1")
        waiting = pool.lease(self.HERE, "198.51.100.1")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        lease.close()
        self.assertEqual(0, pool.active_leases)

    def test_taken_ports(self):
        """Ports of others are left out, remembered, tried again later, and logged once."""
        pool = self.pool(high=50003)
        self.net.taken = {50000, 50001, 50002}
        self.assertEqual({50003}, {pool.lease(self.HERE, f"198.51.100.{n}").port for n in range(5)})
        self.assertLessEqual(pool.counters.unbindable, 3)
        self.net.taken = set()
        self.clock.advance(31)
        self.assertEqual({50000, 50001, 50002, 50003}, {pool.lease(self.HERE, f"198.51.100.{n}").port for n in range(6, 90)})

    def test_nothing_can_be_opened(self):
        """No port at all: CANNOT_LISTEN at once."""
        pool = self.pool()
        self.net.taken = set(range(50000, 50010))
        self.assertIs(Cause.CANNOT_LISTEN, self.cause(self.assertRaises(DataConnectionFailed, pool.lease, self.HERE, "198.51.100.1")))
        attempts = self.net.attempts
        self.assertRaises(DataConnectionFailed, pool.lease, self.HERE, "198.51.100.1")
        self.assertEqual(attempts, self.net.attempts)

    def test_not_the_ports_fault(self):
        """An address that is not ours, or no descriptors: one attempt, not the whole range."""
        pool = self.pool(high=60000)
        self.net.taken = set(range(50000, 60001))
        self.net.error = errno.EADDRNOTAVAIL
        self.assertRaises(DataConnectionFailed, pool.lease, self.HERE, "198.51.100.1")
        self.assertEqual(1, self.net.attempts)

    def test_reserved(self):
        """Control ports are not used."""
        pool = self.pool(high=50002, reserved={50000, 50002})
        self.assertEqual({50001}, {pool.lease(self.HERE, f"198.51.100.{n}").port for n in range(9)})

    def test_dynamic(self):
        """0-0: the system chooses; texts name its range."""
        pool = PassivePool(self.clock, DYNAMIC, Deadlines(self.clock), warm=2, range_text="32768-60999", reserved={40001}, listen=self.net.listen)
        leases = [pool.lease(self.HERE, "198.51.100.1") for _ in range(4)]
        self.assertEqual(4, len({lease.port for lease in leases}))
        self.assertNotIn(40001, {lease.port for lease in leases})
        waiting = leases[0].connection(1)
        self.clock.advance(2)
        self.assertEqual("32768-60999", self.failed(waiting).range)

    def test_new_range(self):
        """A new range counts at once; an open port outside it ends with its last lease."""
        pool = self.pool(warm=2)
        idle, busy = pool.lease(self.HERE, "198.51.100.1"), pool.lease(self.HERE, "198.51.100.1")
        idle.close()
        pool.ports = PortRange(51000, 51000)
        self.assertEqual([(self.HERE, busy.port)], list(self.net.open))
        self.assertEqual(51000, pool.lease(self.HERE, "198.51.100.1").port)
        busy.close()
        self.assertEqual([(self.HERE, 51000)], list(self.net.open))

    def test_left_unused_port_is_not_offered_again(self):
        """A port that a client left unused is not told to it again while there is another (connection tracking)."""
        pool = self.pool(high=50001, warm=2)
        for _ in range(20):
            left = pool.lease(self.HERE, "198.51.100.1")
            left.close()
            other = pool.lease(self.HERE, "198.51.100.1")
            self.assertNotEqual(left.port, other.port)
            self.net.arrive(self.HERE, other.port, "198.51.100.1").abort(Cause.CLOSING)
            self.clock.advance(301)

    def test_left_unused_port_comes_last(self):
        """So it is when the port has been closed since, and few others are open: one that is open and free is better (connection tracking)."""
        pool = self.pool(high=50002)
        left = {lease.port for lease in [pool.lease(self.HERE, "198.51.100.1") for _ in range(2)] if lease.close() is None}
        pool.trim()
        for _ in range(10):
            lease = pool.lease(self.HERE, "198.51.100.1")
            self.assertNotIn(lease.port, left)
            self.net.arrive(self.HERE, lease.port, "198.51.100.1").abort(Cause.CLOSING)
        holder = pool.lease(self.HERE, "198.51.100.1")
        self.assertIn(pool.lease(self.HERE, "198.51.100.1").port, left, "better than none")
        self.assertNotIn(holder.port, left)

    def test_trim_and_idle(self):
        """Warm ports are closed on demand, and by themselves after a while without leases."""
        pool = self.pool(warm=5)
        leases = [pool.lease(self.HERE, "198.51.100.1") for _ in range(3)]
        for lease in leases[1:]:
            lease.close()
        pool.trim()
        self.assertEqual([(self.HERE, leases[0].port)], list(self.net.open))
        leases[0].close()
        self.clock.advance(9)
        self.assertEqual(1, pool.open_ports)
        self.clock.advance(2)
        self.assertEqual({}, self.net.open)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_close(self):
        """The end of the pool ends everything, and says when."""
        pool = self.pool(high=50001)
        lease, early = (pool.lease(self.HERE, "198.51.100.1") for _ in range(2))
        waiting = lease.connection(30)
        queued = pool.lease(self.HERE, "198.51.100.1")
        connection = self.net.arrive(self.HERE, early.port, "198.51.100.1")
        granted = self.successResultOf(queued)
        also_queued = pool.lease(self.HERE, "198.51.100.1")
        closed = pool.close()
        self.failed(waiting)
        self.assertIs(Cause.CLOSING, self.failed(also_queued).cause)
        self.assertRaises(DataConnectionFailed, granted.connection, 1)
        self.assertNoResult(closed)
        connection.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closed)
        self.assertEqual({}, self.net.open)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_interfaces_apart(self):
        """Each local address has its own ports."""
        pool = self.pool(high=50000)
        for interface in (self.HERE, "::1"):
            self.assertEqual(50000, pool.lease(interface, "198.51.100.1").port)
        self.assertEqual({(self.HERE, 50000), ("::1", 50000)}, set(self.net.open))


class PoolMachine(RuleBasedStateMachine):
    """Clients, strangers, time and operators at random."""

    LOW, HIGH = 50000, 50004
    clients = st.sampled_from([f"198.51.100.{n}" for n in range(3)])
    interfaces = st.sampled_from(["192.0.2.1", "192.0.2.2"])

    def __init__(self):
        super().__init__()
        self.clock, self.net = Clock(), FakeNet()
        self.pool = PassivePool(
            self.clock, PortRange(self.LOW, self.HIGH), Deadlines(self.clock), warm=2, reserved={self.LOW + 1}, listen=self.net.listen
        )
        self.pool._open._random = Random(0)  # hypothesis repeats what it finds
        self.leases, self.ends, self.connections = [], {}, []
        self.asked = self.given = 0

    def got(self, lease, interface):
        assert (interface, lease.port) in self.net.open
        assert lease.port != self.LOW + 1
        self.given += 1
        self.leases.append((interface, lease))

    @rule(interface=interfaces, client=clients)
    def lease(self, interface, client):
        self.asked += 1
        try:
            lease = self.pool.lease(interface, client)
        except DataConnectionFailed:
            return
        if isinstance(lease, Deferred):
            lease.addCallbacks(self.got, lambda failure: None, callbackArgs=(interface,))
        else:
            self.got(lease, interface)

    @rule(data=st.data(), timeout=st.sampled_from([0.1, 3, 30]))
    def command(self, data, timeout):
        if self.leases:
            _, lease = data.draw(st.sampled_from(self.leases))
            try:
                connection = lease.connection(timeout)
            except DataConnectionFailed:
                return
            if isinstance(connection, Deferred):
                ends = self.ends.setdefault(lease, [])
                connection.addBoth(ends.append)

    @rule(data=st.data())
    def close(self, data):
        if self.leases:
            data.draw(st.sampled_from(self.leases))[1].close()

    @rule(data=st.data(), client=clients)
    def arrive(self, data, client):
        if self.net.open:
            interface, port = data.draw(st.sampled_from(sorted(self.net.open)))
            connection = self.net.arrive(interface, port, client)
            if connection is not None:
                assert connection.peer[0] == client
                self.connections.append(connection)

    @rule(data=st.data())
    def lose(self, data):
        if self.connections:
            connection = self.connections.pop(data.draw(st.integers(0, len(self.connections) - 1)))
            connection.connectionLost(Failure(ConnectionDone()))

    @rule(seconds=st.sampled_from([0.1, 1, 2.5, 11, 35, 61]))
    def advance(self, seconds):
        self.clock.advance(seconds)

    @rule(taken=st.sets(st.integers(LOW, HIGH)))
    def others(self, taken):
        self.net.taken = taken

    @rule(shift=st.integers(0, 3))
    def new_range(self, shift):
        self.pool.ports = PortRange(self.LOW, self.HIGH - shift)

    @rule()
    def trim(self):
        self.pool.trim()

    @invariant()
    def no_port_twice_to_one_proof(self):
        seen = set()
        held = 0
        for (interface, port), listener in self.net.open.items():
            assert self.LOW <= port <= self.HIGH
            for client, lease in listener.leases.items():
                assert lease.client == client and lease.port == port
                assert (interface, port, client) not in seen
                seen.add((interface, port, client))
                held += 1
        assert held == self.pool.active_leases
        assert len(self.net.open) == self.pool.open_ports
        assert len(self.connections) == self.pool.open_connections
        assert all(len(ends) <= 1 for ends in self.ends.values())

    @invariant()
    def counters_add_up(self):
        counters = self.pool.counters
        waiting = sum(map(len, self.pool._waiters.values()))
        assert counters.leased == self.given
        assert self.asked == counters.leased + counters.refused + waiting
        assert counters.opened >= self.pool.open_ports

    def teardown(self):
        self.clock.advance(3)
        for _, lease in self.leases:
            lease.close()
        assert self.pool.active_leases == 0
        assert all(len(ends) == 1 for ends in self.ends.values())
        self.pool.trim()
        assert not self.net.open
        for connection in self.connections:
            connection.connectionLost(Failure(ConnectionDone()))
        self.clock.advance(100)
        assert not self.clock.getDelayedCalls()


class PoolPropertyTests(SynchronousTestCase):
    def test_machine(self):
        """Whatever comes in whatever order: proofs are unique, counts are right, and nothing is left over."""
        run_state_machine_as_test(
            PoolMachine,
            settings=settings(max_examples=80, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)),
        )


class RealPoolTests(TestCase):
    """With real sockets on loopback."""

    timeout = 20

    def setUp(self):
        self.clock = Clock()
        self.pool = PassivePool(reactor, DYNAMIC, Deadlines(self.clock), warm=4)
        self.addCleanup(self.pool.close)

    @inlineCallbacks
    def test_both_orders(self):
        """The client before and after the command, over a shared port (P-DC-5)."""
        for _ in range(8):
            lease = self.pool.lease("127.0.0.1", "127.0.0.1")
            waiting = lease.connection(5)
            client = dial(reactor, lease.port)
            connection = yield waiting
            self.assertIs(None, connection.send(BytesSource(b"after")))
            octets = yield client.fin
            self.assertEqual(b"after", octets)
            lease = self.pool.lease("127.0.0.1", "127.0.0.1")
            client = dial(reactor, lease.port)
            yield client.made
            while lease._connection is None:
                yield turn()
            lease.connection(5).send(BytesSource(b"before"))
            octets = yield client.fin
            self.assertEqual(b"before", octets)

    def test_both_in_one_turn(self):
        """A client that has connected when the command comes is there at once, whether or not the reactor has noticed (P-DC-5)."""
        lease = self.pool.lease("127.0.0.1", "127.0.0.1")
        with socket.create_connection(("127.0.0.1", lease.port), 5) as client:
            connection = lease.connection(5)
            self.assertIsInstance(connection, DataConnection)
            self.assertIs(None, connection.send(BytesSource(b"now")))
            self.assertEqual(b"now", client.recv(10))
            self.assertEqual(b"", client.recv(10))

    def test_strangers_in_one_turn(self):
        """A stranger that has come first does not count as the client, who is still waited for (P-DC-10)."""
        lease = self.pool.lease("127.0.0.1", "127.0.0.1")
        with socket.create_connection(("127.0.0.1", lease.port), 5, ("127.0.0.2", 0)):
            waiting = lease.connection(5)
            self.assertNoResult(waiting)
            lease.close()
            self.assertFailure(waiting, DataConnectionFailed)
        self.assertEqual(1, self.pool.counters.strangers)

    @inlineCallbacks
    def test_address_is_the_proof(self):
        """Clients of several addresses on one port get their own connections (P-DC-10)."""
        pool = PassivePool(reactor, DYNAMIC, Deadlines(self.clock), warm=1)
        self.addCleanup(pool.close)
        addresses = [f"127.0.0.{n}" for n in range(1, 6)]
        leases = [pool.lease("127.0.0.1", address) for address in addresses]
        self.assertEqual(1, len({lease.port for lease in leases}))
        waiting = [lease.connection(5) for lease in leases]
        clients = [dial(reactor, leases[0].port, source=address) for address in addresses]
        for address, connection in zip(addresses, waiting, strict=True):
            connection = yield connection
            self.assertEqual(address, connection.peer[0])
            connection.send(BytesSource(address.encode()))
        for address, client in zip(addresses, clients, strict=True):
            octets = yield client.fin
            self.assertEqual(address.encode(), octets)
            yield client.ended

    @inlineCallbacks
    def test_early_fin_and_reset(self):
        """A client that closed early with FIN is still served, one that reset is RESET_EARLY (P-DC-9)."""
        lease = self.pool.lease("127.0.0.1", "127.0.0.1")
        client = dial(reactor, lease.port)
        yield client.made
        while lease._connection is None:
            yield turn()
        client.transport.loseWriteConnection()
        yield turn()
        lease.connection(5).send(BytesSource(b"x"))
        octets = yield client.fin
        self.assertEqual(b"x", octets)
        lease = self.pool.lease("127.0.0.1", "127.0.0.1")
        client = dial(reactor, lease.port)
        yield client.made
        while lease._connection is None:
            yield turn()
        client.transport.abortConnection()
        yield client.ended
        error = self.assertRaises(DataConnectionFailed, lease.connection, 5)
        self.assertIs(Cause.RESET_EARLY, error.verdict.cause)

    @inlineCallbacks
    def test_no_leak(self):
        """Leases that end in every way leave no descriptor and no delayed call."""

        def descriptors():
            return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0

        yield turn()
        before, calls = descriptors(), len(reactor.getDelayedCalls())
        pool = PassivePool(reactor, DYNAMIC, Deadlines(self.clock), warm=4)
        for number in range(60):
            lease = pool.lease("127.0.0.1", "127.0.0.1")
            how = number % 6
            if how == 0:
                lease.close()
            elif how == 1:
                failed = self.assertFailure(lease.connection(1), DataConnectionFailed)
                self.clock.advance(2)
                yield failed
            elif how == 2:
                self.clock.advance(61)
                self.assertRaises(DataConnectionFailed, lease.connection, 1)
            else:
                waiting = lease.connection(5)
                client = dial(reactor, lease.port)
                connection = yield waiting
                if how == 3:
                    connection.send(BytesSource(b"x" * 1000))
                elif how == 4:
                    connection.abort(Cause.ABORTED)
                else:
                    connection.close()
                yield client.ended
            if how == 3:
                pool.lease("127.0.0.1", "127.0.0.1").connection(5).addErrback(lambda failure: None)
        yield pool.close()
        yield turn()
        self.assertEqual(before, descriptors())
        self.assertEqual(calls, len(reactor.getDelayedCalls()))
        self.assertEqual((0, 0, 0), (pool.open_ports, pool.active_leases, pool.open_connections))

    def test_ipv6(self):
        """IPv6 loopback, where there is one."""
        if not socket.has_ipv6:
            return
        try:
            lease = self.pool.lease("::1", "::1")
        except DataConnectionFailed:
            return
        lease.close()


def turn():
    """One turn of the reactor."""
    turned = Deferred()
    reactor.callLater(0, turned.callback, None)
    return turned
