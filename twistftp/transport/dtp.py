"""
The data transfer process of one data connection: what it is used for, sending or receiving (RFC 959 §2.3).

Not here: its life from the first octet to the last FIN (``lifecycle``), how octets get in (``sending``) and out (``receiving``), where
connections come from (``leases``, ``active``), and replies.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twistftp.policy.bandwidth import WINDOW, Floor
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.transport.interfaces import DataConnectionFailed, IDataConnection
from twistftp.transport.lifecycle import IN_TRANSFER, LINGER, Lifecycle, Phase
from twistftp.transport.receiving import receiver_for
from twistftp.transport.sending import HAS_SENDFILE, SMALL, FileSource, Sender, SendfileSender, sender_for
from twistftp.transport.throttle import Pace, PacedSendfileSender, PacedSink, PacedSource

__all__ = ["LINGER", "DataConnection"]


@implementer(IDataConnection)
class DataConnection(Lifecycle):
    """
    One data connection, used for one transfer, which it sends or receives. Client octets are thrown away while it sends (P-DX-16).
    """

    __slots__ = ()

    # What the session asks (IDataConnection)

    def set_rates(self, pace: Pace | None, least: int) -> None:
        """Before a transfer: how fast and how slowly it may go; see :class:`IDataConnection`."""
        self._pace = pace
        self._floor = Floor(least, self._deadlines.seconds(), 0, min(WINDOW, self.stall_timeout)) if least else None

    def send_file(self, file: Any, offset: int, count: int) -> Deferred[None] | None:
        """Send a part of a file, then FIN; see :class:`IDataConnection`."""
        transport = self._transport
        if not self._direct:
            return self.send(FileSource(file, offset, count))
        if count <= SMALL and self._pace is None:
            data = file.read_at(offset, count)
            return self._send_whole(data) if type(data) is bytes and len(data) == count else self.send(FileSource(file, offset, count, data))
        if count > SMALL and HAS_SENDFILE and file.descriptor is not None and not self.is_private:
            if self._pace is not None:
                return self._send(PacedSendfileSender(self, transport, file, offset, count, self._pace))
            return self._send(SendfileSender(self, transport, file, offset, count))
        return self.send(FileSource(file, offset, count))

    def send(self, source: Any) -> Deferred[None] | None:
        """Send what a source gives, then FIN; see :class:`IDataConnection`."""
        return self._send(self._sender_of(source))

    def receive(self, sink: Any) -> Deferred[None]:
        """Receive up to the client's FIN; see :class:`IDataConnection`."""
        if self._phase is not Phase.UNUSED:
            raise self.error or DataConnectionFailed(Verdict(Cause.LOST, octets=self.octets))
        self._phase = Phase.RECEIVING
        result = self._supervise()
        self._receiver = receiver_for(self, self._transport, sink if self._pace is None else PacedSink(sink, self._pace))
        self._receiver.start()
        return result

    # What senders and receivers ask

    def received(self) -> None:
        """Everything up to the client's clean end is stored; the connection may be gone already."""
        if self._phase is Phase.RECEIVING:
            self._phase = Phase.RECEIVED
        self._deadlines.forget(self)
        self._stop()
        self._tell()

    def written(self) -> None:
        """All octets are with the transport: send FIN after them."""
        if self._phase is Phase.SENDING:
            self._phase = Phase.FINISHING
            self._sender = None
            self._fin()

    def send_otherwise(self, source: Any) -> None:
        """Go on with a source where the sender at work cannot."""
        if self._phase is Phase.SENDING:
            self._sender = self._sender_of(source)
            self._sender.start()

    def _sender_of(self, source: Any) -> Sender:
        return sender_for(self, self._transport, source if self._pace is None else PacedSource(source, self._pace))

    # The course of a transfer

    def _send(self, sender: Sender) -> Deferred[None] | None:
        self._begin()
        self._sender = sender
        sender.start()
        return self._outcome()

    def _send_whole(self, data: bytes) -> Deferred[None] | None:
        """All there is, in one write and the FIN behind it: what the kernel does not take of it waits in the transport's buffer."""
        self._begin()
        self.octets = len(data)
        self._transport.write_more(data)
        self.written()
        return self._outcome()

    def _begin(self) -> None:
        if self._phase is not Phase.UNUSED:
            raise self.error or DataConnectionFailed(Verdict(Cause.LOST, octets=self.octets))
        self._phase = Phase.SENDING

    def _outcome(self) -> Deferred[None] | None:
        if self._phase in IN_TRANSFER:
            result = self._supervise()
            self._transport.resumeProducing()
            return result
        if self.error is not None:
            raise self.error
        return None

    def dataReceived(self, data: bytes) -> None:
        """Receive it on an upload; throw it away on a download (P-DX-16)."""
        if self._receiver is not None:
            self._receiver.push(data)
