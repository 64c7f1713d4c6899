"""Tests for ``twistftp.transport.active``."""

from __future__ import annotations

import errno

from twisted.internet import error, reactor
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.support.transports import BytesSource, DataClient
from twistftp.policy.diagnosis import Cause
from twistftp.transport.active import ActivePort
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.interfaces import DataConnectionFailed, IDataPort


class ActivePortTests(SynchronousTestCase):
    """On a reactor in memory."""

    def setUp(self):
        self.reactor = MemoryReactorClock()
        self.port = ActivePort(self.reactor, "192.0.2.7", 5000, "192.0.2.1", Deadlines(self.reactor))

    def fail_with(self, why):
        result = self.port.connection(30)
        host, port, factory, timeout, bind = self.reactor.tcpClients[0]
        factory.clientConnectionFailed(self.reactor.connectors[0], Failure(why))
        return self.failureResultOf(result, DataConnectionFailed).value.verdict

    def test_connects_when_asked(self):
        """No attempt before the transfer command; then from the control connection's address (P-DC-7, P-DC-13)."""
        verifyObject(IDataPort, self.port)
        self.assertEqual([], self.reactor.tcpClients)
        self.port.connection(30)
        host, port, _, timeout, bind = self.reactor.tcpClients[0]
        self.assertEqual(("192.0.2.7", 5000, 30, ("192.0.2.1", 0)), (host, port, timeout, bind))

    def test_refused(self):
        """A refusal is told in plain words."""
        verdict = self.fail_with(error.ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
        self.assertEqual("Cannot connect to 192.0.2.7 port 5000 (connection refused): use passive mode.", verdict.text)

    def test_reasons(self):
        """No reason is a class name or a number."""
        reasons = {
            "timed out": error.TimeoutError(),
            "no route to host": error.NoRouteError(errno.ENETUNREACH),
            "the server's own address cannot be used": error.ConnectBindError(errno.EADDRNOTAVAIL),
            "permission denied": error.ConnectError(errno.EACCES),
            "no connection": error.ConnectError(),
        }
        for words, why in reasons.items():
            self.setUp()
            self.assertEqual(words, self.fail_with(why).reason)

    def test_close_before(self):
        """Closed before it was asked for: nothing is connected any more."""
        self.port.close()
        self.port.close()
        self.assertRaises(DataConnectionFailed, self.port.connection, 30)
        self.assertEqual([], self.reactor.tcpClients)


class RealTests(TestCase):
    timeout = 10

    @inlineCallbacks
    def test_transfer(self):
        """The client listens, the server connects and sends (P-DC-7)."""
        client, closed, clock = DataClient(), [], Clock()
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: client
        listener = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(listener.stopListening)
        number = listener.getHost().port
        port = ActivePort(reactor, "127.0.0.1", number, "127.0.0.1", Deadlines(clock), closed=closed.append)
        connection = yield port.connection(5)
        self.assertEqual(("127.0.0.1", number), connection.peer)
        port.close()
        connection.send(BytesSource(b"listing"))
        octets = yield client.fin
        self.assertEqual(b"listing", octets)
        yield client.ended
        while not closed:
            yield turn()
        self.assertEqual([connection], closed)

    @inlineCallbacks
    def test_refused(self):
        """Nobody listens."""
        listener = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = listener.getHost().port
        yield listener.stopListening()
        port = ActivePort(reactor, "127.0.0.1", number, "127.0.0.1", Deadlines(Clock()))
        failed = yield self.assertFailure(port.connection(5), DataConnectionFailed)
        self.assertEqual("connection refused", failed.verdict.reason)
        self.assertIs(Cause.CONNECT_FAILED, failed.verdict.cause)
        self.assertRaises(DataConnectionFailed, port.connection, 5)

    @inlineCallbacks
    def test_close_while_connecting(self):
        """The attempt is given up at once, whether closed or cancelled (P-DX-10)."""
        port = ActivePort(reactor, "127.0.0.1", 1, "127.0.0.1", Deadlines(Clock()))
        result = port.connection(5)
        port.close()
        failed = yield self.assertFailure(result, DataConnectionFailed)
        self.assertIs(Cause.ABORTED, failed.verdict.cause)
        port = ActivePort(reactor, "127.0.0.1", 1, "127.0.0.1", Deadlines(Clock()))
        result = port.connection(5)
        result.cancel()
        yield self.assertFailure(result, CancelledError)
        yield turn()


def turn():
    """One turn of the reactor."""
    turned = Deferred()
    reactor.callLater(0, turned.callback, None)
    return turned
