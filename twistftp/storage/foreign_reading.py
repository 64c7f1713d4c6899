"""
The content of other people's ``IReadFile``, which pushes it at a consumer, as something that is read block by block.

Not here: which file it is and how its failures are told (``foreign``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.storage.interfaces import IOpenFile

__all__ = ["ForeignFile", "RestartableFile"]

_HIGH = 256 * 1024  # octets held, above which a push producer is paused
_LOW = _HIGH // 2  # and below which it is resumed


@implementer(IOpenFile, IConsumer)
class ForeignFile:
    """
    An ``IOpenFile`` that reads from the beginning to the end, and the consumer that the producer writes to.

    :param reader: the ``IReadFile``; its ``send`` is called at the first read.
    :param size: octets, as the shell's ``stat`` said.
    :param translate: turns a failure of the reader into the one to be told (an errback that raises or returns one).
    """

    descriptor = None
    is_being_uploaded = False  # a shell does not tell

    def __init__(self, reader: Any, size: int, translate: Callable[[Failure], object] = lambda failure: failure) -> None:
        self.size = size
        self._reader = reader
        self._translate = translate
        self._position = 0
        self._held: deque[bytes] = deque()
        self._held_octets = 0
        self._producer: Any = None
        self._is_push = False
        self._is_paused = False
        self._is_started = False
        self._is_done = False
        self._is_closed = False
        self._has_written = False
        self._error: Failure | None = None
        self._waiting: Deferred[bytes] | None = None
        self._wanted = 0

    # IOpenFile

    def read_at(self, offset: int, count: int) -> bytes | Deferred[bytes]:
        """
        Read on, up to ``count`` octets.

        :raises ValueError: ``offset`` is not where the last read ended, that read has not ended yet, or this is closed.
        """
        if offset != self._position or self._waiting is not None or self._is_closed:
            raise ValueError("this file is read from its beginning to its end")
        if not self._is_started:
            self._start()
        if self._held or count <= 0:
            return self._take(count)
        if self._is_done:
            if self._error is None:
                return b""
            self._error.raiseException()
        self._wanted = count
        waiting: Deferred[bytes] = Deferred(self._forget)
        self._waiting = waiting
        self._pull()
        return waiting

    def is_cached(self, offset: int, count: int) -> bool:
        """True: there is no disk of ours to wait for."""
        return True

    def warm(self, offset: int, count: int) -> Deferred[None]:
        """Nothing to do."""
        return succeed(None)

    def close(self) -> None:
        """Stop the producer; a read that waits is cancelled."""
        if self._is_closed:
            return
        self._is_closed = True
        self._held.clear()
        self._held_octets = 0
        if self._waiting is not None:
            self._waiting.cancel()
        if not self._is_started:
            self._start()  # an IReadFile has no close: it lets go of its file when it is told to stop
        elif self._producer is not None:
            self._producer.stopProducing()

    # IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take up a producer (``streaming``: one that pushes)."""
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if self._is_closed:
            producer.stopProducing()
            return
        self._producer = producer
        self._is_push = bool(streaming)
        self._is_paused = False
        self._pull()

    def unregisterProducer(self) -> None:
        """The producer has written all it had."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """Hold what the producer writes, or give it to the read that waits for it."""
        self._has_written = True
        if self._is_closed or not data:
            return
        self._held.append(bytes(data))
        self._held_octets += len(data)
        if self._held_octets > _HIGH and self._is_push and not self._is_paused and self._producer is not None:
            self._is_paused = True
            self._producer.pauseProducing()
        self._fulfil()

    def _start(self) -> None:
        self._is_started = True
        sending = maybeDeferred(self._reader.send, self)
        sending.addErrback(self._translate)
        sending.addCallbacks(lambda _: self._done(None), self._done)

    def _done(self, error: Failure | None) -> None:
        self._producer = None
        self._is_done = True
        self._error = error
        waiting = self._waiting
        if waiting is not None:
            self._waiting = None
            if error is None:
                waiting.callback(b"")
            else:
                waiting.errback(error)

    def _forget(self, waiting: Deferred[bytes]) -> None:
        self._waiting = None

    def _fulfil(self) -> None:
        waiting = self._waiting
        if waiting is not None:
            self._waiting = None
            waiting.callback(self._take(self._wanted))

    def _take(self, count: int) -> bytes:
        taken = []
        left = max(0, count)
        while left and self._held:
            block = self._held.popleft()
            if len(block) > left:
                self._held.appendleft(block[left:])
                block = block[:left]
            taken.append(block)
            left -= len(block)
        data = taken[0] if len(taken) == 1 else b"".join(taken)
        self._held_octets -= len(data)
        self._position += len(data)
        if self._is_paused and self._held_octets < _LOW and self._producer is not None:
            self._is_paused = False
            self._producer.resumeProducing()
        return data

    def _pull(self) -> None:
        """Ask a pull producer for more until the read that waits has something, or until it says it will write later."""
        while self._waiting is not None and self._producer is not None and not self._is_push:
            self._has_written = False
            self._producer.resumeProducing()
            if not self._has_written:
                break


@implementer(IOpenFile)
class RestartableFile:
    """
    An ``IOpenFile`` over a shell that opens its files at any octet (``IRestartable``): read on, or begun anew where that is asked for.

    :param opener: opens the file at an offset: a Deferred of an ``IReadFile``.
    """

    descriptor = None
    is_being_uploaded = False

    def __init__(self, reader: Any, size: int, translate: Callable[[Failure], object], opener: Callable[[int], Deferred[Any]]) -> None:
        self.size = size
        self._translate = translate
        self._opener = opener
        self._file = ForeignFile(reader, size, translate)
        self._begun = 0  # where the reader at hand began
        self._position = 0
        self._is_closed = False

    def read_at(self, offset: int, count: int) -> bytes | Deferred[bytes]:
        """As in ``IOpenFile``. :raises ValueError: it is closed."""
        if self._is_closed:
            raise ValueError("the file is closed")
        if offset != self._position:
            self._file.close()
            self._position = offset
            return self._opener(offset).addCallback(self._reopened, count)
        return self._read(count)

    def _reopened(self, reader: Any, count: int) -> bytes | Deferred[bytes]:
        self._file = ForeignFile(reader, self.size - self._position, self._translate)
        if self._is_closed:
            self._file.close()
            return b""
        self._begun = self._position
        return self._read(count)

    def _read(self, count: int) -> bytes | Deferred[bytes]:
        data = self._file.read_at(self._position - self._begun, count)
        return data.addCallback(self._count) if isinstance(data, Deferred) else self._count(data)

    def _count(self, data: bytes) -> bytes:
        self._position += len(data)
        return data

    def is_cached(self, offset: int, count: int) -> bool:
        """True: there is no disk of ours to wait for."""
        return True

    def warm(self, offset: int, count: int) -> Deferred[None]:
        """Nothing to do."""
        return succeed(None)

    def close(self) -> None:
        """As in ``IOpenFile``."""
        if not self._is_closed:
            self._is_closed = True
            self._file.close()
