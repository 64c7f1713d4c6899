"""
Data connections of a replay: ports and connections on which happens what the capsule says, when it says so.

Not here: reading the capsule (``replay``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.capsules.data import KEPT, verdict_of
from twistftp.capsules.format import unpacked
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.transport.interfaces import DataConnectionFailed, IDataConnection, IDataPort, ShortFile

__all__ = ["PlayedConnection", "PlayedPort"]

_BLOCK = 1 << 16


@implementer(IDataPort)
class PlayedPort:
    """
    A data port whose client comes when :meth:`opened` says so.

    :param awaited: called with this when a transfer waits for the connection.
    """

    failure: Verdict | None = None

    def __init__(self, number: int, awaited: Callable[[PlayedPort], object]) -> None:
        self.local_port = self.port = number
        self._awaited = awaited
        self._result: Deferred[PlayedConnection] | None = None
        self._knocked: Callable[[], object] | None = None
        self._is_over = False
        self.made: PlayedConnection | None = None

    def connection(self, timeout: float) -> Deferred[PlayedConnection]:
        """Always later: the capsule says when."""
        if self._is_over:
            raise DataConnectionFailed(Verdict(Cause.NOT_SET_UP))
        result: Deferred[PlayedConnection] = Deferred(lambda _: self.failed(None))
        self._result = result
        self._awaited(self)
        return result

    def when_knocked(self, knocked: Callable[[], object]) -> None:
        """As of a lease."""
        self._knocked = knocked

    def knock(self) -> None:
        """Somebody has come who may be the client: 150 may go (PROTOCOL P-TD-2)."""
        knocked, self._knocked = self._knocked, None
        if knocked is not None and self._result is not None:
            knocked()

    def opened(self, is_private: bool, ahead: Mapping[str, Any]) -> None:
        """The client has come. ``ahead`` is how the connection will end."""
        result, self._result, self._is_over = self._result, None, True
        if result is not None:
            self.made = PlayedConnection(is_private, ahead)
            result.callback(self.made)

    def failed(self, verdict: Verdict | None) -> None:
        """It will not come."""
        result, self._result, self._is_over = self._result, None, True
        if result is not None and verdict is not None:
            self.failure = verdict
            result.errback(DataConnectionFailed(verdict))

    def close(self) -> None:
        """As in ``IDataPort``."""
        self.failed(Verdict(Cause.ABORTED))

    refuse = close


@implementer(IDataConnection)
class PlayedConnection:
    """
    A data connection that moves as many octets as the real one did, and ends when :meth:`ended` says so.

    :param ahead: the capsule's event about its end.
    """

    peer = ("", 0)
    is_truncated = False
    stall_timeout = 0.0
    """Not minded: it moves when the real one did."""

    def __init__(self, is_private: bool, ahead: Mapping[str, Any]) -> None:
        self.is_private = is_private
        self.octets = 0
        self._ahead = ahead
        self.is_whole = isinstance(ahead.get("ended"), str) and ahead["ended"].startswith("FIN")
        self._read: Any = None
        self._sink: Any = None
        self._result: Deferred[None] | None = None
        self._error: BaseException | None = None
        self._is_ending = self._is_done = self._is_pumping = False
        self._digest = hashlib.sha256()
        self.head = bytearray()
        """The beginning of what was sent."""

    def set_rates(self, pace: Any, least: int) -> None:
        """As fast as the replay goes."""

    def send_file(self, file: Any, offset: int, count: int) -> Deferred[None]:
        """As in ``IDataConnection``."""
        left = count

        def read() -> Any:
            nonlocal left
            return maybeDeferred(file.read_at, offset + count - left, min(_BLOCK, left)).addCallback(took) if left else b""

        def took(data: bytes) -> bytes:
            nonlocal left
            if not data:
                raise ShortFile
            left -= len(data)
            return data

        return self._begin(read)

    def send(self, source: Any) -> Deferred[None]:
        """As in ``IDataConnection``."""
        return self._begin(source.read)

    def _begin(self, read: Callable[[], Any]) -> Deferred[None]:
        self._read = read
        result = self._promise()
        self._pump()
        return result

    def _promise(self) -> Deferred[None]:
        if self._error is not None:
            raise self._error
        self._result = Deferred(lambda _: self.abort(Cause.ABORTED))
        return self._result

    def _pump(self) -> None:
        """Take what the client took; the end only when its time has come."""
        if self._is_pumping or self._read is None:
            return
        self._is_pumping = True
        try:
            while self._read is not None and not self._is_done and self._error is None and (self._is_ending or self.octets < self._limit):
                given: Deferred[bytes] = maybeDeferred(self._read)
                if not given.called:
                    given.addCallbacks(self._took_later, self._failed)
                    return
                given.addCallbacks(self._took, self._failed)
        finally:
            self._is_pumping = False

    @property
    def _limit(self) -> int:
        sent = self._ahead.get("sent") or {}
        return int(self._ahead.get("moved", sent.get("octets", 0)))

    def _took_later(self, data: bytes) -> None:
        self._took(data)
        self._pump()

    def _took(self, data: bytes) -> None:
        if self._error is not None or self._is_done:
            return
        if not self.is_whole:
            data = data[: max(0, self._limit - self.octets)]  # more of it never reached the client
        if not data:
            self._read = None  # there is no more, whatever the capsule says
            if self.is_whole:
                self._is_done = True
                self._fire(None)
        self.octets += len(data)
        self._digest.update(data)
        self.head += data[: max(0, KEPT - len(self.head))]

    def _failed(self, failure: Failure) -> None:
        self._end(failure.value or Exception("nothing"))

    def receive(self, sink: Any) -> Deferred[None]:
        """As in ``IDataConnection``: all that the client sent comes at once, its end when its time has come."""
        self._sink = sink
        result = self._promise()
        received = self._ahead.get("received") or {}
        content, octets = unpacked(received) or b"", int(received.get("octets", 0))
        self._give(content[:octets], octets)
        return result

    def _give(self, content: bytes, octets: int) -> None:
        while self.octets < octets and self._error is None:
            data = content[self.octets : self.octets + _BLOCK] or bytes(min(_BLOCK, octets - self.octets))
            self.octets += len(data)
            stored: Deferred[Any] = maybeDeferred(self._sink.write, data)
            stored.addErrback(self._failed)
            if not stored.called or stored.paused:
                stored.addCallback(lambda _: self._give(content, octets))
                return
        if self._is_ending:
            self._receive_end()

    def _receive_end(self) -> None:
        if self.is_whole and self._error is None:
            self._is_done = True
            self._fire(None)

    def ended(self) -> None:
        """Its end has come, as the capsule says it was."""
        if self._is_ending:
            return
        self._is_ending = True
        end = self._ahead["ended"]
        if isinstance(end, Mapping):
            self._end(DataConnectionFailed(verdict_of({**end, "octets": self.octets})))
        elif self._sink is not None:
            self.is_truncated = end == "FIN without close_notify"
            self._receive_end()
        else:
            self._pump()

    def _end(self, error: BaseException) -> None:
        if self._error is None and not self._is_done:
            self._error = error
            self._fire(error)

    def _fire(self, error: BaseException | None) -> None:
        result, self._result = self._result, None
        if result is not None:
            result.callback(None) if error is None else result.errback(error)

    def abort(self, cause: Cause) -> None:
        """As in ``IDataConnection``."""
        self._end(DataConnectionFailed(Verdict(cause, octets=self.octets)))

    def close(self) -> None:
        """As in ``IDataConnection``."""

    @property
    def sha256(self) -> str:
        """Of what was sent."""
        return self._digest.hexdigest()
