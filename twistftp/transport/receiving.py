"""
How octets get out of a data connection and into a sink: by splice, or block by block.

Not here: the connection's life, its supervision and its verdicts (``dtp``). A receiver counts what has arrived in ``connection.octets``
and ends with exactly one of ``connection.received()``, when the sink has taken everything up to a clean end, and ``connection.fail(error)``,
unless it is stopped before. It reads no further while the sink is at work, so what is in memory is bounded and TCP slows the client down.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from contextlib import suppress
from errno import EAGAIN, EINTR
from time import perf_counter
from typing import TYPE_CHECKING, Any

from twisted.internet import main
from twisted.python.failure import Failure

from twistftp.transport.directio import DirectIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from twistftp.transport.dtp import DataConnection

__all__ = ["HAS_SPLICE", "DirectReceiver", "PushReceiver", "Receiver", "receiver_for"]

BLOCK = 1 << 18
"""Octets received at a time."""
PIPE = 1 << 20
"""Octets that a pipe holds; Linux gives a user 64 MiB for all of his pipes, and who gets none goes without."""
SPLICE_FROM = 1 << 18
"""Octets after which an upload gets a pipe: a small one is done by then."""
FAST = 1 << 18
"""Octets at once after which the kernel is asked to tell of as many as are worth it: a file system takes a quarter less for large writes."""
LOW_WATER = 1 << 19
"""That many; it also tells when its buffer is full, or the end has come."""
LOOK = 0.1
"""Seconds after which an upload that has become slow is told of octet by octet again."""
MUCH = 1 << 16
"""Octets at once after which there are probably more: to ask in vain costs an exception."""
TURN = 0.001
"""Seconds after which the reactor gets its turn; so it does after ``LOW_WATER`` octets at once."""
HAS_SPLICE = hasattr(os, "splice")

_AGAIN = frozenset((EAGAIN, EINTR))
_FLAGS = getattr(os, "SPLICE_F_MOVE", 1) | getattr(os, "SPLICE_F_NONBLOCK", 2)
_F_SETPIPE_SZ = 1031


def receiver_for(connection: DataConnection, transport: Any, sink: Any) -> Receiver:
    """The best way to receive over this transport."""
    kind = DirectReceiver if isinstance(transport, DirectIO) and not transport.TLS else PushReceiver
    return kind(connection, transport, sink)


class Receiver:
    """
    What both ways have in common: it is started once, hears of octets and of their end, and can be stopped at any time.

    :ivar is_storing: whether the sink is at work; then it is not the client who is slow.
    """

    __slots__ = ("_connection", "_has_ended", "_sink", "_transport", "is_storing")

    def __init__(self, connection: DataConnection, transport: Any, sink: Any) -> None:
        self._connection, self._transport, self._sink = connection, transport, sink
        self._has_ended = False
        self.is_storing = False

    def start(self) -> None:
        """Begin to read."""
        self._transport.resumeProducing()

    def stop(self) -> None:
        """Read no more and say nothing more."""
        self._connection = self._sink = None  # type: ignore[assignment]

    def push(self, data: bytes) -> None:
        """Octets that the transport has received by itself."""
        raise NotImplementedError

    def ended(self) -> None:
        """The client's clean end has come, behind all octets."""
        self._has_ended = True
        self._check_end()

    @property
    def _is_stopped(self) -> bool:
        return self._connection is None

    def _is_drained(self) -> bool:
        return not self.is_storing

    def _check_end(self) -> None:
        if self._has_ended and not self._is_stopped and self._is_drained():
            self._connection.received()

    def _give(self, method: Any, *arguments: Any) -> bool:
        """Give octets to the sink; whether it takes more at once. If not, :meth:`_resume` is called when it does."""
        try:
            waiting = method(*arguments)
        except Exception as error:
            self._connection.fail(error)
            return False
        if waiting is None:
            return True
        self.is_storing = True
        self._pause()
        waiting.addCallbacks(self._stored, self._failed).addErrback(self._failed)
        return False

    def _pause(self) -> None:
        self._transport.pauseProducing()

    def _stored(self, _: object) -> None:
        self.is_storing = False
        if not self._is_stopped:
            self._resume()
            self._check_end()

    def _failed(self, failure: Failure) -> None:
        self.is_storing = False
        if not self._is_stopped:
            error = failure.value
            self._connection.fail(error if isinstance(error, Exception) else RuntimeError(str(error)))

    def _resume(self) -> None:
        """The sink takes more."""
        raise NotImplementedError


class PushReceiver(Receiver):
    """Over any transport, which pushes; under TLS some more may come after it was asked to pause, and so may the end."""

    __slots__ = ("_waiting",)

    def __init__(self, connection: DataConnection, transport: Any, sink: Any) -> None:
        super().__init__(connection, transport, sink)
        self._waiting: deque[bytes] = deque()

    def push(self, data: bytes) -> None:
        """Give it to the sink, in order."""
        self._connection.octets += len(data)
        if self.is_storing:
            self._waiting.append(data)
        else:
            self._give(self._sink.write, data)

    def _is_drained(self) -> bool:
        return not self.is_storing and not self._waiting

    def _resume(self) -> None:
        while self._waiting:
            if not self._give(self._sink.write, self._waiting.popleft()):
                return
        if not self._has_ended:
            self._transport.resumeProducing()

    def stop(self) -> None:
        """Read no more."""
        self._waiting.clear()
        super().stop()


class DirectReceiver(Receiver):
    """
    Over ``DirectIO``: the octets of a large upload go from the socket through a pipe to the file, without a copy in this process.
    """

    __slots__ = ("_look", "_octets_then", "_pipe", "_takes_pipes")

    def __init__(self, connection: DataConnection, transport: Any, sink: Any) -> None:
        super().__init__(connection, transport, sink)
        self._pipe: tuple[int, int] | None = None
        self._takes_pipes = HAS_SPLICE and bool(sink.takes_pipes)
        self._look: Any = None  # the delayed call of a fast upload
        self._octets_then = 0

    def start(self) -> None:
        """Begin to read."""
        self._transport.read_by(self._read)
        super().start()

    def push(self, data: bytes) -> None:
        """Nothing comes this way."""

    def _read(self) -> BaseException | None:
        """There is something to read; the error that ends the connection, if any."""
        until = perf_counter() + TURN
        while True:
            try:
                count = self._splice(self._pipe) if self._pipe is not None else self._receive()
            except OSError as error:
                return None if error.errno in _AGAIN else main.CONNECTION_LOST  # type: ignore[no-any-return]
            if not count:
                return main.CONNECTION_DONE  # type: ignore[no-any-return]
            if self._is_stopped or self.is_storing or not MUCH <= count < LOW_WATER or perf_counter() > until:
                return None

    def _receive(self) -> int:
        data = self._transport.socket.recv(BLOCK)
        if not data:
            return 0
        connection = self._connection
        connection.octets += len(data)
        if self._give(self._sink.write, data) and self._takes_pipes and connection.octets >= SPLICE_FROM:
            self._open_pipe()
        return len(data)

    def _splice(self, pipe: tuple[int, int]) -> int:
        count = os.splice(self._transport.fileno(), pipe[1], PIPE, flags=_FLAGS)
        if count:
            connection = self._connection
            connection.octets += count
            if self._give(self._sink.take, pipe[0], count) and count >= FAST and self._look is None:
                self._octets_then = connection.octets
                self._look = self._transport.reactor.callLater(LOOK, self._look_after)
                self._wake_at(LOW_WATER)
        return count

    def _look_after(self) -> None:
        """Whether it is still fast: small pieces must not lie in the kernel for long, where nobody sees them."""
        self._look = None
        now = self._connection.octets
        if now - self._octets_then < 4 * LOW_WATER:
            self._wake_at(1)
        else:
            self._octets_then = now
            self._look = self._transport.reactor.callLater(LOOK, self._look_after)

    def _wake_at(self, octets: int) -> None:
        if not self._transport.connected:
            return
        with suppress(OSError):  # about to be lost
            self._transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, octets)

    def _open_pipe(self) -> None:
        try:
            self._pipe = os.pipe2(os.O_CLOEXEC)
        except OSError:  # no more descriptors: it works without, only slower
            self._takes_pipes = False
            return
        try:
            fcntl.fcntl(self._pipe[1], _F_SETPIPE_SZ, PIPE)
        except OSError:  # no more pages for this user's pipes, and a small one is slower than none
            self._takes_pipes = False
            self._close_pipe()

    def _resume(self) -> None:
        self._transport.resumeProducing()

    def _stored(self, result: object) -> None:
        super()._stored(result)
        if self._is_stopped:
            self._close_pipe()

    def _failed(self, failure: Failure) -> None:
        super()._failed(failure)
        self._close_pipe()

    def stop(self) -> None:
        """Read no more; a pipe that the sink is at work on is closed when it is done with it."""
        self._transport.read_by(None)
        super().stop()
        if self._look is not None:
            self._look.cancel()
            self._look = None
            self._wake_at(1)
        if not self.is_storing:
            self._close_pipe()

    def _close_pipe(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            os.close(pipe[0])
            os.close(pipe[1])
