"""
The data channel port range: what it may be and what it holds.

Not here: sockets, and which port of the range a client gets (``transport.pool``).
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["DYNAMIC", "PortRange"]


@frozen
class PortRange:
    """
    The ports ``low`` to ``high``, both included; ``0-0`` is the operating system's dynamic range.

    :raises ValueError: the values break a rule; the text names it.
    """

    low: int
    high: int

    def __attrs_post_init__(self) -> None:
        low, high = self.low, self.high
        if low == high == 0:
            return
        if not low or not high:
            raise ValueError("only 0-0, both ends, means the system's dynamic range")
        for port in (low, high):
            if not 1024 <= port <= 65535:
                raise ValueError(f"port {port} is outside 1024-65535")
        if low > high:
            raise ValueError(f"the low end {low} is above the high end {high}")

    @classmethod
    def parse(cls, text: str) -> PortRange:
        """
        Read ``LOW-HIGH``, or ``N`` for ``N-N``.

        :raises ValueError: the text is not a range or breaks a rule; the message says which.
        """
        low, dash, high = (part.strip() for part in text.partition("-"))
        ends = (low, high) if dash else (low, low)
        if not all(end.isascii() and end.isdigit() and len(end) <= 5 for end in ends):
            raise ValueError("a range is LOW-HIGH, one port N, or 0-0")
        return cls(int(ends[0]), int(ends[1]))

    @property
    def is_dynamic(self) -> bool:
        """Whether the operating system chooses the ports."""
        return self.low == 0

    def __len__(self) -> int:
        """The number of ports; 0 for the dynamic range, whose size is the system's business."""
        return 0 if self.is_dynamic else self.high - self.low + 1

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and not self.is_dynamic and self.low <= port <= self.high

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high and self.low else f"{self.low}-{self.high}"


DYNAMIC = PortRange(0, 0)
