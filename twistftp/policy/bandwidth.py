"""
How fast octets may move, and how slowly: a token bucket for the most, a floor for the least. Seconds are passed in, on any one clock.

Not here: moving them (``transport.throttle``), and the settings (``settings``).
"""

from __future__ import annotations

__all__ = ["WINDOW", "Bucket", "Floor"]

WINDOW = 60.0
"""Seconds over which the least rate is looked at."""

_SLICE = 0.1
"""Seconds' worth of octets that are moved in one go: small enough to be smooth, large enough to be cheap."""


class Bucket:
    """
    At most ``rate`` octets a second, in slices. Several connections may share one: none gets more than a slice at a time.

    ``allowed`` says how many octets may move now, ``took`` is told how many did, ``wait`` says when to ask again. More may be taken than
    was allowed, as by a read that cannot be made smaller: then the wait is longer.
    """

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        """:param rate: octets a second, more than 0."""
        self.rate = rate
        self._at = now
        self._tokens = self._slice  # nobody waits for the first octets

    @property
    def _slice(self) -> float:
        return max(1.0, self.rate * _SLICE)

    def _fill(self, now: float) -> None:
        # Two slices at most: who comes late, as timers do, catches up; who was idle for a minute has saved nothing.
        self._tokens = min(2 * self._slice, self._tokens + max(0.0, now - self._at) * self.rate)
        self._at = max(self._at, now)

    def allowed(self, now: float) -> int:
        """Octets that may move now: a slice or more, or none."""
        self._fill(now)
        # Rounding must not make a wait that was long enough too short by a hair.
        return int(self._tokens + 1e-6) if self._tokens + 1e-6 >= self._slice else 0

    def took(self, octets: int) -> None:
        """So many were moved."""
        self._tokens -= octets

    def wait(self, now: float) -> float:
        """Seconds until a slice may move; 0 if it may now."""
        self._fill(now)
        return max(0.0, (self._slice - self._tokens) / self.rate)


class Floor:
    """At least ``rate`` octets a second, over each window of time; what is moved is counted by others."""

    __slots__ = ("_octets", "_since", "rate", "window")

    def __init__(self, rate: float, now: float, octets: int = 0, window: float = WINDOW) -> None:
        """:param octets: moved so far."""
        self.rate, self.window = rate, window
        self._since, self._octets = now, octets

    @property
    def due(self) -> float:
        """When to look next."""
        return self._since + self.window

    def is_missed(self, now: float, octets: int) -> bool:
        """Whether too little was moved in the window that has ended; a new one begins then."""
        if now < self.due:
            return False
        is_missed = octets - self._octets < self.rate * (now - self._since)
        self._since, self._octets = now, octets
        return is_missed
