"""
What an access log or a meter is told of a site's sessions: plain calls, without an event in between.

Not here: who is told what and when (``transcript``). Making an event costs as much as a NOOP, a call does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twistftp.wire.commands import Command
from twistftp.wire.replies import Reply

if TYPE_CHECKING:
    from twistftp.session.session import Session
    from twistftp.session.transfer import Transfer

__all__ = ["Recorder", "hooks"]


class Recorder:
    """
    Told of everything, in the order in which it happens, by ``Transcript.add_recorder``. Nothing may be raised, and nothing waited for.

    What a recorder does not override costs nothing. One that is added later sees sessions of whose beginning it was not told.
    """

    def opened(self, session: Session) -> None:
        """A session has begun."""

    def logged_in(self, session: Session, mail: str) -> None:
        """Its user has logged in; ``mail`` is an anonymous user's password, by custom a mail address."""

    def command(self, session: Session, command: Command | None, line: bytes, reply: Reply, now: float, seconds: float) -> None:
        """
        A command has had its final reply, ``now`` (reactor seconds), ``seconds`` after it came; ``session.trouble`` may say why it
        failed. ``line`` holds secrets.
        """

    def data_opened(self, session: Session, transfer: Transfer) -> None:
        """A transfer has its data connection."""

    def data_closed(self, session: Session, transfer: Transfer, error: BaseException | None, seconds: float) -> None:
        """
        A transfer that had one has ended, well (``error`` is ``None``) or not, ``seconds`` after its command. The end of the command
        follows, unless the client is gone.
        """

    def closed(self, session: Session) -> None:
        """The session has ended; ``session.trouble`` may say why."""


def hooks(recorders: Iterable[Recorder], name: str) -> tuple[Callable[..., Any], ...]:
    """The methods of that name that the recorders override."""
    return tuple(getattr(one, name) for one in recorders if getattr(type(one), name) is not getattr(Recorder, name))
