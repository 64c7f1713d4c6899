"""Tests of the source port of active connections (P-DC-13)."""

from __future__ import annotations

import errno
import socket

from twisted.internet import error, reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.transports import DataClient
from twistftp.transport.active import ActivePort
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.transport.source import SourcePort


class FallBackTests(SynchronousTestCase):
    def setUp(self):
        self.reactor = MemoryReactorClock()
        self.source = SourcePort()
        self.said = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event):
        if event.get("log_namespace") == "twistftp.transport.source.SourcePort":
            self.said.append(event["log_format"].format(**event))

    def port(self, source_port=20):
        return ActivePort(self.reactor, "192.0.2.7", 5000, "192.0.2.1", Deadlines(self.reactor), source_port=source_port, source=self.source)

    def binds(self):
        return [client[4] for client in self.reactor.tcpClients]

    def fail(self, why):
        self.reactor.tcpClients[-1][2].clientConnectionFailed(self.reactor.connectors[-1], Failure(why))

    def test_port_20(self):
        """P-DC-13: from port 20 of the control connection's address; 0 is any."""
        self.port().connection(30)
        self.port(0).connection(30)
        self.assertEqual([("192.0.2.1", 20), ("192.0.2.1", 0)], self.binds())

    def test_not_permitted(self):
        """P-DC-13: without the right to bind it any port does, from then on at once; the log is told once."""
        result = self.port().connection(30)
        self.fail(error.ConnectBindError(errno.EACCES, "Permission denied"))
        self.assertNoResult(result)
        self.port().connection(30)
        self.assertEqual([20, 0, 0], [bind[1] for bind in self.binds()])
        self.assertEqual(1, len(self.said))
        self.assertTrue(self.said[0].startswith("Active connections cannot come from port 20 (permission denied): any other is used"))

    def test_taken(self):
        """P-DC-13: a port that is taken just now is tried again the next time."""
        for why in (
            error.ConnectBindError(errno.EADDRINUSE, ""),
            error.ConnectError(errno.EADDRNOTAVAIL, ""),
            error.ConnectBindError(errno.EADDRNOTAVAIL, ""),
        ):
            self.port().connection(30)
            self.fail(why)
        self.assertEqual([20, 0] * 3, [bind[1] for bind in self.binds()])
        self.assertEqual(1, len(self.said))

    def test_other_failures(self):
        """What another source port would not cure ends the attempt, and so does the second failure."""
        for whys in (
            [error.ConnectionRefusedError(errno.ECONNREFUSED)],
            [error.ConnectError(errno.EACCES)],
            [error.ConnectBindError(errno.EACCES, "")] * 2,
        ):
            result = self.port().connection(30)
            for why in whys:
                self.fail(why)
            self.failureResultOf(result, DataConnectionFailed)

    def test_closed(self):
        """Nothing is tried again after the client has given up."""
        port = self.port()
        failed = self.failureResultOf
        result = port.connection(30)
        port.close()
        failed(result, DataConnectionFailed)
        self.fail(error.ConnectBindError(errno.EADDRINUSE, ""))
        self.assertEqual(1, len(self.reactor.tcpClients))


class RealTests(TestCase):
    timeout = 10

    def listen(self):
        clients = []
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: clients.append((DataClient(), addr)) or clients[-1][0]
        listener = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(listener.stopListening)
        return listener.getHost().port, clients

    @inlineCallbacks
    def test_shared(self):
        """P-DC-13: several connections at a time come from one port."""
        number, clients = self.listen()
        other, others = self.listen()
        with socket.socket() as skt:
            skt.bind(("127.0.0.1", 0))
            source = skt.getsockname()[1]
        connections = []
        for target in (number, other):
            connection = yield ActivePort(reactor, "127.0.0.1", target, "127.0.0.1", Deadlines(Clock()), source_port=source).connection(5)
            self.assertEqual(source, connection._transport.getHost().port)
            connections.append(connection)
        for connection in connections:
            connection.close()
        for client, _ in (*clients, *others):
            yield client.ended

    @inlineCallbacks
    def test_taken(self):
        """P-DC-13: a port on which another program listens is no hindrance."""
        number, clients = self.listen()
        connection = yield ActivePort(reactor, "127.0.0.1", number, "127.0.0.1", Deadlines(Clock()), source_port=number).connection(5)
        self.assertNotEqual(number, connection._transport.getHost().port)
        connection.close()
        while not clients:
            yield None
        yield clients[0][0].ended
