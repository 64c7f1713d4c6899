"""Tests for ``twistftp.transport.receiving`` and the receiving side of ``dtp``."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.transport.test_dtp import DataCase, until
from twistftp.policy.diagnosis import Cause
from twistftp.transport import receiving
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.dtp import DataConnection
from twistftp.transport.interfaces import DataConnectionFailed, ISink


@implementer(ISink)
class MemorySink:
    """An ``ISink`` that keeps everything; ``results`` are given one after the other: a Deferred, or an exception to raise."""

    takes_pipes = False

    def __init__(self, *results):
        self.content = bytearray()
        self.results = list(results)

    def write(self, data):
        result = self.results.pop(0) if self.results else None
        if isinstance(result, Exception):
            raise result
        self.content += data
        return result

    def take(self, pipe, count):
        raise AssertionError("it takes no pipes")


class FileSink(MemorySink):
    """One that has a file, and counts what came through a pipe."""

    takes_pipes = True

    def __init__(self, path, *results):
        super().__init__(*results)
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        self.piped = 0
        self.largest = 0

    def write(self, data):
        os.write(self.descriptor, data)

    def take(self, pipe, count):
        self.piped += count
        self.largest = max(self.largest, count)
        result = self.results.pop(0) if self.results else None
        if isinstance(result, Exception):
            raise result
        if result is not None:
            return result.addCallback(lambda _: self.move(pipe, count))
        return self.move(pipe, count)

    def move(self, pipe, count):
        while count:
            count -= os.splice(pipe, self.descriptor, count)

    def close(self):
        with open(self.path, "rb") as file:
            self.content = file.read()
        os.close(self.descriptor)


def pipes():
    """How many ends of pipes this process has (Linux); elsewhere 0."""
    count = 0
    for number in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(OSError):  # the listing's own
            count += os.readlink(f"/proc/self/fd/{number}").startswith("pipe:")
    return count


def reset(client):
    """The client's end sends RST."""
    client.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.transport.abortConnection()


class ReceiveTests(DataCase):
    """Over a ``DirectIO`` transport."""

    @inlineCallbacks
    def test_small(self):
        """P-DX-3: everything up to the FIN; our FIN goes when the connection is closed, not before."""
        client, connection = yield self.pair()
        sink = MemorySink()
        verifyObject(ISink, sink)
        received = connection.receive(sink)
        client.transport.write(b"hello")
        client.transport.loseWriteConnection()
        yield received
        self.assertEqual((b"hello", 5), (bytes(sink.content), connection.octets))
        self.assertFalse(client.fin.called)
        connection.close()
        self.assertEqual(b"", (yield client.fin))
        self.assertIsInstance((yield client.ended), ConnectionDone)

    @inlineCallbacks
    def test_empty(self):
        """P-STOR-1: no octets are an empty file."""
        client, connection = yield self.pair()
        received = connection.receive(MemorySink())
        client.transport.loseWriteConnection()
        yield received
        self.assertEqual(0, connection.octets)
        connection.close()

    @inlineCallbacks
    def test_early(self):
        """P-DC-9: a client that has sent and closed before the command loses nothing."""
        client, connection = yield self.pair()
        client.transport.write(b"early")
        client.transport.loseWriteConnection()
        yield until(lambda: not client.transport.dataBuffer)
        sink = MemorySink()
        yield connection.receive(sink)
        self.assertEqual(b"early", bytes(sink.content))
        connection.close()

    @inlineCallbacks
    def upload(self, sink, content):
        client, connection = yield self.pair()
        received = connection.receive(sink)
        client.transport.write(content)
        client.transport.loseWriteConnection()
        yield received
        connection.close()
        yield client.ended
        return connection

    @inlineCallbacks
    def test_large(self):
        """The octets of a large upload come to the file through a pipe, which is then closed, in large pieces."""
        content = os.urandom(1 << 20) * 20
        yield deferLater(reactor, 0)  # a reactor that has not run yet lacks its waker for child processes
        before = pipes()
        sink = FileSink(self.mktemp())
        yield self.upload(sink, content)
        sink.close()
        self.assertTrue(sink.content == content)
        if receiving.HAS_SPLICE:
            self.assertGreater(sink.piped, len(content) // 2)
        self.assertEqual(before, pipes())

    @inlineCallbacks
    def test_without_pipes(self):
        """It is the same for a sink that takes none, and where there are no pipes to be had."""
        content = os.urandom(1 << 20) * 4
        sink = MemorySink()
        connection = yield self.upload(sink, content)
        self.assertTrue(bytes(sink.content) == content)
        self.assertEqual(len(content), connection.octets)

        def refuse(*_):
            raise OSError(24, "Too many open files")

        if receiving.HAS_SPLICE:
            for owner, name in ((os, "pipe2"), (receiving.fcntl, "fcntl")):
                patch = self.patch(owner, name, refuse)
                sink = FileSink(self.mktemp())
                yield self.upload(sink, content)
                patch.restore()
                sink.close()
                self.assertTrue(sink.content == content)
                self.assertEqual(0, sink.piped)

    @inlineCallbacks
    def test_slow_sink(self):
        """P-SEC-10: while the sink is at work nothing more is read, and the client is held up by TCP."""
        client, connection = yield self.pair()
        storing = Deferred()
        sink = MemorySink(storing)
        received = connection.receive(sink)
        client.transport.write(b"x" * (16 << 20))
        client.transport.loseWriteConnection()
        yield until(lambda: sink.content)
        first = len(sink.content)
        for _ in range(50):
            yield deferLater(reactor, 0)
        self.assertEqual(first, len(sink.content))
        self.assertLessEqual(first, receiving.BLOCK)
        storing.callback(None)
        yield received
        self.assertEqual(16 << 20, len(sink.content))
        connection.close()

    @inlineCallbacks
    def test_slow_pipe(self):
        """A pipe stays open until the sink is done with it, whatever becomes of the connection."""
        if not receiving.HAS_SPLICE:
            return
        yield deferLater(reactor, 0)  # a reactor that has not run yet lacks its waker for child processes
        before = pipes()
        client, connection = yield self.pair()
        storing = Deferred()
        sink = FileSink(self.mktemp(), storing)
        received = connection.receive(sink)
        client.transport.write(b"x" * (8 << 20))
        yield until(lambda: sink.piped)
        connection.abort(Cause.ABORTED)
        self.verdict(Cause.ABORTED)((yield self.assertFailure(received, DataConnectionFailed)))
        storing.callback(None)  # splices, which needs the pipe
        sink.close()
        self.assertGreater(len(sink.content), 0)
        yield client.ended
        yield until(lambda: pipes() == before)

    @inlineCallbacks
    def test_reset(self):
        """P-DX-5, P-DX-21: RST is LOST, never an end, with octets before it or without."""
        for octets in (b"", b"x" * 1000):
            client, connection = yield self.pair()
            sink = MemorySink()
            received = connection.receive(sink)
            client.transport.write(octets)
            yield until(lambda: len(sink.content) == len(octets))  # noqa: B023
            reset(client)
            error = yield self.assertFailure(received, DataConnectionFailed)
            self.assertEqual(len(octets), self.verdict(Cause.LOST)(error).octets)

    @inlineCallbacks
    def test_reset_while_storing(self):
        """P-DX-5: so too when nobody reads at that moment."""
        client, connection = yield self.pair()
        storing = Deferred()
        sink = MemorySink(storing)
        received = connection.receive(sink)
        client.transport.write(b"x")
        yield until(lambda: sink.content)
        reset(client)
        yield client.ended
        storing.callback(None)
        self.verdict(Cause.LOST)((yield self.assertFailure(received, DataConnectionFailed)))

    @inlineCallbacks
    def test_sink_fails(self):
        """P-DX-8: the sink's error is the Deferred's, at once or later, and the connection is reset."""
        for how in ("raise", "fail"):
            client, connection = yield self.pair()
            storing = Deferred()
            sink = MemorySink(KeyError("full") if how == "raise" else storing)
            received = connection.receive(sink)
            client.transport.write(b"x")
            if how == "fail":
                yield until(lambda: sink.content)  # noqa: B023
                storing.errback(KeyError("full"))
            yield self.assertFailure(received, KeyError)
            self.assertIsInstance((yield client.ended), ConnectionLost)

    @inlineCallbacks
    def test_stalled(self):
        """P-DX-6: no octet for the stall time is STALLED; each one counts, and while the sink is at work it is not the client who is slow."""
        client, connection = yield self.pair(stall_timeout=100)
        storing = Deferred()
        sink = MemorySink(None, storing)
        received = connection.receive(sink)
        for octet in (b"a", b"b"):
            client.transport.write(octet)
            yield until(lambda: octet in sink.content)  # noqa: B023
            self.clock.pump([10] * 8)
        self.clock.pump([10] * 30)
        self.assertNoResult(received)
        storing.callback(None)
        self.clock.pump([10] * 15)
        error = yield self.assertFailure(received, DataConnectionFailed)
        self.assertEqual(2, self.verdict(Cause.STALLED)(error).octets)

    @inlineCallbacks
    def test_abort(self):
        """P-DX-9: aborted and cancelled uploads fail so; one that is complete cannot be aborted any more."""
        for end in (lambda connection, received: connection.abort(Cause.ABORTED), lambda connection, received: received.cancel()):
            client, connection = yield self.pair()
            received = connection.receive(MemorySink())
            end(connection, received)
            error = yield self.assertFailure(received, DataConnectionFailed, CancelledError)
            self.verdict(Cause.ABORTED)(error)
        client, connection = yield self.pair()
        received = connection.receive(MemorySink())
        client.transport.loseWriteConnection()
        yield received
        connection.abort(Cause.ABORTED)
        connection.close()
        self.assertIsInstance((yield client.ended), ConnectionDone)

    @inlineCallbacks
    def test_shut_down(self):
        """P-DX-15: the server stops between the client's end and ours."""
        client, connection = yield self.pair()
        received = connection.receive(MemorySink())
        client.transport.loseWriteConnection()
        yield received
        connection.shut_down()
        yield client.ended

    @inlineCallbacks
    def test_once(self):
        """A connection is for one transfer."""
        client, connection = yield self.pair()
        connection.close()
        yield client.ended
        self.assertRaises(DataConnectionFailed, connection.receive, MemorySink())

    @inlineCallbacks
    def test_fast_then_slow(self):
        """What trickles in behind a fast beginning is not left lying in the kernel."""
        client, connection = yield self.pair()
        sink = FileSink(self.mktemp())
        received = connection.receive(sink)
        client.transport.write(b"x" * (16 << 20))
        yield until(lambda: connection.octets == 16 << 20)
        client.transport.write(b"y")
        yield until(lambda: connection.octets == (16 << 20) + 1)
        client.transport.loseWriteConnection()
        yield received
        connection.close()
        sink.close()


class StockTransportTests(ReceiveTests):
    """Over Twisted's own TCP transport."""

    def listen(self, factory):
        return reactor.listenTCP(0, factory, interface="127.0.0.1")

    @inlineCallbacks
    def test_large(self):
        """Large ones too, without pipes."""
        content = os.urandom(1 << 20) * 8
        sink = MemorySink()
        yield self.upload(sink, content)
        self.assertTrue(bytes(sink.content) == content)

    def test_slow_pipe(self):
        """There are none."""
        self.assertFalse(issubclass(receiving.PushReceiver, receiving.DirectReceiver))


class PushTests(SynchronousTestCase):
    """A transport that cannot be closed by halves, as under TLS: its clean end is ``connectionLost(ConnectionDone)``."""

    def setUp(self):
        self.clock = Clock()
        self.closed = []
        self.connection = DataConnection(("192.0.2.9", 1), Deadlines(self.clock), closed=self.closed.append)
        self.transport = StringTransport()
        self.connection.makeConnection(self.transport)

    def tearDown(self):
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_clean_end(self):
        """P-TD-4, P-TW-5: close_notify is the end of the file."""
        sink = MemorySink()
        received = self.connection.receive(sink)
        self.connection.dataReceived(b"abc")
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.assertIs(None, self.successResultOf(received))
        self.assertEqual(b"abc", bytes(sink.content))
        self.assertEqual([self.connection], self.closed)
        self.connection.close()
        self.connection.abort(Cause.CLOSING)

    def test_truncated(self):
        """P-TD-5, P-TW-5: any other end may have cut octets off."""
        received = self.connection.receive(MemorySink())
        self.connection.dataReceived(b"abc")
        self.connection.connectionLost(Failure(ConnectionLost()))
        error = self.failureResultOf(received, DataConnectionFailed).value
        self.assertEqual((Cause.LOST, 3), (error.verdict.cause, error.verdict.octets))

    def test_more_than_asked_for(self):
        """What comes although it was asked to pause is stored in order, and the end waits for the last of it."""
        first, second = Deferred(), Deferred()
        sink = MemorySink(first, second)
        received = self.connection.receive(sink)
        self.connection.dataReceived(b"a")
        self.assertEqual("paused", self.transport.producerState)
        self.connection.dataReceived(b"b")
        self.connection.dataReceived(b"c")
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.assertNoResult(received)
        first.callback(None)
        self.assertEqual(b"ab", bytes(sink.content))
        self.assertNoResult(received)
        second.callback(None)
        self.assertEqual(b"abc", bytes(sink.content))
        self.successResultOf(received)

    def test_fails_behind_the_end(self):
        """P-DX-8: the disk is full when the connection is gone already."""
        storing = Deferred()
        received = self.connection.receive(MemorySink(storing))
        self.connection.dataReceived(b"a")
        self.connection.connectionLost(Failure(ConnectionDone()))
        storing.errback(KeyError("full"))
        self.failureResultOf(received, KeyError)

    def test_truncated_while_storing(self):
        """P-DX-21: LOST at once; what the sink does later changes nothing."""
        storing = Deferred()
        received = self.connection.receive(MemorySink(storing))
        self.connection.dataReceived(b"a")
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(received, DataConnectionFailed)
        storing.callback(None)
