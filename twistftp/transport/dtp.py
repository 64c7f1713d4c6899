"""
A data connection: its life from the first octet to the last FIN, and who hears how it ended.

Not here: how octets get in (``sending``), where connections come from (``leases``, ``active``), and replies.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableDescriptor, IHalfCloseableProtocol, IProtocol, ISSLTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.policy.bandwidth import WINDOW, Floor
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.directio import DirectIO
from twistftp.transport.interfaces import DataConnectionFailed, IDataConnection
from twistftp.transport.sending import HAS_SENDFILE, SMALL, FileSource, PullSender, Sender, SendfileSender, WriteThroughSender
from twistftp.transport.sockets import DataServer, tune_data, was_reset
from twistftp.transport.throttle import Pace, PacedSendfileSender, PacedSource

__all__ = ["LINGER", "DataConnection"]

LINGER = 5.0
"""Seconds that the client has for its FIN after ours (PROTOCOL P-TIME-7)."""


class _Phase(Enum):
    UNUSED = "no transfer has begun; nothing is read"
    SENDING = "a sender is at work"
    FINISHING = "the sender is done; the last octets and the FIN are on their way to the kernel"
    LINGERING = "our FIN is out; waiting for the client's"
    RESET = "we have reset it; the transport is about to say so"
    GONE = "the transport is gone"


_IN_TRANSFER = (_Phase.SENDING, _Phase.FINISHING)


@implementer(IDataConnection, IProtocol, IHalfCloseableProtocol)
class DataConnection:
    """
    One data connection, passive or active, used for one transfer.

    Client octets are thrown away while it sends (P-DX-16), the client's early FIN does not end it (P-DX-17), and
    after a complete send it drains and waits for the client, so that no reset overtakes the last octets (P-DX-2).

    :param peer: address and port of the client's end.
    :param stall_timeout: seconds without an octet moved after which a send is given up (P-DX-6).
    :param opened: called with this connection as soon as it is connected.
    :param closed: called with it exactly once, when its transport is gone.
    """

    __slots__ = (
        "_closed",
        "_deadlines",
        "_delivered",
        "_error",
        "_floor",
        "_has_fin",
        "_opened",
        "_pace",
        "_phase",
        "_result",
        "_sender",
        "_stall_timeout",
        "_still_since",
        "_transport",
        "octets",
        "peer",
    )

    def __init__(
        self,
        peer: tuple[str, int],
        deadlines: Deadlines,
        stall_timeout: float = 300.0,
        opened: Callable[[DataConnection], object] | None = None,
        closed: Callable[[DataConnection], object] | None = None,
    ) -> None:
        self.peer = peer
        self.octets = 0
        self._deadlines, self._stall_timeout = deadlines, stall_timeout
        self._opened, self._closed = opened, closed
        self._phase = _Phase.UNUSED
        self._transport: Any = None
        self._sender: Sender | None = None
        self._result: Deferred[None] | None = None
        self._error: Exception | None = None
        self._has_fin = False
        self._delivered = 0
        self._still_since = 0.0
        self._pace: Pace | None = None
        self._floor: Floor | None = None

    # What the session asks (IDataConnection)

    def set_rates(self, pace: Pace | None, least: int) -> None:
        """Before a transfer: how fast and how slowly it may go; see :class:`IDataConnection`."""
        self._pace = pace
        self._floor = Floor(least, self._deadlines.seconds(), 0, min(WINDOW, self._stall_timeout)) if least else None

    def send_file(self, file: Any, offset: int, count: int) -> Deferred[None] | None:
        """Send a part of a file, then FIN; see :class:`IDataConnection`."""
        transport = self._transport
        if count > SMALL and file.descriptor is not None and isinstance(transport, DirectIO) and HAS_SENDFILE and not transport.TLS:
            if self._pace is not None:
                return self._send(PacedSendfileSender(self, transport, file, offset, count, self._pace))
            return self._send(SendfileSender(self, transport, file, offset, count))
        return self.send(FileSource(file, offset, count))

    def send(self, source: Any) -> Deferred[None] | None:
        """Send what a source gives, then FIN; see :class:`IDataConnection`."""
        return self._send(self._sender_of(source))

    def abort(self, cause: Cause) -> None:
        """Reset the connection unless a send is complete; see :class:`IDataConnection`."""
        if self._phase is _Phase.UNUSED:
            self._reset(DataConnectionFailed(Verdict(cause)))
        else:
            self.fail(DataConnectionFailed(Verdict(cause, octets=self.octets)))

    def close(self) -> None:
        """Close an unused connection with FIN; see :class:`IDataConnection`."""
        if self._phase is _Phase.UNUSED:
            self._phase = _Phase.FINISHING
            self._fin()

    # What leases and owners ask

    @property
    def is_lost(self) -> bool:
        """Whether the client has reset an unused connection, or it is gone altogether."""
        if self._phase is _Phase.UNUSED and was_reset(self._transport):
            self._reset(DataConnectionFailed(Verdict(Cause.RESET_EARLY)))
        return self._phase in (_Phase.RESET, _Phase.GONE)

    def shut_down(self) -> None:
        """The server stops: reset a send that is under way, close anything else without waiting for the client."""
        self.abort(Cause.CLOSING)
        if self._phase is _Phase.LINGERING:
            self._hang_up()

    # What senders ask

    def written(self) -> None:
        """All octets are with the transport: send FIN after them."""
        if self._phase is _Phase.SENDING:
            self._phase = _Phase.FINISHING
            self._sender = None
            self._fin()

    def fail(self, error: Exception) -> None:
        """End a send that is under way: reset the connection, so that no client takes it as whole (P-DX-21)."""
        if self._phase in _IN_TRANSFER:
            self._reset(error)

    def send_otherwise(self, source: Any) -> None:
        """Go on with a source where the sender at work cannot."""
        if self._phase is _Phase.SENDING:
            self._sender = self._sender_of(source)
            self._sender.start()

    def _sender_of(self, source: Any) -> Sender:
        if self._pace is not None:
            source = PacedSource(source, self._pace)
        kind = WriteThroughSender if isinstance(self._transport, DirectIO) and not self._transport.TLS else PullSender
        return kind(self, self._transport, source)

    # The course of a send

    def _send(self, sender: Sender) -> Deferred[None] | None:
        if self._phase is not _Phase.UNUSED:
            raise self._error or DataConnectionFailed(Verdict(Cause.LOST, octets=self.octets))
        self._phase = _Phase.SENDING
        self._sender = sender
        sender.start()
        if self._phase in _IN_TRANSFER:
            self._result = Deferred(self._cancelled)
            self._still_since = now = self._deadlines.seconds()
            self._deadlines.watch(self, now + self._stall_timeout / 4 if self._floor is None else min(now + self._stall_timeout / 4, self._floor.due))
            self._transport.resumeProducing()
            return self._result
        if self._error is not None:
            raise self._error
        return None

    def _cancelled(self, _: object) -> None:
        self.abort(Cause.ABORTED)

    def _fin(self) -> None:
        transport = self._transport
        if isinstance(transport, DirectIO) and not transport.TLS:
            if transport.finish() and self._phase is _Phase.FINISHING:
                self._complete()
        elif self._is_half_closeable:
            transport.loseWriteConnection()
        else:
            transport.resumeProducing()  # TLS: the peer's close_notify is to be read
            transport.loseConnection()
            self._complete()

    @property
    def _is_half_closeable(self) -> bool:
        return IHalfCloseableDescriptor.providedBy(self._transport) and not ISSLTransport.providedBy(self._transport)

    def _complete(self) -> None:
        """Every octet and the FIN are with the kernel: 226 may go."""
        self._phase = _Phase.LINGERING
        if isinstance(self._transport, DirectIO) and not self._transport.TLS and self._transport.close_if_delivered():
            return  # and all who wait have been told
        if self._has_fin and not isinstance(self._transport, DirectIO):
            self._transport.loseConnection()
        if self._phase is _Phase.LINGERING:
            self._still_since = now = self._deadlines.seconds()
            self._deadlines.watch(self, now + LINGER)
            if isinstance(self._transport, DirectIO) or self._is_half_closeable:
                self._transport.resumeProducing()
        self._tell()

    def _reset(self, error: Exception) -> None:
        self._phase = _Phase.RESET
        self._error = error
        self._stop_sender()
        self._deadlines.forget(self)
        self._transport.abortConnection()
        self._tell()

    def _stop_sender(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.stop()

    def _tell(self) -> None:
        """Fire the Deferred, if one was given; the last act of whoever calls it, for anything may come of it."""
        result, self._result = self._result, None
        if result is None:
            return
        if self._error is None:
            result.callback(None)
        else:
            result.errback(Failure(self._error))

    def _hang_up(self) -> None:
        """Close without the client's FIN. The kernel still delivers what it holds, so this is no reset."""
        if isinstance(self._transport, DirectIO) or self._is_half_closeable:
            self._transport.loseConnection()
        else:
            self._transport.abortConnection()  # under TLS loseConnection waits for close_notify for ever (P-TW-4)

    def expire(self, now: float) -> float | None:
        """Look after a send that does not move, and after a client that does not close."""
        if self._phase is _Phase.LINGERING:
            if now < self._still_since + LINGER:
                return self._still_since + LINGER
            self._hang_up()
            return None
        if self._phase not in _IN_TRANSFER:
            return None
        # What the client has acknowledged counts: the kernel takes megabytes ahead of a slow client, and then nothing for minutes.
        delivered = self.octets - (self._transport.queued() if isinstance(self._transport, DirectIO) else 0)
        if delivered != self._delivered:
            self._delivered, self._still_since = delivered, now
        end = self._still_since + self._stall_timeout
        if now >= end:
            self.fail(DataConnectionFailed(Verdict(Cause.STALLED, seconds=self._stall_timeout, octets=self.octets)))
            return None
        floor = self._floor
        if floor is None:
            return min(end, now + self._stall_timeout / 4)
        if floor.is_missed(now, delivered):
            self.fail(DataConnectionFailed(Verdict(Cause.TOO_SLOW, seconds=floor.window, rate=int(floor.rate), octets=self.octets)))
            return None
        return min(end, now + self._stall_timeout / 4, floor.due)

    # What the transport tells (IProtocol, IHalfCloseableProtocol)

    def makeConnection(self, transport: Any) -> None:
        """Take the transport; it is connected."""
        self._transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Begin: nothing is read before the transfer."""
        transport = self._transport
        if not isinstance(transport, DataServer):  # which is born paused, with its options
            tune_data(transport)
            transport.pauseProducing()
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Throw away what the client sends on a download."""

    def readConnectionLost(self) -> None:
        """The client's FIN came: go on sending; after our FIN it is the end."""
        self._has_fin = True
        if self._phase is _Phase.LINGERING:
            self._transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our FIN is with the kernel, and so is every octet before it."""
        if self._phase is _Phase.FINISHING:
            self._complete()

    def connectionLost(self, reason: Failure) -> None:
        """The transport is gone."""
        phase, self._phase = self._phase, _Phase.GONE
        self._deadlines.forget(self)
        self._stop_sender()
        # Done in good order while finishing: the client's FIN was there before ours, which was then the end at once.
        if phase is _Phase.SENDING or (phase is _Phase.FINISHING and not reason.check(ConnectionDone)):
            self._error = DataConnectionFailed(Verdict(Cause.LOST, octets=self.octets))
        self._transport = None
        closed, self._closed = self._closed, None
        if closed is not None:
            closed(self)
        self._tell()
