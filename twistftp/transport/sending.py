"""
How octets get into a data connection: files by sendfile, everything else as the connection takes them.

Not here: the connection's life, its supervision and its verdicts (``dtp``). A sender counts what it hands over in
``connection.octets`` and ends with exactly one of ``connection.written()`` and ``connection.fail(error)``,
unless it is stopped before.
"""

from __future__ import annotations

import os
import sys
from errno import EAGAIN, ECONNABORTED, ECONNRESET, EHOSTUNREACH, EINTR, ENETDOWN, ENETRESET, ENETUNREACH, ENOTCONN, EPIPE, ETIMEDOUT
from time import perf_counter
from typing import TYPE_CHECKING, Any

from twisted.internet import main
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.transport.interfaces import ISource, ShortFile

if TYPE_CHECKING:
    from twistftp.transport.dtp import DataConnection

__all__ = ["HAS_SENDFILE", "SMALL", "FileSource", "PullSender", "SendfileSender", "Sender", "WriteThroughSender", "sender_for"]

BLOCK = 1 << 22
"""Octets a ``sendfile`` call, a millisecond's worth at most: over a network the socket's buffer is the real limit."""
CHUNK = 1 << 18
"""Octets read at a time where sendfile does not apply, and those after which the reactor gets its turn."""
TURN = 0.002
"""Seconds after which the reactor gets its turn: octets may cost their source much, as those of a listing do."""
SMALL = 1 << 16
"""A file up to this size is read and sent: fewer calls than sendfile, and its FIN is in its last segment."""
HAS_SENDFILE = sys.platform == "linux"
"""macOS and the BSDs have another one under the name, which fails in other ways; they read and write."""

_LOST = frozenset((EPIPE, ECONNRESET, ECONNABORTED, ENOTCONN, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENETDOWN, ENETRESET))
_AGAIN = frozenset((EAGAIN, EINTR))


def sender_for(connection: DataConnection, transport: Any, source: Any) -> Sender:
    """The best way to send a source over this transport."""
    kind = WriteThroughSender if getattr(transport, "sends_at_once", False) else PullSender
    return kind(connection, transport, source)


@implementer(ISource)
class FileSource:
    """``count`` octets of an ``IOpenFile`` from ``offset``, read in chunks; ``first``: what a first ``read_at`` has given already."""

    __slots__ = ("_file", "_first", "_left", "_offset")

    def __init__(self, file: Any, offset: int, count: int, first: bytes | Deferred[bytes] | None = None) -> None:
        self._file, self._offset, self._left, self._first = file, offset, count, first

    def read(self) -> bytes | Deferred[bytes]:
        """
        Give the next octets, ``b""`` after the last.

        :raises ShortFile: (or the Deferred fails with it) the file ended before ``count``.
        """
        if not self._left:
            return b""
        data, self._first = self._first, None
        if data is None:
            data = self._file.read_at(self._offset, min(CHUNK, self._left))
        if type(data) is not bytes and isinstance(data, Deferred):  # an abstract base class: asking is slow
            return data.addCallback(self._count)
        return self._count(data)

    def _count(self, data: bytes) -> bytes:
        if not data:
            raise ShortFile(f"{self._left} octets are missing")
        self._offset += len(data)
        self._left -= len(data)
        return data


class Sender:
    """What every way of sending has in common: it is started once and can be stopped at any time."""

    __slots__ = ("_connection", "_source", "_transport")

    def __init__(self, connection: DataConnection, transport: Any, source: Any) -> None:
        self._connection, self._transport, self._source = connection, transport, source

    @property
    def _is_stopped(self) -> bool:
        return self._transport is None

    def start(self) -> None:
        """Begin. The end may come from inside this call."""
        raise NotImplementedError

    def stop(self) -> None:
        """Send no more and say nothing more; what is still under way is let go."""
        self._transport = None
        self._source = None

    def _read(self) -> bytes | None:
        """The source's next octets; ``None`` if they come later, to :meth:`_take`, or the sending has ended."""
        try:
            data = self._source.read()
        except Exception as error:
            self._connection.fail(error)
            return None
        if type(data) is not bytes and isinstance(data, Deferred):
            data.addCallbacks(self._arrived, self._failed).addErrback(self._failed)
            return None
        return data  # type: ignore[no-any-return]

    def _arrived(self, data: bytes) -> None:
        if not self._is_stopped:
            self._take(data)

    def _failed(self, failure: Failure) -> None:
        if not self._is_stopped:
            error = failure.value
            self._connection.fail(error if isinstance(error, Exception) else RuntimeError(str(error)))

    def _take(self, data: bytes) -> None:
        raise NotImplementedError


class WriteThroughSender(Sender):
    """A source over ``DirectIO``: read and send while the socket takes it."""

    __slots__ = ()

    def start(self) -> None:
        """Send until the socket is full, the source waits or ends, or the reactor should have its turn."""
        self._resume()

    def _resume(self) -> None:
        budget, until = CHUNK, perf_counter() + TURN
        while (data := self._read()) is not None:
            budget -= len(data)
            if not self._write(data) or self._yielded(budget if perf_counter() < until else 0):
                return

    def _take(self, data: bytes) -> None:
        # In a turn of its own, else a source of Deferreds that have fired already would recurse without end.
        if self._write(data):
            self._yielded(0)

    def _write(self, data: bytes) -> bool:
        """Send; whether more is wanted at once."""
        if not data:
            self._connection.written()
            return False
        self._connection.octets += len(data)
        if self._transport.write_more(data):
            return True
        self._yielded(0)
        return False

    def _yielded(self, budget: int) -> bool:
        if budget > 0:
            return False
        self._transport.when_writable(self._resume)
        return True

    def stop(self) -> None:
        """Send no more."""
        if self._transport is not None:
            self._transport.forget_hook()
        super().stop()


@implementer(IPullProducer)
class PullSender(Sender):
    """A source over any other transport, which asks for more when its buffer is empty."""

    __slots__ = ("_is_reading",)

    def start(self) -> None:
        """Register; the transport asks for the first octets."""
        self._is_reading = False
        self._transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """The transport's buffer is empty: everything so far is with the kernel."""
        if self._is_reading or self._is_stopped:
            return
        self._is_reading = True
        data = self._read()
        if data is not None:
            self._take(data)

    def _take(self, data: bytes) -> None:
        self._is_reading = False
        if data:
            self._connection.octets += len(data)
            self._transport.write(data)
        else:
            self._transport.unregisterProducer()
            self._connection.written()

    def stopProducing(self) -> None:
        """The transport is gone; ``connectionLost`` follows and says why."""

    def stop(self) -> None:
        """Send no more."""
        if self._transport is not None:
            self._transport.unregisterProducer()
        super().stop()


class SendfileSender(Sender):
    """
    A file's octets from the page cache to a ``DirectIO`` socket, without a copy.

    ``sendfile`` on a file that is not in memory would stop the reactor until the disk has turned: each block is looked
    up first, and a cold one is read ahead in a thread.
    """

    __slots__ = ("_end", "_offset", "_warm_to")

    def __init__(self, connection: DataConnection, transport: Any, file: Any, offset: int, count: int) -> None:
        super().__init__(connection, transport, file)
        self._offset, self._end = offset, offset + count
        self._warm_to = offset

    def start(self) -> None:
        """Send the first block now."""
        if self._send_block() is not None:
            # Lost. The next attempt, in the reactor's own turn, meets that again and reports it.
            self._transport.when_writable(self._send_block)

    def _send_block(self) -> BaseException | None:
        """Send one block's worth at most, in ``doWrite`` from the second on; the error that ends the connection, if any."""
        descriptor, budget = self._source.descriptor, BLOCK
        while budget > 0:
            offset = self._offset
            if offset >= self._warm_to and not self._is_cached(offset):
                return None
            count = min(self._warm_to - offset, budget)
            try:
                sent = os.sendfile(self._transport.fileno(), descriptor, offset, count)
            except OSError as error:
                return self._failed_to_send(error)
            if not sent:
                self._connection.fail(ShortFile(f"{self._end - offset} octets are missing"))
                return None
            self._offset = offset + sent
            self._connection.octets += sent
            if self._offset == self._end:
                self._connection.written()
                return None
            budget = budget - sent if sent == count else 0  # less than asked for: the socket is full
        self._transport.when_writable(self._send_block)
        return None

    def _failed_to_send(self, error: OSError) -> BaseException | None:
        if error.errno in _LOST:
            return main.CONNECTION_LOST  # type: ignore[no-any-return]
        if error.errno in _AGAIN:
            self._transport.when_writable(self._send_block)
        else:
            # A file system without sendfile (EINVAL and others), or a disk that fails (EIO): reading finds out which.
            self._connection.send_otherwise(FileSource(self._source, self._offset, self._end - self._offset))
        return None

    def _is_cached(self, offset: int) -> bool:
        """Whether the next block can be sent now; if not, it is being read ahead. Each block is looked up once."""
        file = self._source
        count = min(BLOCK, self._end - offset)
        self._warm_to = offset + count
        try:
            if file.is_cached(offset, count):
                return True
            warmed = file.warm(offset, count)
        except Exception as error:
            self._connection.fail(error)
            return False
        warmed.addCallbacks(self._warmed, self._failed).addErrback(self._failed)
        return False

    def _warmed(self, _: object) -> None:
        if not self._is_stopped:
            self._transport.when_writable(self._send_block)

    def stop(self) -> None:
        """Send no more."""
        if self._transport is not None:
            self._transport.forget_hook()
        super().stop()
