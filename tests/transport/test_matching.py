"""Tests of the pool's match rules (P-DC-10): a lease by address, by network, or anybody's."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from tests.transport.test_pool import PoolCase
from twistftp.policy.diagnosis import Cause
from twistftp.policy.matching import ANY, EXACT, PeerMatch

NEAR = PeerMatch(24, 64)
ONE, NEIGHBOUR, FAR = "198.51.100.1", "198.51.100.200", "203.0.113.9"


class MatchTests(PoolCase):
    def test_network(self):
        """P-DC-10: with a prefix the connection may come from the client's network, and from nowhere else."""
        pool = self.pool()
        waiting = pool.lease(self.HERE, ONE, NEAR)
        result = waiting.connection(30)
        self.assertIs(None, self.net.arrive(self.HERE, waiting.port, FAR))
        connection = self.net.arrive(self.HERE, waiting.port, NEIGHBOUR)
        self.assertIs(connection, self.successResultOf(result))
        self.assertIs(None, self.net.arrive(self.HERE, waiting.port, ONE))

    def test_off(self):
        """P-DC-10: without a rule anybody's connection is taken, once."""
        pool = self.pool()
        lease = pool.lease(self.HERE, ONE, ANY)
        result = lease.connection(30)
        connection = self.net.arrive(self.HERE, lease.port, FAR)
        self.assertIs(connection, self.successResultOf(result))

    def test_no_guessing(self):
        """Two leases that one address could fit never share a port: the second goes to another, or waits."""
        for first, second, client in (
            (NEAR, NEAR, NEIGHBOUR),
            (NEAR, EXACT, NEIGHBOUR),
            (EXACT, NEAR, NEIGHBOUR),
            (ANY, EXACT, FAR),
            (EXACT, ANY, FAR),
        ):
            self.setUp()
            pool = self.pool(50000, 50001)
            one, two = pool.lease(self.HERE, ONE, first), pool.lease(self.HERE, client, second)
            self.assertNotEqual(one.port, two.port)
            third = pool.lease(self.HERE, client, second) if second is not EXACT else pool.lease(self.HERE, ONE, ANY)
            self.assertIsInstance(third, Deferred)
            one.close()
            self.assertEqual(one.port, self.successResultOf(third).port)

    def test_apart(self):
        """Clients of different networks still share a port."""
        pool = self.pool(50000, 50000)
        leases = [pool.lease(self.HERE, client, NEAR) for client in (ONE, FAR)]
        connections = [self.net.arrive(self.HERE, 50000, client) for client in ("203.0.113.7", NEIGHBOUR)]
        self.assertEqual(connections[::-1], [lease.connection(30) for lease in leases])

    def test_waiting(self):
        """A waiting client gets the place that a neighbour leaves; else it is told that the pool is busy."""
        pool = self.pool(50000, 50000)
        one = pool.lease(self.HERE, ONE, NEAR)
        waiting = pool.lease(self.HERE, NEIGHBOUR, NEAR)
        self.net.arrive(self.HERE, 50000, ONE)
        two = self.successResultOf(waiting)
        third = pool.lease(self.HERE, ONE, ANY)
        self.clock.advance(2.1)
        self.assertIs(Cause.POOL_BUSY, self.failed(third).cause)
        one.close(), two.close()
        self.assertEqual(0, pool.active_leases)

    def test_several_waiters(self):
        """One end may let several in: when anybody's lease is gone there is room for each address."""
        pool = self.pool(50000, 50000)
        anybody = pool.lease(self.HERE, ONE, ANY)
        waiting = [pool.lease(self.HERE, client) for client in (ONE, NEIGHBOUR, FAR)]
        anybody.close()
        self.assertEqual([50000] * 3, [self.successResultOf(one).port for one in waiting])

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([EXACT, NEAR, PeerMatch(28, 64), ANY]),
                st.sampled_from([ONE, "198.51.100.2", NEIGHBOUR, FAR, "203.0.113.10"]),
                st.integers(0, 3),
            ),
            max_size=30,
        )
    )
    def test_never_two(self, steps):
        """Whatever is leased and ended in whatever order: of the leases on a port no two fit one address."""
        self.setUp()
        pool = self.pool(50000, 50002, warm=1)
        leases = []
        for match, client, what in steps:
            if what or not leases:
                lease = pool.lease(self.HERE, client, match)
                if isinstance(lease, Deferred):
                    lease.addCallbacks(leases.append, lambda failure: None)
                else:
                    leases.append(lease)
            else:
                leases.pop(0).close()
            for listener in pool._open:
                held = list(listener.leases.values())
                for number, one in enumerate(held):
                    self.assertFalse(any(one.match.overlaps(one.client, other.match, other.client) for other in held[:number]))
                self.assertEqual(sum(not one.match.is_exact for one in held), listener._wide)
        pool.close()
        self.assertEqual((0, 0), (pool.active_leases, pool.open_ports))
