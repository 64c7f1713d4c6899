"""
Faults of data connections: reset, stalled, ended, cut into single octets, and out of step with 226.

Not here: how they come about (``replies`` has 227), and carrying the faults out (``testing.worker``).
"""

from __future__ import annotations

from attrs import field, frozen

from twistftp.testing.faults.base import TRANSFERS, Action, Cut, Occasional, at_least, verbs

__all__ = ["disk_full_at", "early_226", "half_close_at", "octet_segments", "reset_at", "stall_at", "truncated_tls"]

_DOWNLOADS = ("RETR", "LIST", "NLST", "MLSD")
_UPLOADS = ("STOR", "APPE", "STOU")


@frozen(slots=False)
class _OnData(Occasional):
    """A fault of the data connections of the verbs ``on``."""

    on: tuple[str, ...] = field(default=TRANSFERS, converter=verbs, kw_only=True)

    def touches(self, verb: str) -> bool:
        """Those verbs."""
        return verb in self.on


@frozen(slots=False)
class _AtOctet(_OnData):
    """What happens when so many octets have gone over the data connection."""

    octet: int = field(validator=at_least(0))
    action = Action.RESET

    def cuts(self) -> list[Cut]:
        """There."""
        return [Cut(self.octet, self.action)]


@frozen(slots=False)
class reset_at(_AtOctet):
    """The data connection is reset when so many octets have gone over it, in either direction; the reply is 426."""


@frozen(slots=False)
class stall_at(_AtOctet):
    """When so many octets have gone over the data connection nothing more does, in either direction; it stays open and no reply comes."""

    action = Action.STALL


@frozen(slots=False)
class half_close_at(_AtOctet):
    """A download ends in good order after so many octets (FIN, under TLS close_notify before it), and 226 says that it was complete."""

    on: tuple[str, ...] = field(default=_DOWNLOADS, converter=verbs, kw_only=True)
    action = Action.END


@frozen(slots=False)
class disk_full_at(_AtOctet):
    """An upload finds the disk full after so many octets: the data connection is reset, the reply 452."""

    on: tuple[str, ...] = field(default=_UPLOADS, converter=verbs, kw_only=True)
    action = Action.FULL


@frozen(slots=False)
class octet_segments(_OnData):
    """
    The first ``octets`` octets of a download come in segments of one octet, ``pause`` seconds apart; the rest as ever.

    The client's kernel may acknowledge as late as 40 ms, and lets ten segments be under way: with a shorter pause some may become one.
    """

    octets: int = field(default=64, validator=at_least(1))
    on: tuple[str, ...] = field(default=_DOWNLOADS, converter=verbs, kw_only=True)
    pause: float = field(default=0.005, validator=at_least(0), kw_only=True)

    @property
    def step(self) -> int:  # type: ignore[override]
        """So many come one by one."""
        return self.octets


@frozen(slots=False)
class early_226(_OnData):
    """
    226 is said before a download's last ``octets`` octets are sent, which follow ``pause`` seconds later, and the end after them.
    With 0 octets only the end comes late.
    """

    octets: int = field(default=1, validator=at_least(0))
    on: tuple[str, ...] = field(default=_DOWNLOADS, converter=verbs, kw_only=True)
    pause: float = field(default=0.1, validator=at_least(0.001), kw_only=True)

    @property
    def early(self) -> int:  # type: ignore[override]
        """So many come late."""
        return self.octets


@frozen(slots=False)
class truncated_tls(_OnData):
    """Under TLS, downloads end with a bare FIN and no close_notify, so that clients cannot know whether that was all."""

    on: tuple[str, ...] = field(default=_DOWNLOADS, converter=verbs, kw_only=True)
    omits_close_notify = True
    needs_tls = True
