"""Tests for ``twistftp.transport.dtp`` and ``sending``."""

from __future__ import annotations

import os
import socket

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, inlineCallbacks, maybeDeferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.support.transports import BytesSource, DataClient, LocalFile, MemoryFile, dial, shrink_buffers
from tests.transport.test_sockets import pause
from twistftp.policy.diagnosis import Cause
from twistftp.transport import sending
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.dtp import DataConnection
from twistftp.transport.interfaces import DataConnectionFailed, IDataConnection, ShortFile
from twistftp.transport.sockets import DataPort, listen


def until(condition):
    """Fire when ``condition()`` holds, looked at once a turn."""
    result = Deferred()

    def look():
        if condition():
            result.callback(None)
        else:
            reactor.callLater(0, look)

    look()
    return result


class DataCase(TestCase):
    """A client and a ``DataConnection`` over loopback; deadlines on a clock of their own."""

    timeout = 10

    def setUp(self):
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self.closed = []

    def tearDown(self):
        self.assertEqual([], self.clock.getDelayedCalls())

    def listen(self, factory):
        return listen(reactor, 0, factory, "127.0.0.1", kind=DataPort)

    @inlineCallbacks
    def pair(self, client=None, stall_timeout=300.0):
        made = Deferred()
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: DataConnection((addr.host, addr.port), self.deadlines, made.callback, self.closed.append)
        port = self.listen(factory)
        self.addCleanup(port.stopListening)
        client = dial(reactor, port.getHost().port, client=client)
        yield client.made
        connection = yield made
        connection.stall_timeout = stall_timeout
        self.addCleanup(self.end, client, connection)
        return client, connection

    @inlineCallbacks
    def end(self, client, connection):
        if not client.ended.called:
            client.transport.abortConnection()
            yield client.ended
        yield until(lambda: connection in self.closed)
        self.assertEqual(1, self.closed.count(connection))

    def file(self, octets):
        file = LocalFile(self.mktemp(), octets)
        self.addCleanup(file.close)
        return file

    def verdict(self, cause):
        """An errback/exception check."""

        def check(failure):
            error = getattr(failure, "value", failure)
            self.assertIsInstance(error, DataConnectionFailed)
            self.assertIs(cause, error.verdict.cause)
            return error.verdict

        return check


class SendFileTests(DataCase):
    @inlineCallbacks
    def test_small_at_once(self):
        """A small file and its FIN are with the kernel when send_file returns (P-DX-1, P-DX-2)."""
        client, connection = yield self.pair()
        verifyObject(IDataConnection, connection)
        self.assertIs(None, connection.send_file(self.file(b"0123456789"), 2, 5))
        self.assertEqual(5, connection.octets)
        octets = yield client.fin
        self.assertEqual(b"23456", octets)

    @inlineCallbacks
    def test_empty(self):
        """No octets, only a FIN."""
        client, connection = yield self.pair()
        self.assertIs(None, connection.send_file(self.file(b""), 0, 0))
        octets = yield client.fin
        self.assertEqual(b"", octets)

    @inlineCallbacks
    def test_big(self):
        """A big file arrives whole, from an offset, and then 226 may go (P-DX-1)."""
        content = os.urandom(1 << 20) * 12
        client, connection = yield self.pair()
        yield connection.send_file(self.file(content), 1000, len(content) - 1000)
        octets = yield client.fin
        self.assertEqual(content[1000:], octets)
        self.assertEqual(len(content) - 1000, connection.octets)

    @inlineCallbacks
    def test_without_descriptor(self):
        """A file of somebody's backend is read in pieces, deferred or not."""
        content = os.urandom(900_000)

        class Slow(MemoryFile):
            def read_at(self, offset, count):
                data = super().read_at(offset, count)
                return succeed(data) if offset else data

        client, connection = yield self.pair()
        file = Slow(content)
        yield connection.send_file(file, 0, len(content))
        octets = yield client.fin
        self.assertEqual(content, octets)
        self.assertLessEqual(max(count for _, count in file.reads), 1 << 18)

    @inlineCallbacks
    def test_small_and_slow(self):
        """A small file that comes later, whole or cut into pieces, is read once and sent then."""

        class Slow(MemoryFile):
            def read_at(self, offset, count):
                later = Deferred()
                reactor.callLater(0, later.callback, super().read_at(offset, min(count, 600)))
                return later

        for content, reads in ((b"x" * 600, [(0, 600)]), (b"x" * 1000, [(0, 600), (600, 400)])):
            file = Slow(content)
            client, connection = yield self.pair()
            yield connection.send_file(file, 0, len(content))
            octets = yield client.fin
            self.assertEqual((content, reads), (octets, file.reads))
            self.assertEqual(len(content), connection.octets)

    @inlineCallbacks
    def test_small_and_broken(self):
        """A small file that cannot be read: the error as it is, at once or later, and a reset for the client (P-DX-7)."""
        for outcome in (lambda error: fail(error), lambda error: maybeDeferred(lambda: pause().addCallback(lambda _: fail(error)))):
            file = MemoryFile(b"x" * 10)
            file.read_at = lambda offset, count, outcome=outcome: outcome(ValueError("bad sector"))
            client, connection = yield self.pair()
            yield self.assertFailure(maybeDeferred(connection.send_file, file, 0, 10), ValueError)
            reason = yield client.ended
            self.assertIsInstance(reason, ConnectionLost)

    @inlineCallbacks
    def small_to_a_busy_client(self):
        """A file that is sent in one piece and finds the socket's buffers too small for it."""
        client, connection = yield self.pair()
        client.transport.pauseProducing()
        shrink_buffers(connection._transport.getHandle())
        client.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        content = os.urandom(1 << 16)
        sent = connection.send_file(self.file(content), 0, len(content))
        self.assertNoResult(sent)
        return client, connection, content, sent

    @inlineCallbacks
    def test_small_but_too_much(self):
        """What the kernel does not take at once goes out later, the FIN behind it, and only then is it sent (P-DX-1)."""
        client, _, content, sent = yield self.small_to_a_busy_client()
        client.transport.resumeProducing()
        yield sent
        octets = yield client.fin
        self.assertEqual(content, octets)

    @inlineCallbacks
    def test_small_is_aborted(self):
        """ABOR while the rest of a small file waits for the client: a reset (P-DX-9)."""
        client, connection, _, sent = yield self.small_to_a_busy_client()
        connection.abort(Cause.ABORTED)
        yield sent.addErrback(self.verdict(Cause.ABORTED))
        client.transport.resumeProducing()
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionLost)

    @inlineCallbacks
    def test_sendfile_does_not_apply(self):
        """On a file system without sendfile the rest is read and written."""
        content = os.urandom(500_000)
        file = self.file(content)
        os.close(file.descriptor)
        reading, writing = os.pipe()  # sendfile from a pipe fails with EINVAL or ESPIPE
        self.addCleanup(os.close, writing)
        file.descriptor = reading
        client, connection = yield self.pair()
        yield connection.send_file(file, 0, len(content))
        octets = yield client.fin
        self.assertEqual(content, octets)

    @inlineCallbacks
    def test_cold_file(self):
        """A block that is not in memory is read ahead, and nothing is sent meanwhile."""
        self.patch(sending, "BLOCK", 1 << 20)
        content = os.urandom(3 << 20)
        file = self.file(content)
        file.cold = {0, 1 << 20}
        client, connection = yield self.pair()
        sent = connection.send_file(file, 0, len(content))
        self.assertEqual([(0, 1 << 20)], [block[:2] for block in file.warming])
        self.assertEqual(0, connection.octets)
        file.warming[0][2].callback(None)
        yield until(lambda: len(file.warming) == 2)
        self.assertEqual(1 << 20, connection.octets)
        self.assertEqual((1 << 20, 1 << 20), file.warming[1][:2])
        file.warming[1][2].callback(None)
        yield sent
        octets = yield client.fin
        self.assertEqual(content, octets)

    @inlineCallbacks
    def test_warm_fails(self):
        """A disk that fails while reading ahead: reset, and the same error (P-DX-7)."""
        file = self.file(b"x" * 100_000)
        file.cold = {0}
        client, connection = yield self.pair()
        sent = connection.send_file(file, 0, 100_000)
        error = ValueError("bad sector")
        file.warming[0][2].errback(error)
        caught = yield self.assertFailure(sent, ValueError)
        self.assertIs(error, caught)
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionLost)

    @inlineCallbacks
    def test_abort_while_warming(self):
        """ABOR while a thread reads ahead: the late answer is ignored (P-DX-9)."""
        file = self.file(b"x" * 100_000)
        file.cold = {0}
        client, connection = yield self.pair()
        sent = connection.send_file(file, 0, 100_000)
        connection.abort(Cause.ABORTED)
        connection.abort(Cause.CLOSING)
        yield sent.addErrback(self.verdict(Cause.ABORTED))
        file.warming[0][2].callback(None)
        yield client.ended

    @inlineCallbacks
    def test_loss_while_warming(self):
        """The client resets while a thread reads ahead: LOST, and the late answer is ignored (P-DX-4)."""
        file = self.file(b"x" * 100_000)
        file.cold = {0}
        client, connection = yield self.pair()
        sent = connection.send_file(file, 0, 100_000)
        client.transport.abortConnection()
        yield sent.addErrback(self.verdict(Cause.LOST))
        file.warming[0][2].callback(None)

    @inlineCallbacks
    def test_file_cut_short(self):
        """A file that ends early: the client sees a reset, never a short whole (P-DX-21)."""
        for size in (100, 3 << 20):
            client, connection = yield self.pair()
            file = self.file(b"x" * size)
            try:
                yield connection.send_file(file, 0, size + 10)
            except ShortFile:
                pass
            else:
                self.fail("sent whole")
            reason = yield client.ended
            self.assertIsInstance(reason, ConnectionLost)
            self.assertFalse(client.fin.called)

    @inlineCallbacks
    def test_lost(self):
        """The client resets in the midst: LOST with the octets that were moved (P-DX-4)."""
        file = self.file(b"x" * (30 << 20))
        client, connection = yield self.pair()
        client.transport.pauseProducing()
        sent = connection.send_file(file, 0, 30 << 20)
        yield pause()
        client.transport.abortConnection()
        verdict = yield sent.addErrback(self.verdict(Cause.LOST))
        self.assertEqual(connection.octets, verdict.octets)
        self.assertGreater(verdict.octets, 0)

    @inlineCallbacks
    def test_lost_before(self):
        """A connection that the client reset before the send is LOST too, in whatever way that comes out."""
        file = self.file(b"x" * 200_000)
        client, connection = yield self.pair()
        client.transport.abortConnection()
        yield client.ended
        try:
            yield connection.send_file(file, 0, 200_000)
        except DataConnectionFailed as error:
            self.verdict(Cause.LOST)(error)
        else:
            self.fail("sent")

    @inlineCallbacks
    def test_shared_descriptor(self):
        """The file is still open after the send: it belongs to its owner."""
        client, connection = yield self.pair()
        file = self.file(b"x" * 100_000)
        yield connection.send_file(file, 0, 100_000)
        os.fstat(file.descriptor)


class SendTests(DataCase):
    @inlineCallbacks
    def test_pieces(self):
        """Octets, deferred octets, the end."""
        client, connection = yield self.pair()
        later = Deferred()
        sent = connection.send(BytesSource(b"one ", later, succeed(b"three ")))
        yield pause()
        self.assertEqual(4, connection.octets)
        later.callback(b"two ")
        yield sent
        octets = yield client.fin
        self.assertEqual(b"one two three ", octets)

    @inlineCallbacks
    def test_many_deferred_pieces(self):
        """A thousand Deferreds that have fired already do not recurse."""
        client, connection = yield self.pair()
        yield connection.send(BytesSource(*[succeed(b"x") for _ in range(1000)]))
        octets = yield client.fin
        self.assertEqual(b"x" * 1000, octets)

    @inlineCallbacks
    def test_backpressure(self):
        """A source is read only as fast as the client takes it, and the reactor gets its turn."""
        client, connection = yield self.pair()
        client.transport.pauseProducing()
        source = BytesSource(*[b"x" * 65536 for _ in range(2000)])
        sent = connection.send(source)
        self.assertGreater(len(source.pieces), 1900)
        for _ in range(200):
            yield pause()
        self.assertGreater(len(source.pieces), 500)
        client.transport.resumeProducing()
        yield sent
        octets = yield client.fin
        self.assertEqual(2000 * 65536, len(octets))

    @inlineCallbacks
    def test_source_fails(self):
        """Whatever a source raises comes out as it is, at once or later, and the client sees a reset (P-DX-7)."""
        for pieces in ([ValueError("broken")], [b"x" * 10, ValueError("broken")]):
            client, connection = yield self.pair()
            error = yield self.assertFailure(maybeDeferred(connection.send, BytesSource(*pieces)), ValueError)
            self.assertEqual("broken", str(error))
            yield self.end(client, connection)
        later = Deferred()
        client, connection = yield self.pair()
        sent = connection.send(BytesSource(b"x", later))
        later.errback(ValueError("broken"))
        yield self.assertFailure(sent, ValueError)
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionLost)

    @inlineCallbacks
    def test_cancel(self):
        """Cancelling a send aborts the connection."""
        client, connection = yield self.pair()
        sent = connection.send(BytesSource(Deferred()))
        sent.cancel()
        try:
            yield sent
        except (CancelledError, DataConnectionFailed):
            pass
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionLost)

    @inlineCallbacks
    def test_loss_while_reading(self):
        """The client resets while the source thinks: LOST once; what it says later goes nowhere."""
        for late in (lambda later: later.callback(b"late"), lambda later: later.errback(ValueError())):
            later = Deferred()
            client, connection = yield self.pair()
            sent = connection.send(BytesSource(later))
            client.transport.abortConnection()
            yield sent.addErrback(self.verdict(Cause.LOST))
            late(later)
            yield self.end(client, connection)
            connection.abort(Cause.ABORTED)

    @inlineCallbacks
    def test_client_octets_are_discarded(self):
        """What a client sends on a download is read and thrown away, and does not turn the end into a reset (P-DX-16)."""
        client, connection = yield self.pair()
        client.transport.write(b"?" * 300_000)
        content = b"x" * 3_000_000
        sent = connection.send(BytesSource(content))
        if sent is not None:
            yield sent
        octets = yield client.fin
        self.assertEqual(content, octets)
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionDone)

    @inlineCallbacks
    def test_half_closed_client(self):
        """A client that shuts its side down at once gets everything (P-DX-17)."""
        client, connection = yield self.pair()
        client.transport.loseWriteConnection()
        yield pause()
        content = b"x" * 20_000_000
        yield connection.send(BytesSource(content))
        octets = yield client.fin
        self.assertEqual(content, octets)
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionDone)

    @inlineCallbacks
    def test_used_twice(self):
        """One transfer a connection."""
        client, connection = yield self.pair()
        sent = connection.send(BytesSource(b"x"))
        self.assertRaises(DataConnectionFailed, connection.send, BytesSource(b"y"))
        yield sent


class SupervisionTests(DataCase):
    @inlineCallbacks
    def test_stall(self):
        """No octet moved for the stall time: reset and STALLED (P-DX-6, P-TIME-6)."""
        client, connection = yield self.pair(stall_timeout=40)
        shrink_buffers(connection._transport.getHandle())
        client.transport.pauseProducing()
        sent = connection.send(BytesSource(b"x" * 20_000_000))
        for _ in range(5):
            yield pause()
        self.clock.pump([9.5] * 4)
        self.assertFalse(sent.called)
        self.clock.pump([10] * 3)
        verdict = yield sent.addErrback(self.verdict(Cause.STALLED))
        self.assertEqual(40, verdict.seconds)
        client.transport.resumeProducing()
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionLost)

    @inlineCallbacks
    def test_slow_is_not_stalled(self):
        """A client that takes octets from the kernel's buffer is not stalled, though the sender is handed none."""
        client, connection = yield self.pair(stall_timeout=40)
        client.transport.pauseProducing()
        sent = connection.send(BytesSource(b"x" * 20_000_000))
        for _ in range(5):
            yield pause()
        queued = connection._transport.queued()
        for step in range(8):
            self.clock.pump([10])
            before = queued
            while queued == before:  # the client takes a little
                try:
                    client.transport.socket.recv(65536)
                except BlockingIOError:
                    pass
                yield pause()
                queued = connection._transport.queued()
        self.assertFalse(sent.called)
        connection.abort(Cause.ABORTED)
        yield sent.addErrback(self.verdict(Cause.ABORTED))

    @inlineCallbacks
    def test_lingers_for_the_clients_fin(self):
        """After the send it waits up to 5 s for the client, then closes without a reset (P-DX-2, P-TIME-7)."""
        client = DataClient()
        client.closes_on_fin = False
        client, connection = yield self.pair(client)
        self.assertIs(None, connection.send(BytesSource(b"x")))
        yield client.fin
        connection.abort(Cause.CLOSING)  # too late to do harm
        self.clock.advance(4.9)
        self.assertEqual([], self.closed)
        self.clock.advance(0.6)
        self.assertEqual([connection], self.closed)
        client.transport.loseConnection()
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionDone)

    @inlineCallbacks
    def test_unused_closes_with_fin(self):
        """An unused connection, even with octets of the client unread, is closed with FIN (P-DC-17)."""
        client, connection = yield self.pair()
        client.transport.write(b"early upload")
        yield pause()
        connection.close()
        connection.close()
        octets = yield client.fin
        self.assertEqual(b"", octets)
        reason = yield client.ended
        self.assertIsInstance(reason, ConnectionDone)

    @inlineCallbacks
    def test_abort_unused(self):
        """Aborted before its transfer: the transfer fails with the cause."""
        client, connection = yield self.pair()
        connection.abort(Cause.CLOSING)
        self.verdict(Cause.CLOSING)(self.assertRaises(DataConnectionFailed, connection.send, BytesSource()))
        yield client.ended

    @inlineCallbacks
    def test_is_lost(self):
        """A reset of an unused connection is seen when it is asked for; a FIN is none (P-DC-9)."""
        client, connection = yield self.pair()
        self.assertFalse(connection.is_lost)
        client.transport.loseWriteConnection()
        yield pause()
        self.assertFalse(connection.is_lost)
        client.transport.abortConnection()
        yield client.ended
        self.assertTrue(connection.is_lost)

    @inlineCallbacks
    def test_shut_down(self):
        """The end of the server does not wait for clients: CLOSING for a send, a plain close for one that lingers."""
        client = DataClient()
        client.closes_on_fin = False
        client, connection = yield self.pair(client)
        connection.send(BytesSource(b"x"))
        connection.shut_down()
        self.assertEqual([connection], self.closed)
        client.transport.loseConnection()
        yield client.ended
        client, connection = yield self.pair()
        sent = connection.send(BytesSource(Deferred()))
        connection.shut_down()
        yield sent.addErrback(self.verdict(Cause.CLOSING))


class PlainTcpTests(SendTests):
    """The same over the reactor's own transport."""

    def listen(self, factory):
        return reactor.listenTCP(0, factory, interface="127.0.0.1")


class PlainTcpFileTests(DataCase):
    listen = PlainTcpTests.listen

    @inlineCallbacks
    def test_file(self):
        """A file over a transport without sendfile is read and written."""
        content = os.urandom(1 << 20)
        client, connection = yield self.pair()
        yield connection.send_file(self.file(content), 0, len(content))
        octets = yield client.fin
        self.assertEqual(content, octets)

    @inlineCallbacks
    def test_lingers(self):
        """Five seconds there, too (P-TIME-7)."""
        client = DataClient()
        client.closes_on_fin = False
        client, connection = yield self.pair(client)
        yield connection.send(BytesSource(b"x"))
        yield client.fin
        self.clock.advance(5.5)
        self.assertEqual([connection], self.closed)
        client.transport.loseConnection()
        yield client.ended


class MemoryTests(SynchronousTestCase):
    """Over transports that are no sockets."""

    def setUp(self):
        self.clock = Clock()
        self.closed = []
        self.connection = DataConnection(("192.0.2.7", 5000), Deadlines(self.clock), closed=self.closed.append)

    def test_string_transport(self):
        """Asked for more as the transport's buffer empties; complete with the close."""
        transport = StringTransport()
        self.connection.makeConnection(transport)
        self.assertEqual("paused", transport.producerState)
        sent = self.connection.send(BytesSource(b"one", b"two"))
        self.assertEqual("producing", transport.producerState)
        for _ in range(3):
            transport.producer.resumeProducing()
        self.assertEqual(b"onetwo", transport.value())
        self.assertIs(None, self.successResultOf(sent))
        self.assertTrue(transport.disconnecting)
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([self.connection], self.closed)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_iosim(self):
        """A send over iosim, with a pending read that a producer's second call does not repeat."""
        transport = FakeTransport(self.connection, True)
        self.connection.makeConnection(transport)
        later = Deferred()
        sent = self.connection.send(BytesSource(b"one", later))
        self.assertEqual(b"one", transport.getOutBuffer())
        transport._checkProducer()
        transport._checkProducer()
        later.callback(b"two")
        self.assertEqual(b"two", transport.getOutBuffer())
        transport._checkProducer()
        self.assertIs(None, self.successResultOf(sent))
        self.connection.connectionLost(Failure(ConnectionDone()))

    def test_never_closing_peer_is_hung_up_on(self):
        """Where there is no half-close the connection is aborted after 5 s (P-TW-4)."""
        transport = StringTransport()
        self.connection.makeConnection(transport)
        self.connection.send(BytesSource(b"one"))
        transport.producer.resumeProducing()
        transport.producer.resumeProducing()
        self.clock.advance(5.5)
        self.assertTrue(transport.disconnected)
        self.connection.connectionLost(Failure(ConnectionDone()))

    def test_stall_counts_deferred_reads(self):
        """A backend that says nothing for the stall time is a stall as well (P-DX-6)."""
        transport = StringTransport()
        self.connection.makeConnection(transport)
        sent = self.connection.send(BytesSource(Deferred()))
        self.clock.pump([75] * 5)
        error = self.failureResultOf(sent, DataConnectionFailed).value
        self.assertIs(Cause.STALLED, error.verdict.cause)
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([self.connection], self.closed)


class FileSourceTests(SynchronousTestCase):
    def test_chunks(self):
        """Chunks of 256 KiB at most, then the end."""
        source = sending.FileSource(MemoryFile(b"x" * 600_000), 1, 500_000)
        sizes = []
        while data := source.read():
            sizes.append(len(data))
        self.assertEqual([1 << 18, 500_000 - (1 << 18)], sizes)

    def test_short(self):
        """The end of the file before the count is an error, deferred or not."""
        self.assertRaises(ShortFile, sending.FileSource(MemoryFile(b""), 0, 1).read)

        class Slow(MemoryFile):
            def read_at(self, offset, count):
                return succeed(b"")

        self.failureResultOf(sending.FileSource(Slow(b""), 0, 1).read(), ShortFile)


class SegmentTests(DataCase):
    @inlineCallbacks
    def test_large_source_piece_after_small(self):
        """Octets held back for a fuller segment go out before later ones."""
        client, connection = yield self.pair()
        yield connection.send(BytesSource(b"a", b"b" * 5_000_000, b"c")) or succeed(None)
        octets = yield client.fin
        self.assertEqual(b"a" + b"b" * 5_000_000 + b"c", octets)
