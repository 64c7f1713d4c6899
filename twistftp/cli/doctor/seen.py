"""
What the doctor has seen: values without judgement, filled in by ``walk`` and ``examination``, read by the rules.

Not here: what they mean (``rules``), how they are found out, and how they are printed.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from attrs import Factory, define, frozen

__all__ = [
    "Active",
    "Answer",
    "Certificate",
    "Connect",
    "Ending",
    "FAILED_TO_CONNECT",
    "Interruption",
    "NO_CHANCE",
    "Passive",
    "PortState",
    "Scan",
    "Seen",
    "Session",
    "Stop",
    "Tls",
    "Transfer",
]


class Ending(Enum):
    """How an attempt ended; the value is for people."""

    OPEN = "connected"
    REFUSED = "connection refused"
    SILENT = "no answer"
    UNREACHABLE = "no route, or a firewall that says so"
    RESET = "connection reset"
    CLOSED = "connection closed"
    GARBLED = "something else than expected"
    ENDLESS = "no end"
    TLS_REFUSED = "TLS could not be agreed on"
    UNTRUSTED = "certificate not trusted"
    UNKNOWN_NAME = "name not found"
    NOT_TRIED = "not tried"


NO_CHANCE = 3
"""Failures of one verb that are its own, while the other verb works; fewer may be those of single ports."""
FAILED_TO_CONNECT = frozenset({Ending.REFUSED, Ending.SILENT, Ending.UNREACHABLE, Ending.RESET})

_LONGEST = 500
"""Characters of a reply that are worth showing."""


@frozen
class Answer:
    """One reply; its text is harmless already."""

    code: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        text = self.text
        return f"{self.code} {text if len(text) <= _LONGEST else text[:_LONGEST] + '...'}".rstrip()

    @property
    def text(self) -> str:
        """All lines in one."""
        return " / ".join(line for line in self.lines if line)

    @property
    def is_positive(self) -> bool:
        """1xx to 3xx."""
        return 100 <= self.code < 400


@frozen
class Connect:
    """One attempt to reach the control port at one address."""

    address: str
    ending: Ending


@frozen
class Certificate:
    """A server's certificate. ``name_error``: why it is not this host's, ``""`` if it is."""

    subject: str
    names: tuple[str, ...]
    issuer: str
    not_after: datetime
    days_left: int
    name_error: str = ""
    fingerprint: str = ""


@frozen
class Tls:
    """TLS on the control connection. ``trust_error``: why its chain is not trusted, ``""`` if it is or was not looked at."""

    protocol: str
    cipher: str
    certificate: Certificate | None = None
    trust_error: str = ""
    is_checked: bool = True


@frozen
class Stop:
    """Where a session ended before its time: ``stage`` is one of ``connect greeting auth handshake trust login directory``."""

    stage: str
    ending: Ending = Ending.OPEN
    detail: str = ""
    answer: Answer | None = None


@frozen
class Interruption:
    """The control connection was lost, or went silent, while the reply to a command was waited for."""

    command: str
    ending: Ending


@frozen
class Transfer:
    """One listing or file over one data connection. ``is_cut``: the doctor had enough of it and closed."""

    command: str
    is_done: bool
    octets: int = 0
    is_cut: bool = False
    answer: Answer | None = None
    ending: Ending = Ending.OPEN
    detail: str = ""
    is_resumed: bool | None = None

    @property
    def is_fetch(self) -> bool:
        """Whether it was a file."""
        return self.command == "RETR"


@frozen
class Passive:
    """
    One PASV or EPSV. ``ending`` tells of the connection to where the reply led, ``at_peer`` of that to the same port of the
    control connection's peer, where the reply named another address.
    """

    verb: str
    answer: Answer | None = None
    address: str = ""
    port: int = 0
    ending: Ending = Ending.NOT_TRIED
    at_peer: Ending = Ending.NOT_TRIED
    transfer: Transfer | None = None

    @property
    def is_told(self) -> bool:
        """Whether the reply could be understood."""
        return self.port > 0

    @property
    def is_done(self) -> bool:
        """Whether a client that does as it is told had its transfer."""
        return self.ending is Ending.OPEN and self.transfer is not None and self.transfer.is_done


@frozen
class Active:
    """One PORT or EPRT."""

    verb: str
    answer: Answer | None
    transfer: Transfer | None = None
    came_from: str = ""


@define
class Session:
    """
    One walk through the server, in the clear or under TLS. Filled by ``walk``, its owner.

    ``own_account`` is what the server answers to SITE WHY; ``stated`` how its STAT contradicts its 227, ``""`` if it does not.
    """

    scheme: str
    connects: list[Connect] = Factory(list)
    local: str = ""
    peer: str = ""
    speaks_tls_at_once: bool = False
    greeting: Answer | None = None
    features: tuple[str, ...] | None = None
    auth: Answer | None = None
    tls: Tls | None = None
    login: Answer | None = None
    system: Answer | None = None
    stop: Stop | None = None
    passive: list[Passive] = Factory(list)
    active: Active | None = None
    interruptions: list[Interruption] = Factory(list)
    strays: list[Answer] = Factory(list)
    has_no_file: bool = False
    own_account: Answer | None = None
    stated: str = ""
    protection: Answer | None = None

    @property
    def is_protected(self) -> bool:
        """Whether TLS came up."""
        return self.tls is not None

    def offers(self, verb: str) -> bool:
        """Whether FEAT lists a verb."""
        return any(line.upper().split()[:1] == [verb] for line in self.features or ())

    def tries(self, verb: str) -> list[Passive]:
        """The attempts with one verb."""
        return [one for one in self.passive if one.verb == verb]

    def works(self, verb: str) -> bool:
        """Whether a client that uses this verb, and does as it is told, can list and fetch."""
        done = {one.transfer.is_fetch for one in self.tries(verb) if one.is_done and one.transfer}
        return self.connected(verb) and done == {True, False}

    def is_through(self, verb: str) -> bool:
        """Whether all that was tried with this verb came through, be it listings alone."""
        tried = [one.transfer for one in self.tries(verb) if one.transfer is not None]
        done = {transfer.is_fetch for transfer in tried if transfer.is_done}
        return self.connected(verb) and done == {transfer.is_fetch for transfer in tried}

    @property
    def could_list_and_fetch(self) -> bool:
        """Whether an ordinary client, which uses passive mode and does as it is told, would be content."""
        return any(self.works(verb) for verb in ("PASV", "EPSV"))

    def connected(self, verb: str) -> bool:
        """Whether the data connections of this verb came up, all of them."""
        return bool(self.tries(verb)) and all(one.ending is Ending.OPEN for one in self.tries(verb))


class PortState(Enum):
    """What became of one port of a range; the value is for people."""

    OPEN = "open"
    CLOSED = "closed"
    IDLE = "reached, nobody listens there at the moment"
    UNKNOWN = "not tried for want of time"


@frozen
class Scan:
    """A range of ports, looked at one by one; ``outside`` are ports that the server named and that are not in it."""

    ports: dict[int, PortState]
    outside: tuple[int, ...] = ()

    def in_state(self, state: PortState) -> list[int]:
        """The ports in a state."""
        return [port for port, found in self.ports.items() if found is state]


@define
class Seen:
    """
    All of it. ``other`` is a second session with the opposite protection, made for comparison; ``ran_out`` names the step
    during which the time was up. ``patience``: the seconds that a greeting was waited for.
    """

    host: str
    port: int
    patience: float
    session: Session
    other: Session | None = None
    scan: Scan | None = None
    ran_out: str = ""

    @property
    def place(self) -> str:
        """Host and port, for people."""
        return f"{self.host} port {self.port}"

    @property
    def is_fine(self) -> bool:
        """Whether clients could list and fetch, and no port of a range that was asked about is closed."""
        return self.session.could_list_and_fetch and not (self.scan and self.scan.in_state(PortState.CLOSED))
