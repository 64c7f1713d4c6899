"""
What a fault is: a frozen value with a name and parameters, and what it may change at each place where a site can be made to fail.

Not here: the faults (the neighbours), counting their occasions and carrying them out (``testing.worker``). Pure, as ``policy`` is: a fault
decides, with values alone, so it can be made in the test's process and carried out in the server's.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, ClassVar

from attrs import asdict, field, frozen

from twistftp.wire.replies import Reply

__all__ = ["SILENCE", "TRANSFERS", "Action", "Cut", "Fault", "Occasional", "at_least", "verbs"]

SILENCE = Reply.of(0, "")
"""In the place of a reply: none is sent."""
TRANSFERS = ("RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD")
UPLOADS = frozenset(("STOR", "APPE", "STOU"))


class Action(Enum):
    """What is done to a data connection at an octet."""

    RESET = "reset it"
    STALL = "neither send nor receive any more, and keep it open"
    END = "end it in good order, as if that were all"
    FULL = "have the disk be full"


@frozen
class Cut:
    """``action`` comes when ``at`` octets have gone over the data connection."""

    at: int
    action: Action


def at_least(low: float) -> Any:
    """A validator: a number from ``low`` on."""

    def check(instance: object, attribute: Any, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= low:
            raise ValueError(f"{type(instance).__name__}: {attribute.name} must be {low:g} or more, not {value!r}")

    return check


def verbs(value: str | Iterable[str]) -> tuple[str, ...]:
    """One verb or several, in capitals."""
    return tuple(verb.upper() for verb in ([value] if isinstance(value, str) else value))


@frozen(slots=False)
class Fault:
    """
    A fault that the site has as long as it is set: it changes the settings, what TLS does, or every connection.

    Subclasses are named as users name them, and override what they touch; the fields that a subclass sets without a method are here.
    """

    needs_tls = False
    """Whether it makes no sense at a site without TLS."""
    certificate = ""
    """Which wrong certificate is shown: ``name``, ``expired``, ``untrusted``."""
    refuses_tickets = False
    """Whether no session of TLS is resumed."""

    @property
    def name(self) -> str:
        """Its name in texts and tables."""
        return type(self).__name__

    def as_json(self) -> dict[str, Any]:
        """Name and parameters, for ``chaos.from_json``."""
        return {"name": self.name, **asdict(self)}

    def settings(self, site: dict[str, Any]) -> None:
        """Change the settings: a table of the configuration file, with all sections in it."""


@frozen(slots=False)
class Occasional(Fault):
    """
    A fault that befalls single commands, replies or transfers. A method that leaves all as it is has not used up an occasion.

    :ivar times: how many occasions it takes, the first ones; ``None``: all. So a client's second try can be seen to succeed.
    """

    times: int | None = field(default=None, kw_only=True)

    @times.validator
    def _check_times(self, attribute: Any, value: Any) -> None:
        if value is not None:
            at_least(1)(self, attribute, value)

    pause = 0.0
    """Seconds between the pieces of :meth:`pieces`, and of a data connection's ``step`` octets, and before the end at :meth:`control_limit`."""
    step = 0
    """Octets that are sent in a segment of their own on data connections; 0: as many as there are."""
    early: ClassVar[int | None] = None
    """Octets that a download keeps back until 226 has been said; 0: only its end; ``None``: nothing."""
    omits_close_notify = False
    """Whether data connections end without TLS's close_notify."""

    def answers(self, count: int, verb: str) -> Reply | None:
        """What the ``count``-th command of a connection is answered instead of being carried out; ``None``: it is."""
        return None

    def half_closes(self, count: int) -> bool:
        """Whether the server's direction of the control connection ends behind the reply to the ``count``-th command."""
        return False

    def wait_before(self, verb: str) -> float:
        """Seconds that pass before a command is carried out."""
        return 0.0

    def wait_after(self, verb: str, reply: Reply) -> float:
        """Seconds that pass between a command and its final reply."""
        return 0.0

    def said(self, verb: str, reply: Reply, occasion: int, closed_port: int) -> Reply:
        """What is said in the place of a reply, or :data:`SILENCE`. ``closed_port``: nobody listens on it. ``occasion`` counts from 0."""
        return reply

    def pieces(self, octets: bytes, occasion: int) -> list[bytes]:
        """The pieces in which a reply is sent, a segment each; one piece: as ever."""
        return [octets]

    def control_limit(self) -> int | None:
        """Octets of replies after which the control connection is reset."""
        return None

    def touches(self, verb: str) -> bool:
        """Whether the data connection of ``verb`` is not as ever."""
        return False

    def cuts(self) -> list[Cut]:
        """What happens on a data connection that it touches."""
        return []
