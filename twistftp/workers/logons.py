"""
Failed logins of all workers together: the workers tell of theirs, the supervisor counts, and all keep out whom it blocks.

Not here: counting (``policy.logon_attempts``), and what a blocked client is told (``session.logon_guard``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from twistftp.policy.logon_attempts import Block
from twistftp.session.logon_guard import LogonGuard
from twistftp.session.session import Session
from twistftp.wire.replies import Reply

__all__ = ["CountingGuard", "TellingGuard"]

_LATER = 2.0
"""Seconds behind a block's end after which the supervisor sums up: by then each worker has told how many connections it has refused."""

Say = Callable[..., object]
"""``say(word, **what)``, as of a channel."""


class TellingGuard(LogonGuard):
    """A worker's."""

    def __init__(self, site: Any, say: Say) -> None:
        super().__init__(site)
        self._say = say

    def failed(self, session: Session, name: str) -> Reply | None:
        """Tell of a failure. The block that it may bring about comes back, and ends this session too."""
        self._say("failed", site=self._site.settings.name, peer=session.peer, user=name)
        return self.refused(session.peer)

    def expire(self, now: float) -> float | None:
        """The end of a block has come: tell how often it was needed."""
        for block in self._failed.ended(now):
            if block.refused:
                self._say("refused", site=self._site.settings.name, client=block.client, count=block.refused)
        return self._failed.next_end


@frozen
class _Failed:
    """As much of a session as counting needs."""

    peer: str


class CountingGuard(LogonGuard):
    """
    The supervisor's.

    :param say: tells all workers.
    """

    def __init__(self, site: Any, say: Say) -> None:
        super().__init__(site)
        self._say = say

    def count(self, peer: str, name: str) -> None:
        """A login has failed in some worker."""
        self.failed(_Failed(peer), name)  # type: ignore[arg-type]

    def refused_by(self, client: str, count: int) -> None:
        """A worker has refused so many connections of a client that was blocked."""
        for block in self.blocks():
            if block.client == client:
                block.refused += count

    def _tell(self, block: Block, name: str, log_only: bool, seconds: float) -> None:
        self._say("block", site=self._site.settings.name, **told(block))
        super()._tell(block, name, log_only, seconds)

    def expire(self, now: float) -> float | None:
        """See :class:`LogonGuard`."""
        next_end = super().expire(now - _LATER)
        return None if next_end is None else next_end + _LATER


def told(block: Block) -> dict[str, Any]:
    """A block as a message has it."""
    return {"client": block.client, "until": block.until, "failures": block.failures, "seconds": block.seconds}
