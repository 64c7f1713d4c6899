"""
How long a control connection may be silent, unanswered or unread: its timers (PROTOCOL §3.3).

Not here: acting on them (``interpreter``), and the timer wheel itself (``transport.deadlines``).
"""

from __future__ import annotations

from enum import Enum

from twistftp.policy.settings import Limits

__all__ = ["Patience", "RunOut"]

CLOSE_WAIT = 5.0
"""Seconds that a closed connection may take to go (P-TIME-8)."""
WRITE_WAIT = 300.0
"""Seconds that a client may leave replies unread (P-TIME-9)."""


class RunOut(Enum):
    """What has run out."""

    NOTHING = "there is time left"
    LOGIN = "Not logged in within {seconds:g} seconds; closing."
    IDLE = "No command for {seconds:g} seconds; closing."
    GONE = "the client neither reads nor closes"


class Patience:
    """
    The clocks of one connection, in reactor seconds. The interpreter sets them, and asks :meth:`due` and :meth:`run_out`.

    ``idle_since`` starts again at each command and at each transfer's end (P-TIME-10), ``login_since`` at the connection,
    at REIN and at a USER after a login; ``blocked_since`` is set while replies pile up, ``closing_since`` once the end has begun.
    """

    __slots__ = ("blocked_since", "closing_since", "idle_since", "login_since")

    def __init__(self, now: float) -> None:
        self.idle_since = self.login_since = now
        self.blocked_since: float | None = None
        self.closing_since: float | None = None

    def due(self, now: float, limits: Limits, *, is_logged_in: bool, is_busy: bool) -> float:
        """When to look again, at the latest."""
        if self.closing_since is not None:
            return self.closing_since + CLOSE_WAIT
        # A command under way is no idleness (P-TIME-1); whatever it waits for has a timer of its own.
        due = (now if is_busy else self.idle_since) + limits.control_channel_timeout
        if not is_logged_in:
            due = min(now + limits.control_channel_timeout, self.login_since + limits.unauthenticated_timeout)
        if self.blocked_since is not None:
            due = min(due, self.blocked_since + WRITE_WAIT)
        return due

    def run_out(self, now: float, limits: Limits, *, is_logged_in: bool, is_busy: bool) -> RunOut:
        """What has run out by ``now``."""
        if now < self.due(now, limits, is_logged_in=is_logged_in, is_busy=is_busy):
            return RunOut.NOTHING
        is_unread = self.blocked_since is not None and now >= self.blocked_since + WRITE_WAIT
        if self.closing_since is not None or is_unread:
            return RunOut.GONE
        return RunOut.IDLE if is_logged_in else RunOut.LOGIN
