"""Tests of ``transport.throttle``, and of the floor that ``dtp`` holds a client to."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.transports import BytesSource, DataClient, MemoryFile, shrink_buffers
from tests.transport.test_dtp import DataCase, until
from tests.transport.test_receiving import FileSink, MemorySink
from twistftp.policy.bandwidth import Bucket
from twistftp.policy.diagnosis import Cause
from twistftp.policy.settings import Limits
from twistftp.transport.interfaces import ShortFile
from twistftp.transport.throttle import Pace, PacedSource, Throttle


class SourceTests(SynchronousTestCase):
    """Octets that come a slice at a time."""

    def setUp(self) -> None:
        self.clock = Clock()

    def paced(self, rate: int, *pieces: Any) -> PacedSource:
        return PacedSource(BytesSource(*pieces), Pace(self.clock, (Bucket(rate, 0.0),)))

    def drain(self, source: PacedSource) -> tuple[bytes, float, int]:
        """Everything the source gives, when the last of it came, and in how many pieces."""
        found, pieces = b"", 0
        while True:
            data = source.read()
            while isinstance(data, Deferred):
                if data.called:
                    data = self.successResultOf(data)
                else:
                    (call,) = self.clock.getDelayedCalls()
                    self.clock.advance(call.getTime() - self.clock.seconds())
            if not data:
                return found, self.clock.seconds(), pieces
            found += data
            pieces += 1

    def test_rate(self) -> None:
        """A thousand octets at a hundred a second take ten seconds, but for the first tenth, in the order in which they came."""
        content = bytes(range(250)) * 4
        found, seconds, pieces = self.drain(self.paced(100, content[:600], content[600:]))
        self.assertEqual(content, found)
        self.assertLess(abs(seconds - 9.9), 0.3)
        self.assertGreaterEqual(pieces, 50)

    def test_source_that_waits(self) -> None:
        """A source of Deferreds, and one that ends at once."""
        found, _, _ = self.drain(self.paced(10**6, succeed(b"ab"), b"c", succeed(b"")))
        self.assertEqual((b"abc", b""), (found, self.paced(5).read()))

    def test_source_that_fails(self) -> None:
        """A fault of the source is its reader's business."""
        self.assertRaises(ShortFile, self.paced(10, ShortFile()).read)

    def test_shared(self) -> None:
        """Two connections that share a bucket have its rate together, and both get on."""
        bucket = Bucket(1000, 0.0)
        sources = [PacedSource(BytesSource(b"x" * 100_000), Pace(self.clock, (Bucket(900, 0.0), bucket))) for _ in range(2)]
        moved = [0, 0]

        def pump(number: int, data: Any = b"") -> None:
            moved[number] += len(data)
            while not isinstance(data := sources[number].read(), Deferred):
                moved[number] += len(data)
            data.addCallback(lambda octets: pump(number, octets))

        pump(0)
        pump(1)
        for _ in range(1000):
            self.clock.advance(0.01)
        self.assertLess(abs(sum(moved) - 10_000), 600)
        self.assertGreater(min(moved), 2000)


class ThrottleTests(SynchronousTestCase):
    """A site's limits."""

    def test_none(self) -> None:
        """Without limits there is nothing to apply."""
        throttle = Throttle(Clock(), Limits())
        self.assertEqual((False, None), (throttle.is_needed, throttle.pace()))
        self.assertTrue(Throttle(Clock(), Limits(min_bytes_per_second=5)).is_needed)

    def test_change(self) -> None:
        """New limits hold: the site's for connections that share it at once, a connection's own for the next."""
        clock = Clock()
        throttle = Throttle(clock, Limits(max_site_bytes_per_second=1000))
        first = throttle.pace()
        assert first is not None
        self.assertEqual(100, first.allowed())
        first.took(100)
        throttle.change(Limits(max_site_bytes_per_second=100_000, max_bytes_per_second=10))
        clock.advance(1)
        second = throttle.pace()
        assert second is not None
        self.assertEqual((20_000, 1), (first.allowed(), second.allowed()))
        throttle.change(Limits())
        self.assertEqual((False, None), (throttle.is_needed, throttle.pace()))


class PacedConnectionTests(DataCase):
    """Real sockets; the pace on a clock that the test moves."""

    @inlineCallbacks
    def moved(self, connection: Any, client: DataClient, octets: int) -> Any:
        """The client has got so many, and no more are under way."""
        yield until(lambda: len(client.octets) == octets)
        self.assertEqual(octets, connection.octets)

    @inlineCallbacks
    def test_sendfile(self) -> Any:
        """A big file goes a slice at a time, by sendfile; then 226 may go."""
        client, connection = yield self.pair()
        content = bytes(range(256)) * 1024
        pace_clock = Clock()
        connection.set_rates(Pace(pace_clock, (Bucket(1_000_000, 0.0),)), 0)
        result = connection.send_file(self.file(content), 0, len(content))
        yield self.moved(connection, client, 100_000)
        pace_clock.advance(0.1)
        yield self.moved(connection, client, 200_000)
        pace_clock.advance(0.1)
        yield result
        yield until(lambda: bytes(client.octets) == content)
        self.assertEqual([], pace_clock.getDelayedCalls())

    @inlineCallbacks
    def test_other_sources(self) -> Any:
        """What sendfile cannot send goes a slice at a time, too."""
        client, connection = yield self.pair()
        pace_clock = Clock()
        connection.set_rates(Pace(pace_clock, (Bucket(10_000, 0.0),)), 0)
        result = connection.send_file(MemoryFile(b"x" * 2500), 0, 2500)
        yield self.moved(connection, client, 1000)
        pace_clock.advance(0.1)
        yield self.moved(connection, client, 2000)
        pace_clock.advance(0.1)
        yield result
        self.assertEqual([], pace_clock.getDelayedCalls())

    @inlineCallbacks
    def test_abort(self) -> Any:
        """A transfer that is ended between two slices leaves no timer."""
        client, connection = yield self.pair()
        pace_clock = Clock()
        connection.set_rates(Pace(pace_clock, (Bucket(1000, 0.0),)), 0)
        result = connection.send_file(self.file(b"x" * 100_000), 0, 100_000)
        yield self.moved(connection, client, 100)
        connection.abort(Cause.ABORTED)
        self.verdict(Cause.ABORTED)(self.failureResultOf(result))
        self.assertEqual([], pace_clock.getDelayedCalls())


class PacedUploadTests(DataCase):
    """Uploads: the client is read no faster."""

    @inlineCallbacks
    def upload(self, sink: Any, size: int) -> Any:
        """An upload that waits after its first octets, with its clock and its result."""
        client, connection = yield self.pair()
        pace_clock = Clock()
        connection.set_rates(Pace(pace_clock, (Bucket(100_000, 0.0),)), 0)
        result = connection.receive(sink)
        client.transport.write(b"x" * size)
        client.transport.loseWriteConnection()
        yield until(pace_clock.getDelayedCalls)
        self.assertNoResult(result)
        return connection, pace_clock, result

    @inlineCallbacks
    def test_pieces(self) -> Any:
        """Into a sink that takes pieces, and through a pipe: at the rate, until all is there; and no timer is left."""
        for sink in (MemorySink(), FileSink(self.mktemp())):
            connection, pace_clock, result = yield self.upload(sink, 2_000_000)
            waits = 0
            while not result.called:
                before = connection.octets
                pace_clock.advance(60)
                waits += 1
                yield until(lambda connection=connection, before=before, result=result: result.called or connection.octets > before)
            yield result
            connection.close()
            if isinstance(sink, FileSink):
                sink.close()
            self.assertEqual(b"x" * 2_000_000, bytes(sink.content))
            self.assertGreater(waits, 1)
            self.assertEqual([], pace_clock.getDelayedCalls())

    @inlineCallbacks
    def test_abort(self) -> Any:
        """An upload that is ended while it waits leaves no timer, and no pipe."""
        for sink in (MemorySink(), FileSink(self.mktemp())):
            connection, pace_clock, result = yield self.upload(sink, 2_000_000)
            connection.abort(Cause.ABORTED)
            self.verdict(Cause.ABORTED)(self.failureResultOf(result))
            self.assertEqual([], pace_clock.getDelayedCalls())


class FloorTests(DataCase):
    """Clients that take too little."""

    @inlineCallbacks
    def test_too_slow(self) -> Any:
        """One that takes some octets in each minute, but too few, is ended with the rate that was wanted; time-outs for silence do not see it."""
        client = DataClient()
        client, connection = yield self.pair(client)
        shrink_buffers(connection._transport.socket)
        pace_clock = Clock()
        connection.set_rates(Pace(pace_clock, (Bucket(100, 0.0),)), 1000)
        result = connection.send_file(self.file(b"x" * 1_000_000), 0, 1_000_000)
        for second in range(59):
            pace_clock.advance(1)
            self.clock.advance(1)
            yield until(lambda wanted=10 * second + 10: len(client.octets) >= wanted)
        self.assertNoResult(result)
        self.clock.advance(2)
        verdict = self.verdict(Cause.TOO_SLOW)(self.failureResultOf(result))
        self.assertEqual((1000, 60.0), (verdict.rate, verdict.seconds))
        self.assertIn("slower than 1000 bytes a second over 60 s", verdict.text)

    @inlineCallbacks
    def test_fast_enough(self) -> Any:
        """One that takes enough goes on."""
        client, connection = yield self.pair()
        pace_clock = Clock()
        connection.set_rates(Pace(pace_clock, (Bucket(1000, 0.0),)), 50)
        result = connection.send_file(self.file(b"x" * 200_000), 0, 200_000)
        for _ in range(3):
            for _ in range(70):
                pace_clock.advance(1)
                before = len(client.octets)
                yield until(lambda before=before: len(client.octets) > before)
                self.clock.advance(1)
        self.assertNoResult(result)
        connection.abort(Cause.ABORTED)
        self.failureResultOf(result)


