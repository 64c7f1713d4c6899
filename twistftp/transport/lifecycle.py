"""
The life of a data connection: connected, used once, ended by one side and then the other, and who hears how it ended.

Not here: what is sent and received (``dtp``), and where connections come from (``leases``, ``active``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableDescriptor, IHalfCloseableProtocol, IProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.policy.bandwidth import Floor
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.departure import HandshakeFailed
from twistftp.transport.directio import DirectIO
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.transport.secure import SecureTransport
from twistftp.transport.sockets import DataServer, tune_data, was_reset

if TYPE_CHECKING:
    from twistftp.transport.receiving import Receiver
    from twistftp.transport.sending import Sender
    from twistftp.transport.throttle import Pace

__all__ = ["IN_TRANSFER", "LINGER", "Lifecycle", "Phase"]

LINGER = 5.0
"""Seconds that the client has for its FIN after ours (PROTOCOL P-TIME-7)."""


class Phase:
    """Where a connection is. No ``Enum``: to look up one of its members takes as long as a call, and this is asked at every step."""

    UNUSED = "no transfer has begun; nothing is read"
    SENDING = "a sender is at work"
    RECEIVING = "a receiver is at work"
    RECEIVED = "the client's end has come and everything before it; our side is open"
    FINISHING = "the sender is done; the last octets and the FIN are on their way to the kernel"
    LINGERING = "our FIN is out; waiting for the client's"
    REFUSED = "it may not be used; closed in order, so that the client reads the reason in the reply"
    RESET = "we have reset it; the transport is about to say so"
    GONE = "the transport is gone"


IN_TRANSFER = (Phase.SENDING, Phase.FINISHING, Phase.RECEIVING)
_TO_CLOSE = (Phase.UNUSED, Phase.RECEIVED)


@implementer(IProtocol, IHalfCloseableProtocol)
class Lifecycle:
    """
    One data connection, passive or active, used for one transfer; ``dtp.DataConnection`` says what for.

    The client's early FIN does not end a send (P-DX-17), and after a complete one the connection drains and waits for the
    client, so that no reset overtakes the last octets (P-DX-2).

    :param peer: address and port of the client's end.
    :param opened: called with this connection as soon as it is connected.
    :param closed: called with it exactly once, when its transport is gone.

    ``error`` is why it cannot be used or has failed; ``handshake_timeout`` are the seconds for TLS, from the beginning of the transfer, and
    ``stall_timeout`` those without an octet moved after which that is given up (P-DX-6): both may be set until it begins.
    """

    __slots__ = (
        *("_closed", "_deadlines", "_delivered", "_direct", "_floor", "_handshake_until", "_has_fin", "_opened"),
        *("_pace", "_phase", "_receiver", "_result", "_sender", "_still_since", "_transport"),
        *("error", "handshake_timeout", "is_private", "is_truncated", "octets", "peer", "stall_timeout"),
    )

    def __init__(
        self,
        peer: tuple[str, int],
        deadlines: Deadlines,
        opened: Callable[[Any], object] | None = None,
        closed: Callable[[Any], object] | None = None,
    ) -> None:
        self.peer = peer
        self.octets = 0
        self._deadlines = deadlines
        self._opened, self._closed = opened, closed
        self._phase = Phase.UNUSED
        self._transport: Any = None
        self._sender: Sender | None = None
        self._receiver: Receiver | None = None
        self._result: Deferred[None] | None = None
        self._direct = False  # the transport sends at once and says when it can again
        self._handshake_until = 0.0
        self.handshake_timeout = 30.0
        self.stall_timeout = 300.0
        self.is_private = False  # under TLS
        self.is_truncated = False  # under TLS the client ended it without saying so
        self.error: Exception | None = None
        self._has_fin = False
        self._delivered = 0
        self._still_since = 0.0
        self._pace: Pace | None = None  # how fast it may go
        self._floor: Floor | None = None  # how slowly

    def abort(self, cause: Cause) -> None:
        """Reset the connection unless a transfer is complete; see :class:`IDataConnection`."""
        if self._phase is Phase.UNUSED:
            self._reset(DataConnectionFailed(Verdict(cause)))
        else:
            self.fail(DataConnectionFailed(Verdict(cause, octets=self.octets)))

    def close(self) -> None:
        """Close an unused connection, or one that all was received on, with FIN; see :class:`IDataConnection`."""
        if self._phase in _TO_CLOSE:
            self._phase = Phase.FINISHING
            if self._is_shaking_hands:  # FIN waits for the end of that, but not for ever
                self._still_since = now = self._deadlines.seconds()
                self._handshake_until = now + LINGER
                self._deadlines.watch(self, self._handshake_until)
                self._transport.resumeProducing()
            self._fin()

    # What leases and owners ask

    @property
    def transport(self) -> Any:
        """The transport, as long as there is one."""
        return self._transport

    @property
    def is_sending(self) -> bool:
        """Whether a send is under way."""
        return self._phase is Phase.SENDING or self._phase is Phase.FINISHING

    @property
    def is_lost(self) -> bool:
        """Whether the client has reset an unused connection, or it is gone altogether."""
        # While hands are shaken it is read, and the reactor tells.
        if self._phase is Phase.UNUSED and not self._is_shaking_hands and was_reset(self._transport):
            self._reset(DataConnectionFailed(Verdict(Cause.RESET_EARLY)))
        return self._phase in (Phase.REFUSED, Phase.RESET, Phase.GONE)

    @property
    def _is_shaking_hands(self) -> bool:
        """Whether TLS is still to come about."""
        return self.is_private and self._transport is not None and not self._transport.is_secure

    def shut_down(self) -> None:
        """The server stops: reset a send that is under way, close anything else without waiting for the client."""
        self.abort(Cause.CLOSING)
        if self._phase in (Phase.LINGERING, Phase.RECEIVED, Phase.REFUSED):
            self._hang_up()

    def refuse(self, verdict: Verdict) -> None:
        """Under TLS: it is not the connection that it should be. The handshake is finished, for the client must not take that for the fault."""
        if self._phase is Phase.UNUSED or self._phase in IN_TRANSFER:
            self._phase = Phase.REFUSED
            self.error = DataConnectionFailed(verdict)
            self._stop()
            self._transport.forget_waiting()  # octets of the file, perhaps, which are not for this client
            self._still_since = now = self._deadlines.seconds()
            self._deadlines.watch(self, now + LINGER)
            self._transport.loseConnection()
            self._tell()

    # The end

    def fail(self, error: Exception) -> None:
        """End a transfer that is under way: reset the connection, so that no client takes it as whole (P-DX-21)."""
        if self._phase in IN_TRANSFER:
            self._reset(error)
        elif self._receiver is not None:  # the connection is gone, and the last octets cannot be stored
            self.error = error
            self._stop()
            self._tell()

    def _supervise(self) -> Deferred[None]:
        """A transfer is under way: see that it moves, and under TLS that the handshake comes to its end; tell how it ended."""
        result = self._result = Deferred(self._cancelled)
        self._still_since = now = self._deadlines.seconds()
        due = self.stall_timeout / 4
        if self._floor is not None:
            due = min(due, self._floor.due - now)
        if self.is_private:
            self._handshake_until = now + self.handshake_timeout
            due = min(due, self.handshake_timeout)
        self._deadlines.watch(self, now + due)
        return result

    def _cancelled(self, _: object) -> None:
        self.abort(Cause.ABORTED)

    def _fin(self) -> None:
        transport = self._transport
        if self._direct or self.is_private:
            if transport.finish() and self._phase is Phase.FINISHING:
                self._complete()
        elif self._is_half_closeable:
            transport.loseWriteConnection()
        else:
            transport.resumeProducing()  # the peer's end is to be heard of
            transport.loseConnection()
            self._complete()

    @property
    def _is_half_closeable(self) -> bool:
        return IHalfCloseableDescriptor.providedBy(self._transport.below if self.is_private else self._transport)

    def _complete(self) -> None:
        """Every octet and the FIN are with the kernel: 226 may go."""
        self._phase = Phase.LINGERING
        if self._direct and self._transport.close_if_delivered():
            return  # and all who wait have been told
        if self._has_fin and not isinstance(self._transport, DirectIO):
            self._transport.loseConnection()
        if self._phase is Phase.LINGERING:
            self._still_since = now = self._deadlines.seconds()
            self._deadlines.watch(self, now + LINGER)
            if self._direct or self.is_private or self._is_half_closeable:
                self._transport.resumeProducing()
        self._tell()

    def _reset(self, error: Exception) -> None:
        self._phase = Phase.RESET
        self.error = error
        self._stop()
        self._deadlines.forget(self)
        self._transport.abortConnection()
        self._tell()

    def _stop(self) -> None:
        workers, self._sender, self._receiver = (self._sender, self._receiver), None, None
        for worker in workers:
            if worker is not None:
                worker.stop()

    def _tell(self) -> None:
        """Fire the Deferred, if one was given; the last act of whoever calls it, for anything may come of it."""
        result, self._result = self._result, None
        if result is None:
            return
        if self.error is None:
            result.callback(None)
        else:
            result.errback(Failure(self.error))

    def _hang_up(self) -> None:
        """Close without the client's FIN. The kernel still delivers what it holds, so this is no reset."""
        # A refused one has not even come to the end of its handshake; one that cannot be half closed waits already.
        if self._phase is Phase.REFUSED or not (self._direct or self._is_half_closeable):
            self._transport.abortConnection()
        else:
            self._transport.loseConnection()

    def expire(self, now: float) -> float | None:
        """Look after a send that does not move, and after a client that does not close."""
        if self._phase in (Phase.LINGERING, Phase.REFUSED):
            if now < self._still_since + LINGER:
                return self._still_since + LINGER
            self._hang_up()
            return None
        if self._phase not in IN_TRANSFER:
            return None
        is_shaking_hands = self._is_shaking_hands
        if is_shaking_hands and now >= self._handshake_until:
            self.fail(DataConnectionFailed(Verdict(Cause.TLS_NOT_STARTED, seconds=self.handshake_timeout)))
            return None
        # What the client has acknowledged counts: the kernel takes megabytes ahead of a slow client, and then nothing for minutes.
        delivered = self.octets - (self._transport.queued() if self._direct else 0)
        if delivered != self._delivered or (self._receiver is not None and self._receiver.is_storing):
            self._delivered, self._still_since = delivered, now
        end = self._still_since + self.stall_timeout
        if now >= end:
            self.fail(DataConnectionFailed(Verdict(Cause.STALLED, seconds=self.stall_timeout, octets=self.octets)))
            return None
        due = min(end, now + self.stall_timeout / 4, self._handshake_until if is_shaking_hands else end)
        floor = self._floor
        if floor is None:
            return due
        if floor.is_missed(now, delivered):
            self.fail(DataConnectionFailed(Verdict(Cause.TOO_SLOW, seconds=floor.window, rate=int(floor.rate), octets=self.octets)))
            return None
        return min(due, floor.due)

    # What the transport tells (IProtocol, IHalfCloseableProtocol)

    def dataReceived(self, data: bytes) -> None:
        """Octets from the client."""

    def makeConnection(self, transport: Any) -> None:
        """Take the transport; it is connected."""
        self._transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Begin: nothing is read before the transfer."""
        transport = self._transport
        self.is_private = isinstance(transport, SecureTransport)
        self._direct = getattr(transport, "sends_at_once", False)
        if not isinstance(transport, DataServer):  # which is born paused, with its options
            if not (self.is_private and isinstance(transport.below, DataServer)):
                tune_data(transport)
            transport.pauseProducing()
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened(self)

    def readConnectionLost(self) -> None:
        """The client's FIN came, under TLS its close_notify: the end of an upload. Go on sending; after ours it is the end."""
        self._has_fin = True
        self.is_truncated = self.is_private and self._transport.is_truncated
        if self._receiver is not None:
            self._receiver.ended()
        elif self._phase is Phase.LINGERING:
            self._transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our FIN is with the kernel, and so is every octet before it."""
        if self._phase is Phase.FINISHING:
            self._complete()

    def connectionLost(self, reason: Failure) -> None:
        """The transport is gone."""
        phase, self._phase = self._phase, Phase.GONE
        self._deadlines.forget(self)
        # Without a FIN before it a clean end is that of TLS, told by close_notify. The last octets may have to be stored yet.
        is_whole = phase is Phase.RECEIVING and (self._has_fin or isinstance(reason.value, ConnectionDone))
        if not is_whole:
            self._stop()
        if isinstance(reason.value, HandshakeFailed) or (self._is_shaking_hands and phase in IN_TRANSFER):
            why = str(reason.value) if isinstance(reason.value, HandshakeFailed) else "the client went away during it"
            self.error = self.error or DataConnectionFailed(Verdict(Cause.TLS_FAILED, reason=why))
        # Done in good order while finishing: the client's FIN was there before ours, which was then the end at once.
        elif (phase in IN_TRANSFER and not is_whole) and not (phase is Phase.FINISHING and isinstance(reason.value, ConnectionDone)):
            self.error = DataConnectionFailed(Verdict(Cause.LOST, octets=self.octets))
        self._transport = None
        closed, self._closed = self._closed, None
        if closed is not None:
            closed(self)
        if not is_whole:
            self._tell()
        elif not self._has_fin and self._receiver is not None:
            self._receiver.ended()
