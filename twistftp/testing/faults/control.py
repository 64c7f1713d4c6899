"""
Faults of the control connection: how its octets are cut into segments, and how it ends.

Not here: what is said on it (``replies``).
"""

from __future__ import annotations

import random
from itertools import pairwise

from attrs import field, frozen

from twistftp.testing.faults.base import Occasional, at_least

__all__ = ["half_close_control_at", "reset_control_at", "split_replies"]


def _positions(value: object) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)  # type: ignore[arg-type]


@frozen(slots=False)
class split_replies(Occasional):
    """
    Each reply comes in several segments, ``pause`` seconds apart.

    :ivar at: the octets of the reply before which it is cut; negative ones count from its end. None: every octet comes alone.
    :ivar seed: cut at random places instead, the same ones for the same seed.
    """

    at: tuple[int, ...] = field(default=(), converter=_positions)
    seed: int | None = field(default=None, kw_only=True)
    pause: float = field(default=0.005, validator=at_least(0), kw_only=True)

    def pieces(self, octets: bytes, occasion: int) -> list[bytes]:
        """Cut there."""
        size = len(octets)
        if self.seed is not None:
            places = random.Random(f"{self.seed} {occasion}")  # noqa: S311 (nobody shall be surprised)
            wanted = set(places.sample(range(1, size), min(3, size - 1)))
        elif self.at:
            wanted = {at if at >= 0 else size + at for at in self.at}
        else:
            wanted = set(range(1, size))
        cuts = [0, *sorted(at for at in wanted if 0 < at < size), size]
        return [octets[start:end] for start, end in pairwise(cuts)]


@frozen(slots=False)
class reset_control_at(Occasional):
    """
    The control connection is reset when so many octets of replies have been sent on it. One connection is one occasion.

    The reset comes ``pause`` seconds behind the last octet: one that overtakes the client's own return from ``connect`` would show there.
    """

    octet: int = field(validator=at_least(0))
    pause: float = field(default=0.1, validator=at_least(0), kw_only=True)

    def control_limit(self) -> int | None:
        """There."""
        return self.octet


@frozen(slots=False)
class half_close_control_at(Occasional):
    """
    Behind the reply to the ``command``-th command the server's direction of the control connection is closed; what the client says is
    still read and carried out, but never answered.
    """

    command: int = field(validator=at_least(1))

    def half_closes(self, count: int) -> bool:
        """Behind that one."""
        return count == self.command
