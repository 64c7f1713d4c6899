"""
How long a control connection may be silent, unanswered or unread: its timers (PROTOCOL §3.3).

Not here: the timer wheel itself (``transport.deadlines``).
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Protocol

from twistftp.wire.replies import Reply

__all__ = ["Patience", "RunOut"]

CLOSE_WAIT = 5.0
"""Seconds that a closed connection may take to go (P-TIME-8)."""
STOP_WAIT = 1.0
"""The same while the site shuts down: who stops a server waits for it, and 421 is on its way."""
WRITE_WAIT = 300.0
"""Seconds that a client may leave replies unread (P-TIME-9)."""


class RunOut(Enum):
    """What has run out."""

    NOTHING = "there is time left"
    LOGIN = "Not logged in within {seconds:g} seconds; closing."
    IDLE = "No command for {seconds:g} seconds; closing."
    GONE = "the client neither reads nor closes"


class Watched(Protocol):
    """A control connection (``interpreter.ServerPI``)."""

    site: Any
    session: Any

    @property
    def is_logged_in(self) -> bool:
        """Whether there is a user."""

    @property
    def is_busy(self) -> bool:
        """Whether a command is under way."""

    def abort(self) -> None:
        """Reset it."""

    def close(self, reply: Reply) -> None:
        """Close it, with this for a last reply."""


class Patience:
    """
    The clocks of one connection, in reactor seconds. The interpreter sets them.

    ``idle_since`` starts again at each command and at each transfer's end (P-TIME-10), ``login_since`` at the connection,
    at REIN and at a USER after a login; ``blocked_since`` is set while replies pile up, ``closing_since`` once the end has begun.
    """

    __slots__ = ("blocked_since", "closing_since", "idle_since", "login_since")

    def __init__(self, now: float) -> None:
        self.idle_since = self.login_since = now
        self.blocked_since: float | None = None
        self.closing_since: float | None = None

    def watch(self, control: Watched) -> None:
        """Have the connection looked at when there may be something to do."""
        deadlines = control.site.deadlines
        deadlines.watch(control, self._due(control, deadlines.seconds()))

    def expire(self, control: Watched, now: float) -> float | None:
        """
        A deadline has come, or may have moved: end the connection if something has run out.

        :return: when to look again.
        """
        run_out = self._run_out(control, now)
        if run_out is RunOut.GONE:
            control.abort()
            return None
        if run_out is not RunOut.NOTHING:
            limits = control.site.settings.limits
            seconds = limits.unauthenticated_timeout if run_out is RunOut.LOGIN else limits.control_channel_timeout
            control.session.trouble = run_out
            control.close(Reply.of(421, run_out.value.format(seconds=seconds), closes=True))
        return self._due(control, now)

    def _due(self, control: Watched, now: float) -> float:
        limits = control.site.settings.limits
        if self.closing_since is not None:
            return self.closing_since + (STOP_WAIT if control.site.is_draining else CLOSE_WAIT)
        # A command under way is no idleness (P-TIME-1); whatever it waits for has a timer of its own.
        due: float = (now if control.is_busy else self.idle_since) + limits.control_channel_timeout
        if not control.is_logged_in:
            due = min(now + limits.control_channel_timeout, self.login_since + limits.unauthenticated_timeout)
        if self.blocked_since is not None:
            due = min(due, self.blocked_since + WRITE_WAIT)
        return due

    def _run_out(self, control: Watched, now: float) -> RunOut:
        if now < self._due(control, now):
            return RunOut.NOTHING
        is_unread = self.blocked_since is not None and now >= self.blocked_since + WRITE_WAIT
        if self.closing_since is not None or is_unread:
            return RunOut.GONE
        return RunOut.IDLE if control.is_logged_in else RunOut.LOGIN
