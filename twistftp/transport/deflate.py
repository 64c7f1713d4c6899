"""
MODE Z: a data connection's octets as one zlib stream (RFC 1950), made and undone a small piece at a time.

Not here: who may ask for it (``session.verbs.parameters``), and moving the octets (``sending``, ``receiving``), which see nothing but the stream.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twistftp.transport.interfaces import ISource
from twistftp.transport.sending import FileSource

__all__ = ["BEST", "BadStream", "Bomb", "DeflatedSource", "Deflating", "InflatedSink", "Mill"]

BEST = 6
"""The highest level there is here, and the one without OPTS: those above it take several times as long for a few per cent less."""
PIECE = 1 << 15
"""Octets deflated at a time: a millisecond's work or two."""
SILENT = 2
"""Pieces after which something is given, though zlib would rather see more: zeros by the megabyte would stop the reactor."""
BLOCK = 1 << 18
"""Octets inflated at a time, a millisecond's work at most."""
BUDGET = 0.002
"""Seconds in each turn of the reactor after which everybody waits for the next one."""
RATIO = 100
"""Octets that one octet of an upload may become: files hardly get to half of that, and deflate's utmost is 1032."""
FREE = 1 << 28
"""Octets of an upload to which that does not apply: who sends a disk image of zeros means no harm."""


class BadStream(Exception):
    """What the client sent is no zlib stream, or is damaged, or not whole; the text says which."""


class Bomb(Exception):
    """An upload becomes too much of too little: more than :data:`RATIO` times what was sent."""


class Mill:
    """
    The work on the streams of all transfers of a site: :data:`BUDGET` seconds in each turn of the reactor, in the order in which they ask,
    so that other clients' commands wait no longer for many transfers than for one.

    :param later: calls a function in the reactor's next turn.
    """

    def __init__(self, later: Callable[[Callable[[], object]], object]) -> None:
        self._later = later
        self._spent = 0.0
        self._has_call = False
        self._waiting: deque[Deferred[None]] = deque()

    def turn(self) -> Deferred[None] | None:
        """``None``: work now, and say :meth:`spent` then. Else a Deferred that fires when it is your turn to."""
        if self._spent < BUDGET and not self._waiting:
            return None
        self._waiting.append(Deferred())
        return self._waiting[-1]

    def spent(self, seconds: float) -> None:
        """Somebody has worked."""
        self._spent += seconds
        self._call()

    def _call(self) -> None:
        if not self._has_call:
            self._has_call = True
            self._later(self._next)

    def _next(self) -> None:
        self._has_call = False
        self._spent = 0.0
        while self._waiting and self._spent < BUDGET:
            self._waiting.popleft().callback(None)
        if self._waiting:
            self._call()


@implementer(ISource)
class DeflatedSource:
    """Another source's octets as a zlib stream. Each :meth:`read` does no more than the work of :data:`SILENT` pieces."""

    __slots__ = ("_deflater", "_has_all", "_held", "_is_over", "_mill", "_silent", "_source")

    def __init__(self, source: Any, level: int, mill: Mill) -> None:
        self._source, self._mill = source, mill
        self._deflater = zlib.compressobj(level)
        self._held = memoryview(b"")
        self._silent = 0
        self._has_all = self._is_over = False

    def read(self) -> bytes | Deferred[bytes]:
        """The next octets of the stream, or a Deferred of them; ``b""`` after its end."""
        if self._is_over:
            return b""
        turn = self._mill.turn()
        return self._work() if turn is None else turn.addCallback(lambda _: self._work())

    def stop(self) -> None:
        """Nobody wants more: the source is not asked again, even by a turn that was waited for."""
        self._is_over = True

    def _work(self) -> bytes | Deferred[bytes]:
        began = perf_counter()
        octets = b""
        try:
            while not (octets or self._is_over):
                if not (self._held or self._has_all):
                    data = self._source.read()
                    if isinstance(data, Deferred):
                        return data.addCallback(self._go_on)
                    self._hold(data)
                octets = self._deflate()
            return octets
        finally:
            self._mill.spent(perf_counter() - began)

    def _go_on(self, data: bytes) -> bytes | Deferred[bytes]:
        self._hold(data)
        return self.read()

    def _hold(self, data: bytes) -> None:
        self._held = memoryview(data)
        self._has_all = not data

    def _deflate(self) -> bytes:
        if self._has_all:
            self._is_over = True
            return self._deflater.flush()
        piece, self._held = self._held[:PIECE], self._held[PIECE:]
        octets = self._deflater.compress(piece)
        self._silent = 0 if octets else self._silent + 1
        if self._silent >= SILENT:
            self._silent = 0
            return self._deflater.flush(zlib.Z_SYNC_FLUSH)
        return octets


class InflatedSink:
    """
    What a zlib stream holds, for another sink with the ``finish`` of an ``IUpload``. In memory are at most the octets of one
    :meth:`write` and one :data:`BLOCK` of what they become; the mill says when the next one is made.
    """

    takes_pipes = False

    def __init__(self, sink: Any, mill: Mill) -> None:
        self._sink, self._mill = sink, mill
        self._inflater = zlib.decompressobj()
        self._rest = b""  # of what has come
        self._is_full = False  # zlib may hold more of what it has made
        self._came = self._made = 0
        self._is_stopped = False

    def write(self, data: bytes) -> Deferred[None] | None:
        """
        Take octets of the stream; see ``ISink``.

        :raises BadStream: (or the Deferred fails with it) they are none of a zlib stream, or follow its end.
        :raises Bomb: (or the Deferred fails with it) they become too much.
        """
        self._came += len(data)
        self._rest = data
        turn = self._mill.turn()
        storing = self._step() if turn is None else None
        if turn is None and not self._has_more:
            return storing
        return Deferred.fromCoroutine(self._go_on(turn, storing))

    @property
    def _has_more(self) -> bool:
        return bool(self._rest or self._is_full)

    def _step(self) -> Deferred[None] | None:
        """Inflate and store one block."""
        began = perf_counter()
        try:
            octets = self._inflate()
            return self._sink.write(octets) if octets else None
        finally:
            self._mill.spent(perf_counter() - began)

    def _inflate(self) -> bytes:
        inflater = self._inflater
        if inflater.eof:
            raise BadStream("more octets follow its end")
        try:
            octets = inflater.decompress(self._rest, BLOCK)
        except zlib.error:
            raise BadStream("it is damaged, or none") from None
        if inflater.unused_data:
            raise BadStream("more octets follow its end")
        self._rest = inflater.unconsumed_tail
        self._is_full = len(octets) == BLOCK and not inflater.eof
        self._made += len(octets)
        if self._made > max(FREE, RATIO * self._came):
            raise Bomb
        return octets

    async def _go_on(self, turn: Deferred[None] | None, storing: Deferred[None] | None) -> None:
        while True:
            if turn is not None:
                await turn
                if self._is_stopped:
                    return
                storing = self._step()
            if storing is not None:
                await storing
            if self._is_stopped or not self._has_more:
                return
            turn = self._mill.turn()
            if turn is None:
                storing = self._step()

    def finish(self) -> Any:
        """
        The client's end has come: the end of the stream must have come before it.

        :raises BadStream: it has not, and octets may be missing.
        """
        if not self._inflater.eof:
            raise BadStream("its end is missing")
        return self._sink.finish()

    def stop(self) -> None:
        """The transfer has ended, well or not: nothing more is inflated."""
        self._is_stopped = True


class Deflating:
    """A data connection that sends in MODE Z what it is given to send. Its octets are counted as they go over the wire."""

    __slots__ = ("_connection", "_level", "_mill", "_source")

    def __init__(self, connection: Any, level: int, mill: Mill) -> None:
        self._connection, self._level, self._mill = connection, level, mill
        self._source: DeflatedSource | None = None

    def send_file(self, file: Any, offset: int, count: int) -> Deferred[None] | None:
        """See ``IDataConnection``; never by ``sendfile``."""
        return self.send(FileSource(file, offset, count))

    def send(self, source: Any) -> Deferred[None] | None:
        """See ``IDataConnection``."""
        self._source = DeflatedSource(source, self._level, self._mill)
        return self._connection.send(self._source)  # type: ignore[no-any-return]

    def stop(self) -> None:
        """The transfer has ended, well or not: what was sent is not read any more."""
        if self._source is not None:
            self._source.stop()
