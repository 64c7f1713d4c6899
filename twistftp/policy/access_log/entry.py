"""
What an access log is told: who was there, and how things ended.

Not here: how that is written (``w3c``, ``json_lines``, ``xferlog``), and finding it out.

Texts may hold anything a client can send, in surrogate escapes what is no UTF-8; they are ``""``, and numbers 0, where nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

__all__ = ["PSEUDO_COMMANDS", "Epoch", "Format", "Outcome", "Transferred"]

Epoch = Callable[[], float]
"""Tells when the clock of the lines began, in seconds since 1970. Clocks are set, so nobody keeps the answer for longer than a second."""


class Outcome(NamedTuple):
    """How something ended: the reply's code (0: none), why it failed in the numbers of Windows and of IIS, and in our word."""

    code: int
    win32: int
    substatus: int
    cause: str


class Format(Protocol):
    """
    A format of lines about commands, for one site. There are lines by the thousand a second, so a line is put together from parts that
    serve many: the session, both ends of the connection, and what was done. What a part looks like is the format's own affair.
    """

    def session(self, number: int, identity: str) -> str:
        """A session: its number in this process, and its name among those of all servers and starts."""

    def ends(self, client: str, client_port: int, server: str, server_port: int, host: str) -> tuple[str, str]:
        """Both ends of a connection and the virtual host that the client named: what stands before the user, and behind."""

    def user(self, name: str) -> str:
        """A user. The three together are a line's ``place``."""

    def event(self, method: str, argument: str, path: str, outcome: Outcome) -> Any:
        """
        What was done.

        :param method: a verb, or one of :data:`PSEUDO_COMMANDS`.
        :param argument: what the client wrote; ``path`` is what that means, from the user's root.
        """

    def line(self, now: float, session: str, place: str, event: Any, sent: int, received: int, seconds: float) -> str:
        """
        A whole line, its end included: its parts, octets of the data connection, and how long it took.

        :param now: seconds on the clock of whose :data:`Epoch` the format was told.
        """


PSEUDO_COMMANDS = {
    "ControlChannelOpened": "opened",
    "ControlChannelClosed": "closed",
    "DataChannelOpened": "data opened",
    "DataChannelClosed": "data closed",
}
"""IIS's methods that are no commands, and what we call that."""


class Transferred(NamedTuple):
    """One file that was sent, received or deleted, for xferlog."""

    time: float  # of the end, seconds since 1970
    client: str
    seconds: float
    octets: int
    path: str
    is_text: bool
    direction: str  # "o" to the client, "i" from it, "d" deleted
    user: str  # a name, or of an anonymous user the mail address
    is_anonymous: bool
    is_complete: bool
