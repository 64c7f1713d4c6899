"""
One timer for every deadline of a process: sessions, leases and data connections share it.

Not here: what a deadline means. An item is asked when its time has come and says itself what to do and when it
wants to be asked again. A ``callLater`` each would cost more than a whole NOOP; here a deadline that moves later,
as an idle clock does with every command, costs nothing at all.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["Deadlines", "Watched"]


class Watched(Hashable, Protocol):
    """What :meth:`Deadlines.watch` takes: anything hashable with an ``expire``."""

    def expire(self, now: float) -> float | None:
        """
        Act if a deadline has passed.

        :param now: seconds on the reactor's clock.
        :return: when to be asked next, in the same seconds, or ``None`` for never.
        """


class Deadlines:
    """
    A lazy timer wheel: items lie in buckets of ``resolution`` seconds, one delayed call stands at the earliest.

    An item is asked at most ``resolution`` seconds after its time and never before it. With nothing
    to watch, no delayed call is pending.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorTime, resolution: float = 0.5) -> None:
        self.seconds = reactor.seconds  # the method itself: hot paths ask for the time
        self._reactor = reactor
        self._resolution = resolution
        self._buckets: dict[int, dict[Watched, None]] = {}
        self._bucket_of: dict[Watched, int] = {}
        self._call: IDelayedCall | None = None
        self._call_bucket = 0

    def __len__(self) -> int:
        """The number of items watched."""
        return len(self._bucket_of)

    def watch(self, item: Watched, when: float) -> None:
        """
        Have ``item`` asked at ``when`` (reactor seconds) or a little later.

        If it is to be asked earlier already, that stands: it answers then with the later time.
        """
        bucket = ceil(when / self._resolution)
        before = self._bucket_of.get(item)
        if before is not None:
            if before <= bucket:
                return
            self._take_out(item, before)
        self._bucket_of[item] = bucket
        items = self._buckets.get(bucket)
        if items is None:
            self._buckets[bucket] = {item: None}
            self._call_at(bucket)
        else:
            items[item] = None

    def forget(self, item: Watched) -> None:
        """Never ask ``item`` again. One that is not watched is no error."""
        bucket = self._bucket_of.pop(item, None)
        if bucket is None:
            return
        self._take_out(item, bucket)
        if not self._bucket_of and self._call is not None:
            self._call.cancel()
            self._call = None

    def _take_out(self, item: Watched, bucket: int) -> None:
        items = self._buckets.get(bucket)
        if items is not None:  # a bucket that is being asked is out of the wheel already
            items.pop(item, None)
            if not items:
                del self._buckets[bucket]

    def _call_at(self, bucket: int) -> None:
        """See that the delayed call comes no later than ``bucket``. One that comes too early finds nothing and moves on."""
        if self._call is not None and self._call_bucket <= bucket:
            return
        delay = max(0.0, bucket * self._resolution - self.seconds())
        if self._call is None:
            self._call = self._reactor.callLater(delay, self._come)
        else:
            self._call.reset(delay)
        self._call_bucket = bucket

    def _come(self) -> None:
        self._call = None
        now = self.seconds()
        # Rounding may bring the call a hair before its bucket's time; its own bucket is always due.
        due = max(int(now / self._resolution), self._call_bucket)
        for bucket in sorted(bucket for bucket in self._buckets if bucket <= due):
            items = self._buckets.pop(bucket, {})
            for item in items:
                if self._bucket_of.get(item) == bucket:  # else forgotten or moved by one before it
                    del self._bucket_of[item]
                    self._ask(item, now, due)
        if self._buckets:
            self._call_at(min(self._buckets))

    def _ask(self, item: Watched, now: float, due: int) -> None:
        try:
            when = item.expire(now)
        except Exception:  # one broken item must not stop the clock of all the others
            self._log.failure("The deadline of {item!r} failed.", item=item)
            return
        if when is not None:
            # Never back into a bucket that is done: the item would be asked again and again without time passing.
            self.watch(item, max(when, (due + 1) * self._resolution))
