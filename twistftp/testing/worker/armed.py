"""
The faults of one site while it runs: which occasions are left to each.

Not here: what they do (``testing.faults``), and doing it (``control``, ``data``, ``site``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from twistftp.testing.faults.base import SILENCE, Fault, Occasional
from twistftp.wire.replies import Reply

__all__ = ["Armed", "Armoury"]


class Armed:
    """A fault, and how many occasions it has had."""

    __slots__ = ("fault", "occasions")

    def __init__(self, fault: Occasional) -> None:
        self.fault = fault
        self.occasions = 0

    @property
    def is_left(self) -> bool:
        """Whether another occasion counts."""
        return self.fault.times is None or self.occasions < self.fault.times

    def use(self) -> None:
        """An occasion was one."""
        self.occasions += 1


class Armoury:
    """All faults of a site; each question is answered by all that have an occasion left, in the order in which they were given."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._armed = [Armed(fault) for fault in self.faults if isinstance(fault, Occasional)]

    def __iter__(self) -> Iterator[Armed]:
        return (armed for armed in self._armed if armed.is_left)

    def has(self, name: str) -> bool:
        """Whether a fault of this name is set."""
        return any(fault.name == name for fault in self.faults)

    @property
    def certificate(self) -> str:
        """Which wrong certificate is shown."""
        return next((fault.certificate for fault in self.faults if fault.certificate), "")

    @property
    def refuses_tickets(self) -> bool:
        """Whether no TLS session is resumed."""
        return any(fault.refuses_tickets for fault in self.faults)

    def answers(self, count: int, verb: str) -> Reply | None:
        """What a command is answered instead of being carried out."""
        for armed in self:
            if (reply := armed.fault.answers(count, verb)) is not None:
                armed.use()
                return reply
        return None

    def half_closes(self, count: int) -> bool:
        """Whether the server's direction ends behind the reply to this command."""
        found = [armed for armed in self if armed.fault.half_closes(count)]
        for armed in found:
            armed.use()
        return bool(found)

    def wait_before(self, verb: str) -> float:
        """Seconds before a command."""
        return self._longest([(armed, armed.fault.wait_before(verb)) for armed in self])

    def wait_after(self, verb: str, reply: Reply) -> float:
        """Seconds behind it."""
        return self._longest([(armed, armed.fault.wait_after(verb, reply)) for armed in self])

    def _longest(self, waits: list[tuple[Armed, float]]) -> float:
        for armed, seconds in waits:
            if seconds:
                armed.use()
        return max((seconds for _, seconds in waits), default=0.0)

    def said(self, verb: str, reply: Reply, closed_port: int) -> Reply:
        """What is said instead of a reply, ``SILENCE`` perhaps."""
        for armed in self:
            other = armed.fault.said(verb, reply, armed.occasions, closed_port)
            if other is not reply:
                armed.use()
                reply = other
            if reply is SILENCE:
                break
        return reply

    def pieces(self, octets: bytes) -> tuple[list[bytes], float]:
        """The pieces of a reply, and the seconds between them; the first fault that cuts it does."""
        for armed in self:
            pieces = armed.fault.pieces(octets, armed.occasions)
            if len(pieces) > 1:
                armed.use()
                return pieces, armed.fault.pause
        return [octets], 0.0

    def control_limit(self) -> tuple[int, float] | None:
        """Octets after which a new control connection will be reset, and seconds behind them. The connection is the occasion."""
        found = [(armed, limit) for armed in self if (limit := armed.fault.control_limit()) is not None]
        for armed, _ in found:
            armed.use()
        return min(((limit, armed.fault.pause) for armed, limit in found), default=None)

    def for_data(self, verb: str) -> list[Occasional]:
        """What befalls the data connection of the transfer that ``verb`` begins now."""
        found = [armed for armed in self if armed.fault.touches(verb)]
        for armed in found:
            armed.use()
        return [armed.fault for armed in found]
