"""Tests for ``twistftp.transport.sockets`` and ``directio``: real sockets on loopback."""

from __future__ import annotations

import errno
import socket
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import CannotListenError, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.support.running import until
from tests.support.transports import DataClient, dial
from twistftp.transport.directio import CLOSED, DirectIO
from twistftp.transport.output import local_end
from twistftp.transport.sockets import DataPort, DirectPort, acknowledge, connect, listen, tune_control, tune_data, was_reset


@implementer(IHalfCloseableProtocol)
class Server(Protocol):
    """The server's end, half-closeable, that records what it is told."""

    def __init__(self, made):
        self.made = made
        self.told = []
        self.ended = Deferred()

    def connectionMade(self):
        self.made.callback(self)

    def dataReceived(self, data):
        self.told.append(data)

    def readConnectionLost(self):
        self.told.append("their FIN")

    def writeConnectionLost(self):
        self.told.append("our FIN")

    def connectionLost(self, reason):
        self.ended.callback(reason.value)


class SocketTestCase(TestCase):
    """A listening port and a connected pair."""

    timeout = 10

    def open(self, kind=DirectPort, interface="127.0.0.1"):
        self.made = Deferred()
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: Server(self.made)
        port = listen(reactor, 0, factory, interface, kind=kind)
        self.addCleanup(port.stopListening)
        return port

    @inlineCallbacks
    def pair(self, kind=DirectPort, client=None, interface="127.0.0.1"):
        port = self.open(kind, interface)
        client = dial(reactor, port.getHost().port, client=client)
        yield client.made
        server = yield self.made
        self.addCleanup(self.end, client, server)
        return client, server

    @inlineCallbacks
    def end(self, client, server):
        for side in (client, server):
            if not side.ended.called:
                side.transport.abortConnection()
                yield side.ended


class WriteTests(SocketTestCase):
    @inlineCallbacks
    def test_written_at_once(self):
        """A write is with the kernel when it returns: no buffer, no turn of the reactor (P-PB-4)."""
        client, server = yield self.pair()
        server.transport.write(b"227 x\r\n")
        server.transport.writeSequence([b"150", b"\r\n"])
        self.assertEqual(b"227 x\r\n150\r\n", client.transport.socket.recv(100))
        self.assertNotIn(server.transport, reactor.getWriters())

    @inlineCallbacks
    def test_order_is_kept(self):
        """What does not fit waits, what follows waits behind it, and the FIN behind all (P-DX-2)."""
        client, server = yield self.pair()
        client.transport.pauseProducing()
        pieces = [bytes([number]) * 300_000 for number in range(40)]
        for piece in pieces:
            server.transport.write(piece)
        self.assertIn(server.transport, reactor.getWriters())
        self.assertFalse(server.transport.finish())
        client.transport.resumeProducing()
        octets = yield client.fin
        self.assertEqual(b"".join(pieces), octets)
        yield server.ended
        self.assertEqual(["our FIN"], server.told)

    @inlineCallbacks
    def test_loss_is_reported_later(self):
        """A write to a lost connection does not call connectionLost from within."""
        client, server = yield self.pair()
        client.transport.abortConnection()
        yield client.ended
        server.transport.write(b"x")
        server.transport.write(b"y")
        self.assertFalse(server.ended.called)
        reason = yield server.ended
        self.assertIsInstance(reason, ConnectionLost)

    @inlineCallbacks
    def test_pull_producer_is_asked_again(self):
        """A pull producer's write goes through the buffer, so that doWrite asks it for more."""
        client, server = yield self.pair()
        transport = server.transport

        class Producer:
            left = 3

            def resumeProducing(self):
                if self.left:
                    self.left -= 1
                    transport.write(b"x")
                else:
                    transport.unregisterProducer()
                    transport.loseConnection()

            def stopProducing(self):
                pass

        transport.registerProducer(Producer(), False)
        yield client.ended
        self.assertEqual(b"xxx", client.octets)

    @inlineCallbacks
    def test_when_writable(self):
        """The hook comes in a later turn, once, after the buffer, and the socket is not watched for longer than that."""
        client, server = yield self.pair()
        transport = server.transport
        client.transport.pauseProducing()
        transport.write(b"x" * 10_000_000)
        called = Deferred()

        def hook():
            self.assertFalse(transport.dataBuffer or transport._tempDataLen)
            reactor.callLater(0, called.callback, None)

        transport.when_writable(hook)
        self.assertFalse(called.called)
        client.transport.resumeProducing()
        yield called
        self.assertNotIn(transport, reactor.getWriters())


class FinishTests(SocketTestCase):
    @inlineCallbacks
    def test_fin_at_once(self):
        """With nothing in the buffer the FIN is out when finish() returns; the client's FIN is then the end (P-DX-2)."""
        client, server = yield self.pair()
        server.transport.write_more(b"last")
        self.assertTrue(server.transport.finish())
        self.assertTrue(server.transport.finish())
        server.transport.write(b"too late")
        reason = yield server.ended
        self.assertIsInstance(reason, ConnectionDone)
        self.assertEqual(b"last", client.octets)
        self.assertEqual([], server.told)

    @inlineCallbacks
    def test_fin_from_the_hook_on_a_lost_connection(self):
        """The last octets are out, the client resets, and then the FIN fails: the reactor is still to find that out and say so (P-DX-13)."""
        client, server = yield self.pair(DataPort)
        client.transport.abortConnection()
        yield client.ended
        fins = []
        server.transport.when_writable(lambda: fins.append(server.transport.finish()))
        server.transport.doWrite()
        self.assertEqual([False], fins)
        self.assertIsInstance((yield server.ended), ConnectionLost)

    @inlineCallbacks
    def test_early_fin_of_the_peer(self):
        """A client that half-closes at once still gets everything; our FIN is then the end (P-DX-17)."""
        client, server = yield self.pair()
        client.transport.loseWriteConnection()
        while not server.told:
            yield pause()
        server.transport.startReading()  # must not make the reactor spin on the FIN
        self.assertNotIn(server.transport, reactor.getReaders())
        server.transport.write(b"all of it")
        self.assertTrue(server.transport.finish())
        self.assertTrue(server.ended.called)
        octets = yield client.fin
        self.assertEqual(b"all of it", octets)

    @inlineCallbacks
    def test_early_fin_of_the_peer_with_buffer(self):
        """The same with more than the socket takes at once."""
        client, server = yield self.pair()
        client.transport.loseWriteConnection()
        client.transport.pauseProducing()
        while not server.told:
            yield pause()
        server.transport.write(b"x" * 10_000_000)
        self.assertFalse(server.transport.finish())
        client.transport.resumeProducing()
        octets = yield client.fin
        self.assertEqual(10_000_000, len(octets))
        yield server.ended

    @inlineCallbacks
    def test_abort_resets(self):
        """abortConnection() reaches the client as a reset, not as an end of file (P-DX-21)."""
        client, server = yield self.pair()
        server.transport.write(b"part")
        server.transport.abortConnection()
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionLost)
        self.assertFalse(client.fin.called)

    @inlineCallbacks
    def test_queued(self):
        """What the client has not acknowledged is known, so that a slow client does not count as stalled."""
        client, server = yield self.pair()
        client.transport.pauseProducing()
        server.transport.write(b"x" * 20_000_000)
        self.assertGreater(server.transport.queued(), 0)


class PortTests(SocketTestCase):
    def test_taken_port(self):
        """A port in use is CannotListenError, whether bind or listen says so, and leaves no descriptor."""
        port = self.open()
        with self.assertRaises(CannotListenError) as caught:
            listen(reactor, port.getHost().port, Factory(), "127.0.0.1")
        self.assertEqual(errno.EADDRINUSE, caught.exception.socketError.errno)

    def test_stop_is_at_once(self):
        """A port that was stopped can be opened again in the same turn (P-DC-11)."""
        port = self.open()
        number = port.getHost().port
        port.stopListening()
        again = listen(reactor, number, Factory.forProtocol(Protocol), "127.0.0.1")
        self.assertEqual(number, again.getHost().port)
        again.stopListening()

    @inlineCallbacks
    def test_data_port_starts_paused(self):
        """A data connection is not read before the transfer, and has its options by inheritance (P-DC-16)."""
        client, server = yield self.pair(DataPort)
        self.assertNotIn(server.transport, reactor.getReaders())
        skt = server.transport.getHandle()
        self.assertTrue(skt.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        self.assertTrue(skt.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        client.transport.write(b"early")
        server.transport.resumeProducing()
        while not server.told:
            yield pause()
        self.assertEqual([b"early"], server.told)

    @inlineCallbacks
    def test_data_connection_of_one_turn(self):
        """A data connection that ends before the reactor has watched it is closed with FIN, told so once, and leaves no trace (P-DX-2)."""
        client, server = yield self.pair(DataPort)
        transport = server.transport
        transport.write_more(b"all")
        self.assertTrue(transport.finish())
        transport.connectionLost(CLOSED)
        transport.connectionLost(CLOSED)
        self.assertIsInstance(self.successResultOf(server.ended), ConnectionDone)
        self.assertFalse(transport.connected)
        self.assertNotIn(transport, reactor.getReaders() + reactor.getWriters())
        reason = yield client.ended
        self.assertEqual((ConnectionDone, b"all"), (type(reason), client.octets))

    @inlineCallbacks
    def test_refused_is_reset(self):
        """A connection that a data port's factory does not want is reset (P-DC-4)."""
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: None
        port = listen(reactor, 0, factory, "127.0.0.1", kind=DataPort)
        self.addCleanup(port.stopListening)
        with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
            yield pause()
            yield pause()
            self.assertRaises(ConnectionResetError, client.recv, 1)

    @inlineCallbacks
    def test_broken_factory_does_not_stop_it(self):
        """An error in buildProtocol is logged, and the next connection is served."""
        port = self.open()
        good = port.factory.buildProtocol

        def bad(addr):
            port.factory.buildProtocol = good
            raise ValueError("broken")

        port.factory.buildProtocol = bad
        first = dial(reactor, port.getHost().port)
        yield first.ended
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        second = dial(reactor, port.getHost().port)
        server = yield self.made
        yield second.made
        second.transport.abortConnection()
        yield second.ended
        yield server.ended

    @inlineCallbacks
    def test_own_end(self):
        """A port of one address knows the near end of its connections, one of all addresses asks each of them."""
        for interface, is_known in (("127.0.0.1", True), ("0.0.0.0", False)):
            client, server = yield self.pair(interface=interface)
            address, port = client.transport.socket.getpeername()
            self.assertEqual((address, port, 0), local_end(server.transport))
            self.assertEqual(is_known, server.transport.server.end is not None)

    def test_ipv6(self):
        """An IPv6 loopback works where there is one."""
        try:
            port = listen(reactor, 0, Factory(), "::1")
        except CannotListenError:
            return
        self.assertEqual("::1", port.getHost().host)
        port.stopListening()


class OtherTransportTests(TestCase):
    def test_memory_reactor(self):
        """A reactor without descriptors is asked in its own way."""
        memory = MemoryReactorClock()
        listen(memory, 2121, Factory(), "127.0.0.1")
        connect(memory, "192.0.2.7", 5000, ClientFactory(), 30, "192.0.2.1")
        self.assertEqual(2121, memory.tcpServers[0][0])
        self.assertEqual(("192.0.2.1", 0), memory.tcpClients[0][4])

    def test_tuning_needs_no_socket(self):
        """Transports without a socket are left alone."""
        tune_control(StringTransport())
        tune_data(StringTransport())
        self.assertFalse(was_reset(StringTransport()))
        acknowledge(StringTransport())


class TuneTests(SocketTestCase):
    async def test_acknowledge(self):
        """What has come is acknowledged at once, and octets go on as before, also when the connection is gone."""
        if not hasattr(socket, "TCP_QUICKACK"):
            self.skipTest("only Linux has that")
        client, server = await self.pair()
        client.transport.getHandle().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        client.transport.write(b"one")
        await until(lambda: server.told == [b"one"], "the first octets")
        skt = server.transport.getHandle()
        skt.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        acknowledge(server.transport)
        self.assertEqual(1, skt.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK))
        client.transport.write(b"two")
        await until(lambda: b"".join(server.told) == b"onetwo", "the second ones")
        client.transport.abortConnection()
        await server.ended
        acknowledge(server.transport)

    @inlineCallbacks
    def test_control(self):
        """A control connection has no Nagle, keep-alive, and urgent octets in line (P-TEL-8)."""
        client, server = yield self.pair()
        tune_control(server.transport)
        skt = server.transport.getHandle()
        for level, option in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            (socket.SOL_SOCKET, socket.SO_OOBINLINE),
        ):
            self.assertTrue(skt.getsockopt(level, option))
        client.transport.socket.send(b"ABOR\r\n", socket.MSG_OOB)
        while b"".join(server.told) != b"ABOR\r\n":
            yield pause()

    @inlineCallbacks
    def test_replies_stay_apart(self):
        """P-PB-4, P-PB-5: while the network takes no more the kernel holds replies, and makes no segment of several."""
        if sys.platform != "linux":
            self.skipTest("only Linux can be told")
        client, server = yield self.pair()
        tune_control(server.transport)
        before = segments_out(server.transport.socket)
        for _ in range(200):  # more than the first congestion window
            server.transport.write(b"200 OK.\r\n")
        while len(client.octets) < 1800:
            yield pause()
        self.assertEqual(200, segments_out(server.transport.socket) - before)

    @inlineCallbacks
    def test_connect_gives_direct_transport(self):
        """connect() makes the same kind of transport, bound to the address that it is told (P-DC-13)."""
        port = self.open()
        client = DataClient()
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: client
        factory.startedConnecting = factory.clientConnectionLost = lambda *args: None
        connect(reactor, "127.0.0.1", port.getHost().port, factory, 5, "127.0.0.1")
        server = yield self.made
        yield client.made
        self.assertIsInstance(client.transport, DirectIO)
        client.transport.write(b"hello")
        client.transport.finish()
        while server.told != [b"hello", "their FIN"]:
            yield pause()
        server.transport.finish()
        yield client.ended


def segments_out(skt: socket.socket) -> int:
    """How many segments with octets the kernel has sent (``tcpi_data_segs_out``)."""
    return int.from_bytes(skt.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)[156:160], sys.byteorder)


def pause():
    """One turn of the reactor."""
    turned = Deferred()
    reactor.callLater(0, turned.callback, None)
    return turned
