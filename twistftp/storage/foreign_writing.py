"""
Other people's ``IWriteFile``, which is a consumer, as an upload that is written block by block.

Not here: which file it is and how its failures are told (``foreign``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.storage.failures import WriteFailed
from twistftp.storage.interfaces import IUpload

__all__ = ["ForeignUpload"]


@implementer(IUpload, IPushProducer)
class ForeignUpload:
    """
    An ``IUpload`` that pushes its octets at the consumer of an ``IWriteFile``.

    The interface knows no upload that broke: what the shell makes of one is its own affair, and it keeps what it got.

    :param opener: opens the ``IWriteFile``: a Deferred. It is called at the first octet, for most shells empty the file then.
    :param offset: where the first octet goes.
    """

    takes_pipes = False

    def __init__(
        self, opener: Callable[[], Deferred[Any]], offset: int = 0, translate: Callable[[Failure], Failure] = lambda failure: failure
    ) -> None:
        self.offset = offset
        self.octets = 0
        self._opener = opener
        self._translate = translate
        self._writer: Any = None
        self._consumer: Any = None
        self._is_paused = self._is_over = False
        self._error: Exception | None = None
        self._waiting: Deferred[None] | None = None

    # IUpload

    def write(self, data: bytes) -> Deferred[None] | None:
        """As in ``IUpload``."""
        if self._is_over:
            raise ValueError("the upload is over")
        if self._error is not None:
            raise self._error
        self.octets += len(data)
        if self._consumer is None:
            return self._open().addCallback(lambda _: self._push(data))
        return self._push(data)

    def take(self, pipe: int, count: int) -> None:
        """:raises ValueError: it takes none."""
        raise ValueError("this upload takes no pipes")

    def finish(self) -> Deferred[None]:
        """As in ``IUpload``: the shell's own word that all is done."""
        if self._error is not None:
            raise self._error
        opened = self._open() if self._consumer is None else succeed(None)
        self._is_over = True
        return opened.addCallback(lambda _: self._close())

    def abandon(self) -> int | None:
        """As in ``IUpload``, as far as a shell can."""
        if self._is_over:
            return None
        self._is_over = True
        if self._consumer is None:
            return None
        self._close().addErrback(lambda _: None)  # it broke: nobody is left to be told
        return self.offset + self.octets

    # IPushProducer, for the consumer

    def pauseProducing(self) -> None:
        """The consumer has enough for now."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """The consumer takes more."""
        self._is_paused = False
        self._wake(None)

    def stopProducing(self) -> None:
        """The consumer takes no more at all."""
        if not self._is_over:
            self._error = WriteFailed("the file takes no more")
            self._wake(self._error)

    def _wake(self, error: Exception | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.called:
            return
        if error is None:
            waiting.callback(None)
        else:
            waiting.errback(error)

    def _open(self) -> Deferred[None]:
        return self._opener().addCallback(self._opened).addErrback(self._translate)

    def _opened(self, writer: Any) -> Deferred[None]:
        self._writer = writer
        return maybeDeferred(writer.receive).addCallback(self._received)

    def _received(self, consumer: Any) -> None:
        self._consumer = consumer
        consumer.registerProducer(self, True)

    def _push(self, data: bytes) -> Deferred[None] | None:
        try:
            self._consumer.write(data)
        except Exception:
            self._translate(Failure()).raiseException()  # or raises what it knows
        if self._error is not None:
            raise self._error
        if not self._is_paused:
            return None
        self._waiting = Deferred()
        return self._waiting

    def _close(self) -> Deferred[None]:
        def close() -> Any:
            self._consumer.unregisterProducer()
            return self._writer.close()

        return maybeDeferred(close).addErrback(self._translate).addCallback(lambda _: None)
