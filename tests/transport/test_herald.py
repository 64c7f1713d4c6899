"""Tests of ``transport.herald``: in memory, on sockets, and in Twisted's own ``haproxy:`` endpoint."""

from __future__ import annotations

import socket

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.headers import VERSIONS, local_2, version_1
from tests.support.transports import DataClient, dial
from twistftp.policy.proxying import Proxies
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.herald import PATIENCE, Herald
from twistftp.transport.sockets import ControlPort, DataPort, DataServer, DirectServer, listen

CLIENT, SHOWN, BALANCER = "198.51.100.1", "203.0.113.7", "127.0.0.1"


class Guest(Protocol):
    """Whoever gets the connection."""

    def __init__(self):
        self.octets = b""
        self.lost = None
        self.began = Deferred()

    def connectionMade(self):
        self.ends = self.transport.getPeer(), self.transport.getHost()
        self.began.callback(self)

    def dataReceived(self, data):
        self.octets += data

    def connectionLost(self, reason=None):
        self.lost = reason


class Desk:
    """Whoever is told; it turns everybody away with ``is_open = False``."""

    is_open = True

    def __init__(self, clock, is_data=False):
        self.clock, self.is_data = clock, is_data
        self.introductions, self.refusals, self.gone = [], [], []
        self.latest = None
        self.guest = Guest()

    def welcome(self, introduction):
        self.introductions.append(introduction)
        return self.guest if self.is_open else None

    def herald(self):
        proxies, deadlines = Proxies.alone(BALANCER), Deadlines(self.clock)
        self.latest = Herald(deadlines, BALANCER, proxies, self.welcome, self.refusals.append, self.is_data, self.gone.append)
        return self.latest


class RecordingTransport(StringTransport):
    """Tells a reset from a close."""

    is_reset = False

    def abortConnection(self):
        self.is_reset = True


class HeraldCase(SynchronousTestCase):
    def connect(self, is_data=False):
        self.clock = Clock()
        self.desk = Desk(self.clock, is_data)
        self.transport = RecordingTransport(peerAddress=IPv4Address("TCP", BALANCER, 5), hostAddress=IPv4Address("TCP", "127.0.0.9", 21))
        self.herald = self.desk.herald()
        self.herald.makeConnection(self.transport)

    def assert_turned_away(self, why):
        self.assertEqual(([], [why], [self.herald]), (self.desk.introductions, self.desk.refusals, self.desk.gone))
        self.assertEqual([], self.clock.getDelayedCalls())


class MemoryTests(HeraldCase):
    @given(st.sampled_from(VERSIONS), st.lists(st.integers(0, 80), max_size=5))
    def test_octets_behind(self, version, cuts):
        """P-PB-18: cut anywhere, the guest sees the header's ends and exactly the octets behind it."""
        self.connect()
        octets = version(CLIENT) + b"USER x\r\nPASS y\r\n"
        edges = [0, *sorted(cut for cut in cuts if cut < len(octets)), len(octets)]
        for start, stop in zip(edges, edges[1:], strict=False):
            self.herald.dataReceived(octets[start:stop])
        guest = self.desk.guest
        self.assertEqual(b"USER x\r\nPASS y\r\n", guest.octets)
        self.assertEqual((IPv4Address("TCP", CLIENT, 40000), IPv4Address("TCP", SHOWN, 21)), guest.ends)
        (introduction,) = self.desk.introductions
        self.assertEqual((CLIENT, 40000, BALANCER, "127.0.0.9"), (introduction.peer, introduction.port, introduction.via, introduction.own.host))
        self.assertEqual(([], []), (self.desk.refusals, self.clock.getDelayedCalls()))
        self.herald.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(guest.lost.check(ConnectionDone))

    def test_speaks_for_itself(self):
        """A health check is somebody, at the balancer's own address (§2.1 UNKNOWN, §2.2 LOCAL)."""
        for header in (b"PROXY UNKNOWN\r\n", local_2()):
            self.connect()
            self.herald.dataReceived(header)
            (introduction,) = self.desk.introductions
            self.assertEqual((True, BALANCER), (introduction.is_own, introduction.peer))
            self.assertEqual(BALANCER, self.desk.guest.ends[0].host)

    def test_no_header(self):
        """The first wrong octet ends it; nobody hears of what follows."""
        self.connect()
        self.herald.dataReceived(b"USER anonymous\r\n")
        self.herald.dataReceived(b"PASS x\r\n")
        self.assertTrue(self.transport.disconnecting)
        self.assert_turned_away("it does not begin with a PROXY header")

    def test_deadline(self):
        """So does time, for a part of a header too, and no octet extends it."""
        for octets in (b"", b"PROXY TCP4 1"):
            self.connect()
            for octet in octets:
                self.clock.advance(0.1)
                self.herald.dataReceived(bytes([octet]))
            self.clock.advance(PATIENCE - 0.1 * len(octets) - 0.1)
            self.assertFalse(self.transport.disconnecting)
            self.clock.advance(0.6)
            self.assertTrue(self.transport.disconnecting)
            self.assert_turned_away("no PROXY header came within 5 s")

    def test_left(self):
        """A peer that leaves in silence has looked if the port is open; one that leaves within its header is worth a line."""
        self.connect()
        self.herald.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(([], [self.herald]), (self.desk.refusals, self.desk.gone))
        self.connect()
        self.herald.dataReceived(b"PROXY")
        self.herald.connectionLost(Failure(ConnectionDone()))
        self.assert_turned_away("it ended within its PROXY header")

    def test_not_wanted(self):
        """A data connection of nobody is reset (P-DC-4), one of a health check closed."""
        for header, is_reset in ((version_1(CLIENT), True), (local_2(), False)):
            self.connect(is_data=True)
            self.desk.is_open = False
            self.herald.dataReceived(header)
            self.assertEqual((is_reset, not is_reset), (self.transport.is_reset, self.transport.disconnecting))
            self.assertEqual([self.herald], self.desk.gone)

    def test_fault(self):
        """A fault of whoever is told closes the connection and is in the log."""
        self.connect()
        self.patch(self.desk, "welcome", lambda introduction: 1 // 0)
        self.herald = self.desk.herald()
        self.herald.makeConnection(self.transport)
        self.herald.dataReceived(version_1(CLIENT))
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_shut_down(self):
        """The server's stop ends the waiting."""
        self.connect(is_data=True)
        self.herald.shut_down()
        self.herald.shut_down()
        self.assertTrue(self.transport.is_reset)
        self.assertEqual([self.herald], self.desk.gone)


class SocketTests(TestCase):
    """Over real sockets of both kinds."""

    timeout = 10

    def open(self, kind):
        self.desk = Desk(reactor, is_data=kind is DataPort)
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: self.desk.herald()
        port = listen(reactor, 0, factory, BALANCER, kind=kind)
        self.addCleanup(port.stopListening)
        return port.getHost().port

    def dial(self, number):
        skt = socket.create_connection((BALANCER, number))
        skt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(skt.close)
        return skt

    def _end(self, guest):
        lost = Deferred()
        guest.connectionLost = lambda reason: lost.callback(None)
        guest.transport.abortConnection()
        return lost

    @inlineCallbacks
    def test_nothing_is_taken(self):
        """What follows the header is in the kernel still when its reader comes, on both kinds of ports and however it was cut."""
        for kind, transport in ((ControlPort, DirectServer), (DataPort, DataServer)):
            for version in VERSIONS:
                header = version(CLIENT)
                for cut in (0, 1, 14, len(header) - 1):
                    number = self.open(kind)
                    client = self.dial(number)
                    yield self._send_in_two(client, header[:cut], header[cut:] + b"payload")
                    guest = yield self.desk.guest.began
                    self.assertIs(transport, type(guest.transport))
                    self.assertEqual(IPv4Address("TCP", CLIENT, 40000), guest.transport.getPeer())
                    self.assertEqual(IPv4Address("TCP", SHOWN, 21), guest.transport.getHost())
                    self.assertEqual(f"Guest,0,{CLIENT}", guest.transport.logPrefix())
                    self.assertEqual(b"", guest.octets)
                    self.assertEqual(b"payload", guest.transport.socket.recv(100, socket.MSG_PEEK))
                    self.assertNotIn("doRead", vars(guest.transport))
                    yield self._end(guest)

    @inlineCallbacks
    def test_octet_by_octet(self):
        """A header in pieces, and a guest that reads as always."""
        number = self.open(ControlPort)
        client = self.dial(number)
        for octet in VERSIONS[1](CLIENT) + b"NOOP\r\n":
            client.sendall(bytes([octet]))
            yield self._turn()
        guest = yield self.desk.guest.began
        while guest.octets != b"NOOP\r\n":
            yield self._turn()
        yield self._end(guest)

    @inlineCallbacks
    def _send_in_two(self, client, one, other):
        """The second piece goes out when the first has been read."""
        client.sendall(one)
        while one and not (self.desk.latest and self.desk.latest._reader.has_begun):
            yield self._turn()
        client.sendall(other)

    def _turn(self):
        turned = Deferred()
        reactor.callLater(0, turned.callback, None)
        return turned

    @inlineCallbacks
    def test_paused(self):
        """A data connection is handed over as one that was just accepted: it reads nothing until it is told to."""
        number = self.open(DataPort)
        client = self.dial(number)
        yield self._send_in_two(client, b"PROXY ", version_1(CLIENT)[6:] + b"upload")
        guest = yield self.desk.guest.began
        self.assertNotIn(guest.transport, reactor.getReaders())
        guest.transport.resumeProducing()
        while not guest.octets:
            yield self._turn()
        self.assertEqual(b"upload", guest.octets)
        yield self._end(guest)

    @inlineCallbacks
    def test_refused_in_order(self):
        """A control connection without a header ends with FIN, although octets came that nobody wanted; a data connection is reset."""
        for kind, end in ((ControlPort, ConnectionDone), (DataPort, None)):
            number = self.open(kind)
            client = dial(reactor, number, client=DataClient())
            client.closes_on_fin = True
            yield client.made
            client.transport.write(b"USER anonymous\r\n" * 100)
            ended = yield client.ended
            self.assertEqual(end is ConnectionDone, isinstance(ended, ConnectionDone), ended)
            self.assertEqual((b"", ["it does not begin with a PROXY header"]), (bytes(client.octets), self.desk.refusals))
            self.assertNotIsInstance(ended, ConnectionAborted)

    @inlineCallbacks
    def test_half_closed(self):
        """A client that has sent all it will, FIN included, before anybody has read the header is served all the same."""
        number = self.open(ControlPort)
        client = self.dial(number)
        client.sendall(version_1(CLIENT) + b"QUIT\r\n")
        client.shutdown(socket.SHUT_WR)
        guest = yield self.desk.guest.began
        while guest.lost is None:
            yield self._turn()
        self.assertEqual(b"QUIT\r\n", guest.octets)
