"""Tests of the pool behind a load balancer: connections whose client is known from their PROXY header alone."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from tests.support.headers import VERSIONS, local_2, version_1
from tests.transport.test_pool import PoolCase
from twistftp.policy.diagnosis import Cause
from twistftp.policy.matching import ANY, PeerMatch
from twistftp.policy.settings import SiteFirewallSupport
from twistftp.transport.dtp import DataConnection
from twistftp.transport.herald import PATIENCE, Herald

BALANCER, SECOND = "10.0.0.5", "10.0.0.6"
ONE, TWO = "198.51.100.1", "198.51.100.2"


def listed(*networks):
    return SiteFirewallSupport(proxy_from=networks).proxies


OURS = listed(BALANCER)
THEIRS = listed(SECOND)


class Wire(StringTransport):
    is_reset = False

    def abortConnection(self):
        self.is_reset = True


class ProxiedCase(PoolCase):
    def setUp(self):
        super().setUp()
        self.lines = []
        globalLogPublisher.addObserver(self._observe)
        self.addCleanup(globalLogPublisher.removeObserver, self._observe)

    def _observe(self, event):
        if event.get("log_namespace", "").startswith("twistftp.transport.pool"):
            self.lines.append(event["log_format"].format(**event))

    def come(self, port, address=BALANCER, header=b""):
        """A connection from an address, and its first octets: its protocol and its transport."""
        wire = Wire(peerAddress=IPv4Address("TCP", address, 5000))
        return self.reach(self.net.open[self.HERE, port], address, header, wire), wire

    def reach(self, listener, address, header, wire=None):
        """The same for a port that may be closed by now, as one that has been accepted is not."""
        protocol = listener.buildProtocol(IPv4Address("TCP", address, 5000))
        if protocol is not None:
            protocol.makeConnection(wire or Wire())
            if header:
                protocol.dataReceived(header)
        return protocol


class HeaderTests(ProxiedCase):
    def test_each_its_own(self):
        """P-PB-18, P-DC-4: two clients through one balancer on one port, in any order: each header leads to its own lease."""
        for version in VERSIONS:
            pool = self.pool(50000, 50000)
            waiting = {client: pool.lease(self.HERE, client, proxies=OURS).connection(30) for client in (ONE, TWO)}
            heralds = {client: self.come(50000)[0] for client in (TWO, ONE)}
            self.assertNoResult(waiting[ONE])
            for client, herald in heralds.items():
                herald.dataReceived(version(client))
                self.assertEqual((client, 40000), self.successResultOf(waiting[client]).peer)
            self.assertEqual((0, 0), (pool.counters.strangers, pool.active_leases))
            pool.close()
            self.setUp()

    def test_without_balancer(self):
        """A client may come by itself all the same, and one that came by itself may come by the balancer."""
        pool = self.pool(50000, 50000)
        lease = pool.lease(self.HERE, ONE, proxies=OURS)
        connection = self.net.arrive(self.HERE, 50000, ONE)
        self.assertIs(connection, lease.connection(30))

    def test_forged(self):
        """A header from anybody else is not believed: the connection is that of its own address, which nobody expects."""
        pool = self.pool(50000, 50000)
        lease = pool.lease(self.HERE, ONE, proxies=OURS)
        self.assertIs(None, self.come(50000, TWO)[0])
        self.assertEqual(1, pool.counters.strangers)
        result = lease.connection(30)
        self.assertEqual(ONE, self.come(50000, header=version_1(ONE))[0]._heir.peer[0])
        self.successResultOf(result)

    def test_unknown_client(self):
        """A header that names nobody with a lease: reset, counted, and the rightful client still gets its data (P-DC-10)."""
        pool = self.pool(50000, 50000)
        lease = pool.lease(self.HERE, ONE, proxies=OURS)
        _, wire = self.come(50000, header=version_1(TWO))
        self.assertTrue(wire.is_reset)
        self.assertEqual(1, pool.counters.strangers)
        self.assertIn(f"A connection from {TWO} to passive port 50000", self.lines[0])
        self.clock.advance(0)
        result = lease.connection(30)
        self.come(50000, header=version_1(ONE))
        self.successResultOf(result)

    def test_no_header(self):
        """No header, a bad one, none in time: reset, counted, one line; the client is told why (HEADERLESS)."""
        for octets, why in ((b"\x16\x03\x01", "it does not begin with a PROXY header"), (b"", "no PROXY header came within 5 s")):
            self.setUp()
            pool = self.pool(50000, 50000)
            lease = pool.lease(self.HERE, ONE, proxies=OURS)
            result = lease.connection(30)
            _, wire = self.come(50000, header=octets)
            self.assertEqual(0 if octets else 1, pool.open_connections)
            self.clock.advance(PATIENCE + 1)
            self.assertTrue(wire.is_reset)
            self.assertEqual((1, 0), (pool.counters.strangers, pool.open_connections))
            self.assertEqual([f"A connection of the load balancer {BALANCER} to passive port 50000 was closed: {why} (1 such so far)."], self.lines)
            self.clock.advance(30)
            verdict = self.failed(result)
            self.assertEqual((Cause.HEADERLESS, BALANCER, 50000), (verdict.cause, verdict.address, verdict.port))

    def test_many_wait(self):
        """A thousand connections wait for their headers at once, each until its own deadline, and none is in another's way."""
        pool = self.pool(50000, 50000)
        clients = [f"198.51.{number >> 8}.{number & 255}" for number in range(1000)]
        waiting = [pool.lease(self.HERE, client, proxies=OURS).connection(60) for client in clients]
        heralds = [self.come(50000)[0] for _ in clients]
        idle = [self.come(50000)[1] for _ in clients]
        Random(1).shuffle(heralds)
        for client, herald in zip(clients, heralds, strict=True):
            herald.dataReceived(version_1(client))
        self.assertEqual([(client, 40000) for client in clients], [self.successResultOf(one).peer for one in waiting])
        self.assertFalse(any(wire.is_reset for wire in idle))
        self.clock.advance(PATIENCE + 0.5)
        self.assertTrue(all(wire.is_reset for wire in idle))
        self.assertEqual(1000, pool.counters.strangers)

    def test_health_check(self):
        """A balancer that looks if the port is open is neither reset, counted nor written about; nor is one that says nothing at all."""
        pool = self.pool(50000, 50000)
        pool.lease(self.HERE, ONE, proxies=OURS)
        for header in (local_2(), b"PROXY UNKNOWN\r\n"):
            _, wire = self.come(50000, header=header)
            self.assertEqual((True, False), (wire.disconnecting, wire.is_reset))
        herald, _ = self.come(50000)
        herald.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((0, [], 0), (pool.counters.strangers, self.lines, pool.open_connections))

    def test_balancer_as_client(self):
        """A session of the balancer itself has data connections of its own, with headers that say so."""
        pool = self.pool(50000, 50000)
        lease = pool.lease(self.HERE, BALANCER, proxies=OURS)
        self.come(50000, header=local_2())
        self.assertEqual(BALANCER, lease.connection(30).peer[0])

    def test_refused(self):
        """A connection on its way to a transfer that was refused is closed with FIN, through a balancer too (P-DC-17)."""
        pool = self.pool(50000, 50000)
        pool.lease(self.HERE, TWO, proxies=OURS)
        pool.lease(self.HERE, ONE, proxies=OURS).refuse()
        herald, wire = self.come(50000, header=version_1(ONE))
        self.assertIsInstance(herald._heir, DataConnection)
        self.assertFalse(wire.is_reset)
        self.assertEqual(0, pool.counters.strangers)

    def test_after_the_leases(self):
        """When the last lease has ended the balancer's connections still begin with headers."""
        pool = self.pool(50000, 50000)
        pool.lease(self.HERE, ONE, proxies=OURS).refuse()
        self.assertIsInstance(self.come(50000, header=version_1(ONE))[0]._heir, DataConnection)

    def test_network(self):
        """The match rule is about the address of the header (P-DC-10)."""
        pool = self.pool(50000, 50000)
        lease = pool.lease(self.HERE, ONE, PeerMatch(24, 64), OURS)
        self.come(50000, header=version_1("198.51.100.77"))
        self.assertEqual("198.51.100.77", lease.connection(30).peer[0])

    def test_close(self):
        """The pool's end ends those that wait for a header."""
        pool = self.pool(50000, 50000)
        pool.lease(self.HERE, ONE, proxies=OURS)
        _, wire = self.come(50000)
        closed = pool.close()
        self.assertTrue(wire.is_reset)
        self.successResultOf(closed)


class SitesTests(ProxiedCase):
    """Sites with balancers of their own share the ports."""

    def test_whose_balancer(self):
        """A lease believes the balancers of its own site alone."""
        pool = self.pool(50000, 50000)
        pool.lease(self.HERE, TWO, proxies=OURS)
        lease = pool.lease(self.HERE, ONE, proxies=THEIRS)
        _, wire = self.come(50000, BALANCER, version_1(ONE))
        self.assertTrue(wire.is_reset)
        self.assertEqual(1, pool.counters.strangers)
        self.come(50000, SECOND, version_1(ONE))
        self.assertEqual(ONE, lease.connection(30).peer[0])

    def test_not_on_one_port(self):
        """One site's balancer as another site's client: the two never share a port, in whatever order they come."""
        for rules in (("balanced", "direct"), ("direct", "balanced")):
            self.setUp()
            pool = self.pool(50000, 50001, warm=1)  # one port would do, but for this
            makers = {
                "balanced": lambda pool=pool: pool.lease(self.HERE, ONE, proxies=OURS),
                "direct": lambda pool=pool: pool.lease(self.HERE, BALANCER, proxies=THEIRS),
            }
            leases = {rule: makers[rule]() for rule in rules}
            self.assertNotEqual(leases["direct"].port, leases["balanced"].port)
            self.assertIsInstance(self.come(leases["balanced"].port)[0], Herald)
            connection = self.net.arrive(self.HERE, leases["direct"].port, BALANCER)
            self.assertIs(connection, leases["direct"].connection(30))

    def test_they_wait(self):
        """With one port they take turns; so do a lease for anybody and a balancer."""
        for client, match in ((BALANCER, PeerMatch()), ("10.0.0.9", PeerMatch(24, 64)), (TWO, ANY)):
            self.setUp()
            pool = self.pool(50000, 50000)
            first = pool.lease(self.HERE, ONE, proxies=OURS)
            second = pool.lease(self.HERE, client, match)
            self.assertIsInstance(second, Deferred)
            first.close()
            self.successResultOf(second)
            third = pool.lease(self.HERE, ONE, proxies=OURS)
            self.assertNoResult(third)

    def test_of_one_mind(self):
        """Leases of one site, or of sites whose clients and balancers lie apart, share a port."""
        pool = self.pool(50000, 50000)
        for number in range(50):
            pool.lease(self.HERE, f"198.51.100.{number}", proxies=(OURS, THEIRS, listed())[number % 3])
        self.assertEqual(50, pool.active_leases)

    @given(st.data())
    def test_nobody_gets_anothers(self, data):
        """
        Whatever leases two sites hold and whoever comes by whatever way: a connection goes to a lease whose client it proves to come from, by
        its address or by a header of that lease's own balancers, or to none; and the rightful one always gets its own.
        """
        self.setUp()
        pool = self.pool(50000, 50002, warm=1)
        pool._open._random = Random(1)
        addresses = st.sampled_from((ONE, TWO, BALANCER, SECOND))
        leases = []
        for client in data.draw(st.lists(addresses, max_size=8)):
            rule = data.draw(st.sampled_from((OURS, THEIRS, listed())))
            lease = pool.lease(self.HERE, client, proxies=rule)
            if not isinstance(lease, Deferred):
                leases.append(lease)
        for lease in data.draw(st.permutations(leases)):
            listener = lease._listener
            for via, source in data.draw(st.lists(st.tuples(addresses, addresses), max_size=3)):
                before = list(listener.leases.values())
                has_header = isinstance(self.reach(listener, via, version_1(source)), Herald)
                for taken in before:
                    if listener.leases.get(taken.key) is not taken:
                        self.assertEqual((taken.client, True), (source, via in taken.proxies) if has_header else (via, via not in taken.proxies))
            if listener.leases.get(lease.key) is lease:
                via = next((one for one in (BALANCER, SECOND) if one in lease.proxies), lease.client)
                self.reach(listener, via, version_1(lease.client))
                self.assertEqual(lease.client, lease.connection(30).peer[0])
