"""
A TCP transport that hands octets to the kernel at once instead of in the reactor's next turn.

Not here: making such transports (``sockets``), and what is sent and when (``dtp``, ``sending``).

Twisted's ``write`` puts octets into a buffer, asks the reactor to watch the socket for writing, and sends in the next
turn: two ``epoll_ctl`` and a turn for a reply of thirty octets that the socket would have taken at once.
:class:`DirectIO` tries first and leaves to the buffer what does not fit.
"""

from __future__ import annotations

import socket
import sys
from array import array
from collections.abc import Callable
from typing import Any

from twisted.internet import main, tcp
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistftp.transport.turns import Turns, turns_of

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["APART", "CLOSED", "DirectIO"]

CLOSED = Failure(main.CONNECTION_DONE)
_log = Logger()

# ``send`` flag: more follows, or a FIN, so do not send a segment that is not full yet.
_MORE = getattr(socket, "MSG_MORE", 0)
# ``send`` flag: make no segment of these octets and later ones. Elsewhere than on Linux streams refuse it.
APART = socket.MSG_EOR if sys.platform == "linux" else 0
_QUEUED = getattr(termios, "TIOCOUTQ", None) if fcntl else None
_UNREAD = getattr(termios, "FIONREAD", None) if fcntl else None
_answer = array("i", [0])  # what ioctl fills in; given octets, it takes four times as long, for the attempt to write into them

Hook = Callable[[], BaseException | None]


class DirectIO(tcp.Connection):
    """Mixin for kinds of ``tcp.Connection``: sends at once, closes its half at once, and tells when the socket takes octets again."""

    sends_at_once = True  # write_more and when_writable work (``secure.SecureTransport`` may have it, too)
    flags = 0
    """Of ``send`` for what :meth:`write` is given: :data:`APART`, or none."""
    _read_closed = False
    _hook: Hook | None = None
    _turns: Turns | None = None

    @property
    def turns(self) -> Turns:
        """How a turn of its reactor is shared."""
        if self._turns is None:
            self._turns = turns_of(self.reactor)
        return self._turns

    def write(self, data: bytes) -> None:
        """Send ``data``; what the kernel does not take now waits in the reactor's buffer, in order."""
        rest = self._hand_over(data, self.flags)
        if rest:
            super().write(rest)

    def write_more(self, data: bytes) -> bool:
        """
        ``write`` for octets that others or :meth:`finish` will follow soon: a last short segment and the FIN go out as one.

        :return: whether the kernel took everything; if not, wait with :meth:`when_writable`.
        """
        rest = self._hand_over(data, _MORE)
        if not rest:
            return True
        super().write(rest)
        return False

    def writeSequence(self, iovec: Any) -> None:
        """``write`` for several pieces."""
        if self.TLS:
            super().writeSequence(iovec)
        else:
            self.write(b"".join(iovec))

    def _hand_over(self, data: bytes, flags: int) -> bytes:
        """Send if nothing waits before ``data``; give back what the kernel did not take."""
        if (
            self._tempDataLen
            or self.dataBuffer
            or self.TLS
            or not self.connected
            or self.disconnecting
            or self._writeDisconnecting
            # A pull producer is asked for more by doWrite after its octets are out, so they must go through it.
            or (self.producer is not None and not self.streamingProducer)
        ):
            return data
        try:
            sent = self.socket.send(data, flags)
        except OSError:
            # Would block, or lost: then doWrite meets it again in a turn of its own and reports it. Reported
            # from here, connectionLost would come in the midst of the caller's work.
            return data
        return b"" if sent == len(data) else data[sent:]

    def when_writable(self, hook: Hook) -> None:
        """
        Call ``hook`` once, in a later turn, when the buffer is empty, the socket takes octets, and others leave it time (``turns``).

        It may call this again. An exception that it returns ends the connection as one returned by ``doWrite``.
        """
        self._hook = hook
        self.startWriting()

    def forget_hook(self) -> None:
        """Take back :meth:`when_writable`."""
        self._hook = None

    def read_by(self, reader: Hook | None) -> None:
        """
        Call ``reader`` instead of receiving whenever there is something to receive; ``None``: receive, and tell the protocol.

        An exception that it returns ends the connection as one returned by ``doRead``; ``CONNECTION_DONE`` says that the FIN came.
        """
        if reader is not None:
            self.doRead = reader  # type: ignore[method-assign, assignment]
        else:
            self.__dict__.pop("doRead", None)

    def doWrite(self) -> BaseException | None:  # type: ignore[override]
        """The socket takes octets: the buffer goes first, then the hook's turn comes."""
        if self._hook is None or self.dataBuffer or self._tempDataLen:
            result: BaseException | None = super().doWrite()
            if result is not None or self._hook is None or self.dataBuffer or self._tempDataLen:
                return result
            self.startWriting()  # the buffer's end stopped it, and the hook may find the socket full
        if self.turns.may_go(self):
            return self._call_hook()
        self.stopWriting()
        return None

    def go(self) -> None:
        """The turn that :meth:`doWrite` found to be others'."""
        if not self.connected or self._hook is None or self.dataBuffer or self._tempDataLen:
            return  # what is in the buffer goes first, by doWrite
        try:
            error = self._call_hook()
        except Exception as raised:  # as the reactor does with doWrite
            _log.failure("Sending has failed")
            error = raised
        if error is not None:
            self.connectionLost(Failure(error))

    def _call_hook(self) -> BaseException | None:
        hook, self._hook = self._hook, None
        result = hook() if hook is not None else None
        # A FIN that is still to go out is doWrite's business, and if it could not, the connection is lost and doWrite is to find that.
        is_finishing = self._writeDisconnecting and not self._writeDisconnected
        if result is None and self.connected and not (self._hook or self.dataBuffer or self._tempDataLen or self.disconnecting or is_finishing):
            self.stopWriting()
        return result

    def finish(self) -> bool:
        """
        Send FIN after what is in the buffer; the other direction stays open. Under TLS: close_notify and an ordinary close.

        When the peer's FIN came earlier, ours closes the connection, and ``connectionLost`` may come from inside this call.

        :return: whether the FIN is with the kernel now; else the protocol's ``writeConnectionLost`` tells (RFC 959 §3.3).
        """
        if self.TLS:
            self.loseConnection()
            return False
        if not self.connected or self.disconnecting or self._writeDisconnecting:
            return bool(self._writeDisconnected)
        self._writeDisconnecting = True
        if self._tempDataLen or self.dataBuffer:
            return False  # and doWrite is at work on it
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.startWriting()  # lost, and doWrite finds that out in its own turn
            return False
        self._writeDisconnected = True
        if self._read_closed:
            self.connectionLost(CLOSED)
        return True

    def _closeWriteConnection(self) -> BaseException | None:  # type: ignore[override]
        super()._closeWriteConnection()
        return main.CONNECTION_DONE if self._read_closed and self.connected else None

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer's FIN came: after ours it is the end, without another turn of the reactor."""
        self._read_closed = True
        if self._writeDisconnected:
            self.connectionLost(reason)
        else:
            super().readConnectionLost(reason)

    def startReading(self) -> None:
        """Read, but no more after the peer's FIN: the reactor would report it again in every turn."""
        if not self._read_closed:
            super().startReading()

    def loseConnection(self) -> None:  # type: ignore[override]
        """Close both directions behind what was written; after :meth:`finish` at once, without a ``Failure`` of its own for each connection."""
        if self._writeDisconnected and self.connected and not self.disconnecting:
            self.connectionLost(CLOSED)
        else:
            super().loseConnection()

    def queued(self) -> int:
        """Octets that the kernel holds and the peer has not acknowledged; 0 where the system does not tell."""
        if _QUEUED is None or not self.connected:
            return 0
        try:
            fcntl.ioctl(self.socket.fileno(), _QUEUED, _answer)
        except OSError:
            return 0
        return _answer[0]

    def close_if_delivered(self) -> bool:
        """
        After :meth:`finish`: close at once if the peer's kernel has everything, FIN included, and has sent nothing that we did not read,
        so that no reset can follow. ``connectionLost`` comes from inside this call. Where the system does not tell, nothing is done.

        :return: whether it was closed.
        """
        if _QUEUED is None or _UNREAD is None or not self._writeDisconnected or not self.connected:
            return False
        descriptor = self.socket.fileno()
        try:
            for question in (_QUEUED, _UNREAD):
                fcntl.ioctl(descriptor, question, _answer)
                if _answer[0]:
                    return False
        except OSError:
            return False
        self.connectionLost(CLOSED)
        return True
