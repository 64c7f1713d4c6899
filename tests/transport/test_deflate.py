"""Tests of ``transport.deflate``: streams both ways, whatever the pieces; and what is done to a server with them."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import TurningClock
from tests.support.transports import BytesSource
from twistftp.storage.failures import DiskFull
from twistftp.transport import deflate
from twistftp.transport.deflate import BEST, BLOCK, FREE, PIECE, RATIO, SILENT, BadStream, Bomb, DeflatedSource, InflatedSink, Mill
from twistftp.transport.interfaces import ShortFile

TEXT = b"".join(b"-rw-r--r--   1 ftp      ftp      %9d Jan  5 2024 file%d\r\n" % (number * 997, number) for number in range(20_000))


class MemorySink:
    """An ``ISink`` with ``finish``. With ``is_slow`` it takes each piece when ``go_on`` says so."""

    takes_pipes = True

    def __init__(self, is_slow: bool = False, failing: Exception | None = None) -> None:
        self.pieces: list[bytes] = []
        self.is_finished = False
        self.waiting: list[Deferred[None]] = []
        self._is_slow, self._failing = is_slow, failing

    def write(self, data: bytes) -> Deferred[None] | None:
        if self._failing is not None:
            raise self._failing
        self.pieces.append(data)
        if not self._is_slow:
            return None
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def finish(self) -> None:
        self.is_finished = True

    def go_on(self) -> None:
        """Take the piece at hand."""
        self.waiting.pop().callback(None)

    @property
    def octets(self) -> bytes:
        return b"".join(self.pieces)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurningClock()
        self.mill = Mill(lambda call: self.clock.callLater(0, call))
        self.patch(deflate, "BUDGET", 1e-9)  # one piece of work a turn

    def turns(self, count: int = 1) -> None:
        """The reactor gets its turn."""
        for _ in range(count):
            self.clock.advance(0)


class SourceTests(Case):
    """What is sent."""

    def read(self, source: DeflatedSource) -> bytes:
        data = source.read()
        if not isinstance(data, Deferred):
            return data
        found: list[bytes] = []
        data.addCallback(found.append)
        while not found:
            self.turns()
        return found[0]

    def drain(self, *pieces: Any, level: int = BEST) -> bytes:
        source, found = DeflatedSource(BytesSource(*pieces), level, self.mill), b""
        while data := self.read(source):
            found += data
        self.assertEqual(b"", source.read(), "the end is final")
        return found

    @given(st.lists(st.tuples(st.binary(min_size=1, max_size=5000), st.integers(1, 40), st.booleans()), max_size=6), st.integers(0, BEST))
    def test_round_trip(self, pieces: list[tuple[bytes, int, bool]], level: int) -> None:
        """P-MODEZ-1: any octets in any pieces, at once or later, are one whole zlib stream."""
        given_ = [piece * times for piece, times, _ in pieces]
        stream = self.drain(*(succeed(data) if is_late else data for data, (_, _, is_late) in zip(given_, pieces, strict=True)), level=level)
        inflater = zlib.decompressobj()
        self.assertEqual(b"".join(given_), inflater.decompress(stream))
        self.assertEqual((True, b""), (inflater.eof, inflater.unused_data))

    def test_small(self) -> None:
        """P-MODEZ-1: a listing gets as small as zlib makes it, within a few per cent; an empty one is a stream of eight octets."""
        self.assertLess(len(self.drain(TEXT)), 1.05 * len(zlib.compress(TEXT, BEST)))
        self.assertEqual(zlib.compress(b""), self.drain())

    def test_work_is_bounded(self) -> None:
        """P-SEC-18: one call looks at a few pieces at most, also at octets of which nothing is left; and it holds on to no more than it was given."""

        class Counting:
            octets = 0

            def read(self) -> bytes:
                self.octets += PIECE
                return bytes(PIECE) if self.octets <= 100 * PIECE else b""

        counting = Counting()
        source = DeflatedSource(counting, BEST, self.mill)
        stream = b""
        for number in range(1, 25):
            stream += self.read(source)
            self.assertLessEqual(counting.octets, number * SILENT * PIECE)
        self.assertLess(len(stream), 10_000)

    def test_fault(self) -> None:
        """A fault of the source is its reader's business: at once, or later."""
        self.assertRaises(ShortFile, DeflatedSource(BytesSource(ShortFile()), BEST, self.mill).read)
        self.turns()
        later: Deferred[bytes] = Deferred()
        waiting = DeflatedSource(BytesSource(later), BEST, self.mill).read()
        assert isinstance(waiting, Deferred)
        later.errback(ShortFile())
        self.failureResultOf(waiting, ShortFile)

    def test_stop(self) -> None:
        """After the transfer's end the source, which may be a closed file, is not asked again, even if its turn was waited for."""
        source = DeflatedSource(BytesSource(b"x" * PIECE, AssertionError()), BEST, self.mill)
        source.read()
        waiting = source.read()
        assert isinstance(waiting, Deferred)
        source.stop()
        self.turns()
        self.assertEqual(b"", self.successResultOf(waiting))


class MillTests(Case):
    """Work of many."""

    def test_turns(self) -> None:
        """P-SEC-18: in one turn no more than the budget is worked, and who has waited longest is next."""
        done: list[str] = []

        def work(name: str) -> None:
            done.append(name)
            self.mill.spent(1.0)

        self.assertIs(None, self.mill.turn())
        work("a")
        for name in "bcd":
            turn = self.mill.turn()
            assert turn is not None
            turn.addCallback(lambda _, name=name: work(name))
        for count in range(1, 5):
            self.assertEqual(list("abcd")[:count], done)
            self.turns()
        self.assertEqual(([], None), (self.clock.getDelayedCalls(), self.mill.turn()))

    def test_budget(self) -> None:
        """Small work of several goes into one turn; who gives his turn up costs nobody else's."""
        self.patch(deflate, "BUDGET", 1.0)
        for _ in range(3):
            self.assertIs(None, self.mill.turn())
            self.mill.spent(0.4)
        waiting = [self.mill.turn() for _ in range(5)]
        for turn in waiting[1:]:
            assert turn is not None
            turn.addCallback(lambda _: self.mill.spent(0.4))
        self.turns()
        self.assertEqual([True] * 4 + [False], [turn is not None and turn.called for turn in waiting])
        self.turns()
        self.assertTrue(waiting[-1] is not None and waiting[-1].called)


class SinkTests(Case):
    """What is received."""

    def sink(self, sink: Any) -> InflatedSink:
        return InflatedSink(sink, self.mill)

    def give(self, inflated: InflatedSink, sink: MemorySink, data: bytes) -> None:
        """One write, and turns of the reactor until it is taken."""
        waiting = inflated.write(data)
        while waiting is not None and not waiting.called:
            if sink.waiting:
                sink.go_on()
            else:
                self.turns()
        if waiting is not None:
            failures: list[Any] = []
            waiting.addErrback(failures.append)
            if failures:
                failures[0].raiseException()

    def receive(self, pieces: list[bytes], is_slow: bool = False) -> MemorySink:
        sink = MemorySink(is_slow)
        inflated = self.sink(sink)
        for piece in pieces:
            self.give(inflated, sink, piece)
        inflated.finish()
        return sink

    @given(st.binary(max_size=3000), st.integers(1, 400), st.lists(st.integers(0, 5000), max_size=8), st.integers(0, 9), st.booleans())
    def test_round_trip(self, piece: bytes, times: int, cuts: list[int], level: int, is_slow: bool) -> None:
        """P-MODEZ-1: a stream that is cut anywhere becomes what it was made of; the sink may take its time."""
        content = piece * times
        stream = zlib.compress(content, level)
        places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
        sink = self.receive([stream[a:b] for a, b in zip(places, places[1:], strict=False) if a < b], is_slow)
        self.assertTrue(sink.octets == content)
        self.assertTrue(sink.is_finished)
        self.assertTrue(all(0 < len(part) <= BLOCK for part in sink.pieces))

    @given(st.binary(max_size=300), st.data())
    def test_damaged(self, content: bytes, data: Any) -> None:
        """P-MODEZ-1: a stream that was cut short, damaged or followed by something is never taken as whole."""
        stream = zlib.compress(content)
        length = data.draw(st.integers(0, len(stream) - 1))
        place, bit = data.draw(st.integers(0, len(stream) - 1)), data.draw(st.integers(0, 7))
        flipped = bytearray(stream)
        flipped[place] ^= 1 << bit
        for wrong in (stream[:length], bytes(flipped), stream + b"\0", stream + stream):
            if wrong == bytes(flipped) and self.is_same(wrong, content):
                continue  # a bit that means nothing
            with self.assertRaises(BadStream):
                self.receive([wrong])

    def is_same(self, stream: bytes, content: bytes) -> bool:
        inflater = zlib.decompressobj()
        try:
            return inflater.decompress(stream) == content and inflater.eof and not inflater.unused_data
        except zlib.error:
            return False

    def test_behind_the_end(self) -> None:
        """Octets that follow the stream in a segment of their own are no better."""
        inflated = self.sink(MemorySink())
        inflated.write(zlib.compress(b"abc"))
        self.turns()
        self.assertRaises(BadStream, inflated.write, b"x")

    def test_none(self) -> None:
        """A connection without any octet is no stream: an empty file is one of eight."""
        self.assertRaises(BadStream, self.receive, [])
        self.assertEqual(b"", self.receive([zlib.compress(b"")]).octets)

    def test_bomb_and_reactor(self) -> None:
        """P-SEC-18: a segment that becomes a lot gets its turns with others between, and there is never more than a block of it."""
        sink = MemorySink()
        waiting = self.sink(sink).write(zlib.compress(bytes(20 * BLOCK + 1), 9))
        assert waiting is not None
        for number in range(1, 21):
            self.assertEqual([BLOCK] * number, [len(piece) for piece in sink.pieces])
            self.turns()
        self.assertEqual(1, len(sink.pieces[-1]))
        self.successResultOf(waiting)
        self.turns()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_bomb_is_ended(self) -> None:
        """P-SEC-18: from some size on what comes must not become more than so many times as much; the octets so far are not the file."""
        self.patch(deflate, "FREE", 4 * BLOCK)
        bomb = zlib.compress(bytes(50 * BLOCK), 9)
        sink = MemorySink()
        waiting = self.sink(sink).write(bomb)
        assert waiting is not None
        while not waiting.called:
            self.turns()
        self.failureResultOf(waiting, Bomb)
        self.assertLessEqual(len(sink.octets), max(4 * BLOCK, RATIO * len(bomb)))
        self.assertGreaterEqual(FREE, 1 << 28)

    def test_what_is_no_bomb(self) -> None:
        """P-SEC-18: below the ratio a file may be of any size."""
        self.patch(deflate, "FREE", BLOCK)
        content = (Random(1).randbytes(1000) + bytes(50_000)) * 20
        self.assertTrue(self.receive([zlib.compress(content, 9)]).octets == content)

    def test_stop(self) -> None:
        """After the transfer's end nothing more is inflated, and who waits is told."""
        sink = MemorySink()
        inflated = self.sink(sink)
        waiting = inflated.write(zlib.compress(bytes(20 * BLOCK)))
        assert waiting is not None
        inflated.stop()
        self.turns(2)
        self.successResultOf(waiting)
        self.assertEqual(([], 1), (self.clock.getDelayedCalls(), len(sink.pieces)))

    def test_stop_while_stored(self) -> None:
        """So too when the sink was at work."""
        sink = MemorySink(is_slow=True)
        inflated = self.sink(sink)
        waiting = inflated.write(zlib.compress(bytes(20 * BLOCK)))
        assert waiting is not None
        inflated.stop()
        sink.go_on()
        self.turns(2)
        self.successResultOf(waiting)
        self.assertEqual(([], 1), (self.clock.getDelayedCalls(), len(sink.pieces)))

    def test_fault(self) -> None:
        """A sink that fails, at once or in a later block, is the connection's business."""
        stream = zlib.compress(bytes(20 * BLOCK))
        self.assertRaises(DiskFull, self.sink(MemorySink(failing=DiskFull())).write, stream)
        self.turns()
        sink = MemorySink(is_slow=True)
        waiting = self.sink(sink).write(stream)
        assert waiting is not None
        sink.waiting.pop().errback(DiskFull())
        self.failureResultOf(waiting, DiskFull)
