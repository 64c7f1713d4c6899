"""
Replies on their way out: in order, several in one write, a 227 alone; and whether the next command may run yet.

Not here: making replies, and reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from twistftp.transport.output import holds_output, writes_through
from twistftp.transport.turns import turns_of
from twistftp.wire.replies import Reply

__all__ = ["Outlet"]

# Connection tracking reads a 227 or 229 only at the start of a segment, and drops a part of one (PROTOCOL P-PB-4, P-PB-5).
_ALONE = frozenset((227, 229))
_TURNS = 3
"""Turns of the reactor in which the transport hands over what it holds, if the client reads."""
_UNREAD = 0.1
"""Seconds between two looks if it does not: one in every turn would keep the reactor from ever being idle."""


@implementer(IPushProducer)
class Outlet:
    """
    The writing side of one control connection.

    While it is not ``is_open`` no further command may run; ``ready`` is called when it is open again. Registered as the transport's
    push producer it hears that the client does not read its replies, and tells ``blocked``.
    """

    __slots__ = ("_blocked", "_cork", "_gives_way", "_held", "_pending", "_reactor", "_ready", "_transport", "_turns", "is_blocked")

    def __init__(
        self, transport: Any, reactor: Any, ready: Callable[[], None], blocked: Callable[[bool], object] = lambda is_blocked: None
    ) -> None:
        self._transport = transport
        self._reactor = reactor
        self._ready = ready
        self._blocked = blocked
        self._cork: list[bytes] | None = None
        self._held: bytes | None = None  # a reply that must go out alone and waits for what is before it
        self._pending: Any = None  # the delayed call after which commands go on
        self._turns = 0  # for which a reply has waited
        self._gives_way = False  # until those who have much to do have had their turn
        self.is_blocked = False  # the client does not read its replies

    def use(self, transport: Any) -> None:
        """Write there from now on."""
        self._transport = transport

    @property
    def is_open(self) -> bool:
        """Whether the next command may run."""
        return self._pending is None and not self._gives_way and not self.is_blocked

    def cork(self) -> None:
        """Several replies will come in this turn: let them leave in one write."""
        self._cork = []

    def uncork(self) -> None:
        """Write what was gathered."""
        replies, self._cork = self._cork, None
        if replies:
            self._transport.write(b"".join(replies))

    def send(self, reply: Reply) -> None:
        """Write a reply, after all that were sent before it."""
        if self._held is not None:  # only the end of the connection is said over a reply that waits
            self._cork = [self._held, reply.octets]
            self._held = None
            self.uncork()
        elif reply.code in _ALONE:
            self.uncork()
            self._held = reply.octets
            self._send_alone()
        elif self._cork is not None:
            self._cork.append(reply.octets)
        else:
            self._transport.write(reply.octets)

    def send_octets(self, octets: bytes) -> None:
        """Write something that is no reply: answers to Telnet options, between replies."""
        if self._cork is not None:
            self._cork.append(octets)
        else:
            self._transport.write(octets)

    def _send_alone(self) -> None:
        """Where the transport keeps what it is given for the reactor's next turn, the reply and the next command wait for that turn."""
        if self._held is not None and not holds_output(self._transport):
            octets, self._held, self._turns = self._held, None, 0
            self._transport.write(octets)
            if writes_through(self._transport):
                return
        self._turns += 1
        if self._pending is None:
            self._pending = self._reactor.callLater(0 if self._turns <= _TURNS else _UNREAD, self._look_again)

    def give_way(self) -> None:
        """Let other clients have their turn before the next command; those with as many commands as this one share what time there is."""
        if not self._gives_way:
            self._gives_way = True
            turns_of(self._reactor).wait(self)

    def go(self) -> None:
        """The turn has come (``transport.turns``)."""
        if self._gives_way:
            self._gives_way = False
            self._go_on()

    def _look_again(self) -> None:
        self._pending = None
        self._go_on()

    def _go_on(self) -> None:
        if self._held is not None:
            self._send_alone()
        if self.is_open:
            self._ready()

    def pauseProducing(self) -> None:
        """IPushProducer, told by the transport: replies pile up; no further line runs until they have gone."""
        if not self.is_blocked:
            self.is_blocked = True
            self._blocked(True)

    def resumeProducing(self) -> None:
        """IPushProducer: the client reads again."""
        self.is_blocked = False
        self._blocked(False)
        self._ready()

    def stopProducing(self) -> None:
        """IPushProducer: the connection is gone; the protocol hears of it."""

    def close(self) -> None:
        """Nothing more will be sent and nothing called."""
        self._held = self._cork = None
        self._gives_way = False
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
