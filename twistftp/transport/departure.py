"""
What of a TLS engine is no OpenSSL: its making, its failures, and the way back to clear text.

Not here: the engine itself (``engine``), which brings OpenSSL along. A server without TLS imports this one alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twistftp.transport.engine import Engine

__all__ = ["Departure", "EngineFailed", "HandshakeFailed", "engine_of"]

_RECORDS = range(20, 25)  # content types of TLS; no line of FTP begins so
_HEADER = 5


class EngineFailed(Exception):
    """OpenSSL gives up; the text is its reason."""


class HandshakeFailed(Exception):
    """No TLS came about; the text is the reason."""


def engine_of(connection: Any) -> Engine:
    """The engine of a pyOpenSSL connection, whose maker (``tls``) has imported what it takes."""
    from twistftp.transport.engine import Engine

    return Engine(connection)


class Departure:
    """
    The way back to clear text after our close_notify (RFC 4217 §5): what the client says in TLS is thrown away up to its own
    close_notify, or to octets that are no TLS; what follows is in clear.
    """

    __slots__ = ("_engine", "_octets")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._octets = b""

    def receive(self, data: bytes) -> bytes | None:
        """Octets of the client, one record at a time; those in clear as soon as it has left TLS, ``None`` before."""
        self._octets += data
        while self._octets:
            if self._octets[0] not in _RECORDS:
                return self._octets
            end = _HEADER + int.from_bytes(self._octets[3:_HEADER], "big")
            if len(self._octets) < max(end, _HEADER):
                return None
            record, self._octets = self._octets[:end], self._octets[end:]
            self._engine.feed(record)
            if self.is_over():
                return self._octets
        return None

    def is_over(self) -> bool:
        """Whether the client's close_notify is among what has been fed already."""
        try:
            while data := self._engine.read():
                pass
        except EngineFailed:  # no TLS any more
            return True
        return data is not None
