"""
The channel between supervisor and worker: JSON, one object a line, over a pair of sockets; questions with answers, and descriptors.

Not here: what is said (``supervisor``, ``worker``).

A line is ``{"say": word, ...}``, or ``{"ask": number, "say": word, ...}``, to which ``{"answer": number, "value": ...}`` comes back.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Channel", "Gone", "connect", "pair"]

Hear = Callable[[str, Mapping[str, Any]], Any]
"""``hear(word, message)``: something was said; what it gives, or its Deferred, is the answer if one was asked for."""


class Gone(Exception):
    """The other side has ended."""


@implementer(IFileDescriptorReceiver)
class Channel(LineOnlyReceiver):
    """
    One end.

    :param hear: told what the other side says.
    :param lost: called once, when the other side is gone.
    """

    delimiter = b"\n"
    MAX_LENGTH = 1 << 28
    _log = Logger()
    transport: Any

    def __init__(self, hear: Hear, lost: Callable[[], object]) -> None:
        self._hear, self._lost = hear, lost
        self._numbers = count(1)
        self._asked: dict[int, Deferred[Any]] = {}
        self._arrived: list[int] = []
        self._is_open = False

    def connectionMade(self) -> None:
        """Ready."""
        self._is_open = True

    def say(self, word: str, descriptors: Iterable[int] = (), **what: object) -> None:
        """Tell the other side; nothing happens if that is gone. The descriptors are duplicated there in their order."""
        self._send({"say": word, **what}, descriptors)

    def ask(self, word: str, descriptors: Iterable[int] = (), **what: object) -> Deferred[Any]:
        """Ask the other side; fails with :class:`Gone` if that ends before it has answered."""
        number = next(self._numbers)
        answer: Deferred[Any] = Deferred(lambda _: self._forget(number))
        if not self._is_open:
            answer.errback(Gone("the other side has ended"))
            return answer
        self._asked[number] = answer
        self._send({"say": word, "ask": number, **what}, descriptors)
        return answer

    def _forget(self, number: int) -> None:
        self._asked.pop(number, None)

    def _send(self, message: Mapping[str, object], descriptors: Iterable[int] = ()) -> None:
        if self._is_open:
            for descriptor in descriptors:
                self.transport.sendFileDescriptor(descriptor)
            self.sendLine(json.dumps(message, separators=(",", ":")).encode())

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """One has come; the line that it belongs to is on its way."""
        os.set_inheritable(descriptor, False)  # Twisted's recvmsg leaves it open to whatever program a plugin may start
        self._arrived.append(descriptor)

    def take(self, count: int) -> list[int]:
        """The descriptors that came with the line that is heard just now."""
        taken, self._arrived = self._arrived[:count], self._arrived[count:]
        return taken

    def lineReceived(self, line: bytes) -> None:
        """The other side speaks."""
        message = json.loads(line)
        if (number := message.get("answer")) is not None:
            if (answer := self._asked.pop(number, None)) is not None:
                answer.callback(message.get("value"))
            return
        heard = maybeDeferred(self._hear, message["say"], message)
        heard.addErrback(self._failed, message["say"])
        if (number := message.get("ask")) is not None:
            heard.addCallback(lambda value: self._send({"answer": number, "value": value}))

    def _failed(self, failure: Failure, word: str) -> None:
        self._log.failure("{word!r} could not be done", failure, word=word)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008 (Twisted's own default)
        """The other side has ended, and with it everything that was asked."""
        self._is_open = False
        for descriptor in self._arrived:
            os.close(descriptor)
        self._arrived.clear()
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            answer.errback(Gone("the other side has ended"))
        self._lost()

    def close(self) -> None:
        """Say no more."""
        if self._is_open:
            self.transport.loseConnection()


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a channel that does not exist yet."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in (ours, theirs):
        end.setblocking(False)
    return ours, theirs


def connect(reactor: Any, end: socket.socket, channel: Channel) -> Channel:
    """Give a channel its end, which belongs to it from now on."""
    with end:
        reactor.adoptStreamConnection(end.fileno(), socket.AF_UNIX, Factory.forProtocol(lambda: channel))
    return channel
