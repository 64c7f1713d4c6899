"""
Our uploads for those who speak Twisted's ``IWriteFile``: its own FTP server, and other people's code.

Not here: the uploads themselves (``uploads``), and other people's ``IWriteFile`` (``foreign_writing``).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.protocols import ftp
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["StockWriter"]


@implementer(ftp.IWriteFile, IConsumer)
class StockWriter:
    """An ``IWriteFile``, and the consumer that it gives, over an ``IUpload``: complete when it is closed."""

    def __init__(self, upload: Any) -> None:
        self._upload = upload
        self._producer: Any = None
        self._waiting: deque[bytes] = deque()  # written by a producer that was asked to pause
        self._is_busy = False
        self._error: Failure | None = None
        self._closing: Deferred[None] | None = None

    def receive(self) -> Deferred[IConsumer]:
        """As in ``IWriteFile``."""
        return succeed(self)  # type: ignore[arg-type]  # mypy's plugin sees one interface of a class

    def close(self) -> Deferred[None]:
        """As in ``IWriteFile``: fires when what was received is the file."""
        closing = self._closing = Deferred()
        self._go_on()
        return closing

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """As in ``IConsumer``."""
        self._producer = producer
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """As in ``IConsumer``."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """As in ``IConsumer``."""
        self._waiting.append(data)
        self._go_on()
        if self._is_busy and self._producer is not None:
            self._producer.pauseProducing()

    def _go_on(self) -> None:
        while self._waiting and not self._is_busy and self._error is None:
            try:
                stored = self._upload.write(self._waiting.popleft())
            except Exception:
                self._error = Failure()
                break
            if stored is not None:
                self._is_busy = True
                stored.addCallbacks(self._stored, self._failed)
        if self._closing is not None and not self._is_busy:
            closing, self._closing = self._closing, None
            if self._error is not None:
                self._upload.abandon()
                closing.errback(self._error)
            else:
                self._upload.finish().addCallbacks(closing.callback, closing.errback)

    def _stored(self, _: object) -> None:
        self._is_busy = False
        self._go_on()
        if not self._is_busy and self._producer is not None:
            self._producer.resumeProducing()

    def _failed(self, failure: Failure) -> None:
        self._is_busy = False
        self._error = failure
        self._go_on()
