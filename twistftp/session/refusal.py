"""
A connection that gets no session: one reply and the end.

Not here: who is refused and why (``site`` decides).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from twistftp.transport.output import hang_up
from twistftp.wire.replies import Reply

__all__ = ["Refusal"]

_CLOSE_WAIT = 5.0  # seconds until a client that does not close is cut off (PROTOCOL P-TIME-8)


class Refusal(Protocol):
    """Says ``reply`` (a 421), or nothing where clear text would be (implicit TLS), closes, and reads nothing."""

    def __init__(self, reply: Reply | None, deadlines: Any) -> None:
        self._reply = reply
        self._deadlines = deadlines
        self._is_lost = False

    def connectionMade(self) -> None:
        """Say it and close."""
        transport: Any = self.transport
        if self._reply is not None:
            transport.write(self._reply.octets)
        hang_up(transport)
        if not self._is_lost:
            self._deadlines.watch(self, self._deadlines.seconds() + _CLOSE_WAIT)

    def connectionLost(self, reason: Failure | None = None) -> None:  # type: ignore[override]
        """Nothing is left to do."""
        self._is_lost = True
        self._deadlines.forget(self)

    def expire(self, now: float) -> None:
        """The client did not go by itself."""
        if not self._is_lost:
            self.transport.abortConnection()  # type: ignore[union-attr]
