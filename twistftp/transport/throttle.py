"""
Data connections that may move only so many octets a second: sending in slices, with pauses between.

Not here: how many (``policy.bandwidth``), and sending at full speed (``sending``), which knows nothing of this and pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twistftp.policy.bandwidth import Bucket
from twistftp.policy.settings import Limits
from twistftp.transport.interfaces import ISource
from twistftp.transport.sending import BLOCK, SendfileSender

if TYPE_CHECKING:
    from twistftp.transport.dtp import DataConnection

__all__ = ["Pace", "PacedSendfileSender", "PacedSink", "PacedSource", "Throttle"]

_LEAST = 0.005
"""Seconds that are waited at least: of a bucket that many share, the slice one has waited for may be another's by then."""


class Pace:
    """
    The buckets that a connection draws from, its own and one that it shares, and the clock.

    :param clock: something with Twisted's ``seconds`` and ``callLater``.
    """

    __slots__ = ("_buckets", "_clock")

    def __init__(self, clock: Any, buckets: tuple[Bucket, ...]) -> None:
        self._clock, self._buckets = clock, buckets

    def allowed(self) -> int:
        """Octets that may move now; 0: wait."""
        now = self._clock.seconds()
        return min(bucket.allowed(now) for bucket in self._buckets)

    def took(self, octets: int) -> None:
        """So many were moved."""
        for bucket in self._buckets:
            bucket.took(octets)

    def later(self, call: Callable[[], object]) -> Any:
        """Call when octets may move again, or somewhat later; an ``IDelayedCall``."""
        now = self._clock.seconds()
        return self._clock.callLater(max(_LEAST, *(bucket.wait(now) for bucket in self._buckets)), call)


class Throttle:
    """
    What a site's limits of bandwidth mean for its next data connection. ``is_needed``: whether they mean anything at all.

    :param clock: as of :class:`Pace`.
    """

    def __init__(self, clock: Any, limits: Limits) -> None:
        self._clock = clock
        self._shared: Bucket | None = None
        self._part = 1.0
        self.change(limits)

    def change(self, limits: Limits) -> None:
        """Go over to new limits: the site's hold for those that share it at once, a connection's own for the next ones."""
        self._each, self._least, rate = limits.max_bytes_per_second, limits.min_bytes_per_second, limits.max_site_bytes_per_second
        self.is_needed = bool(self._each or self._least or rate)
        self._rate = rate
        if not rate:
            self._shared = None
        elif self._shared is not None:
            self._shared.rate = rate * self._part
        else:
            self._shared = Bucket(rate * self._part, self._clock.seconds())

    def share(self, part: float) -> None:
        """The site's rate is for several processes: this one has so much of it, from now on."""
        self._part = part
        if self._shared is not None:
            self._shared.rate = self._rate * part

    def apply(self, connection: Any) -> None:
        """Tell a new data connection."""
        connection.set_rates(self.pace(), self._least)

    def pace(self) -> Pace | None:
        """For a new data connection; ``None``: nothing holds it back."""
        if not self._each and self._shared is None:
            return None
        own = (Bucket(self._each, self._clock.seconds()),) if self._each else ()
        return Pace(self._clock, own if self._shared is None else (*own, self._shared))


class PacedSendfileSender(SendfileSender):
    """``sendfile``, a slice at a time."""

    __slots__ = ("_call", "_pace")

    def __init__(self, connection: DataConnection, transport: Any, file: Any, offset: int, count: int, pace: Pace) -> None:
        super().__init__(connection, transport, file, offset, count)
        self._pace = pace
        self._call: Any = None

    def _send_block(self) -> BaseException | None:
        budget = self._pace.allowed()
        if not budget:
            self._call = self._pace.later(self._go_on)
            return None
        connection, before = self._connection, self._connection.octets
        result = self._send_up_to(min(budget, BLOCK))
        self._pace.took(connection.octets - before)
        return result

    def _go_on(self) -> None:
        self._call = None
        if not self._is_stopped:
            self._transport.when_writable(self._send_block)

    def stop(self) -> None:
        """Send no more."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        super().stop()


@implementer(ISource)
class PacedSource:
    """Another source's octets, a slice at a time: for everything that ``sendfile`` cannot send."""

    __slots__ = ("_held", "_pace", "_source")

    def __init__(self, source: Any, pace: Pace) -> None:
        self._source, self._pace = source, pace
        self._held = memoryview(b"")

    def read(self) -> bytes | Deferred[bytes]:
        """The next octets, or a Deferred of them, which can be cancelled."""
        if not self._held:
            data = self._source.read()
            if isinstance(data, Deferred):
                return data.addCallback(self._hold)
            return self._hold(data)
        return self._slice()

    def _hold(self, data: bytes) -> bytes | Deferred[bytes]:
        self._held = memoryview(data)
        return self._slice() if data else b""

    def _slice(self) -> bytes | Deferred[bytes]:
        budget = self._pace.allowed()
        if budget:
            piece, self._held = bytes(self._held[:budget]), self._held[budget:]
            self._pace.took(len(piece))
            return piece
        waiting: Deferred[bytes] = Deferred(lambda _: call.cancel())
        call = self._pace.later(lambda: waiting.callback(b""))
        return waiting.addCallback(lambda _: self._slice())


class PacedSink:
    """
    Another sink, which says that it takes more when octets may move again: the client is not read meanwhile, and TCP slows it down.
    """

    __slots__ = ("_call", "_go_on", "_pace", "_sink", "takes_pipes")

    def __init__(self, sink: Any, pace: Pace) -> None:
        self._sink, self._pace = sink, pace
        self._call: Any = None
        self.takes_pipes = sink.takes_pipes

    def write(self, data: bytes) -> Deferred[None] | None:
        """See ``ISink``."""
        return self._slowly(self._sink.write(data), len(data))

    def take(self, pipe: int, count: int) -> Deferred[None] | None:
        """See ``ISink``."""
        return self._slowly(self._sink.take(pipe, count), count)

    def _slowly(self, storing: Deferred[None] | None, count: int) -> Deferred[None] | None:
        self._pace.took(count)
        if self._pace.allowed():
            return storing
        waiting: Deferred[None] = Deferred()

        def go_on() -> None:
            self._call = None
            if storing is None:
                waiting.callback(None)
            else:
                storing.chainDeferred(waiting)

        self._call = self._pace.later(go_on)
        self._go_on = go_on
        return waiting

    def stop(self) -> None:
        """Nobody waits any more."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
            self._go_on()
