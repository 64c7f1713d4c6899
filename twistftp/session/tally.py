"""
What a site has done so far, in numbers: sessions, logins, transfers, octets.

Not here: failed data connections by cause (``verdicts``), and formats of metrics. Counting goes on whether anybody looks or not.
"""

from __future__ import annotations

from collections import Counter

from twistftp.policy.diagnosis import Cause
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.wire.replies import Reply

__all__ = ["DIRECTIONS", "Tally"]

DIRECTIONS = {"RETR": "download", "STOR": "upload", "APPE": "upload", "STOU": "upload"}
"""What is transferred by which verb; all others are listings."""

_BY_CLIENT = frozenset({Cause.ABORTED, Cause.CLIENT_GONE, Cause.LOST})


class Tally:
    """
    The counters of one site. ``sessions`` have begun, ``refused`` connections had none; keys of the others are words. ``handshakes`` are those of
    control connections, by version and result; ``data_handshakes`` have ``resumed`` the session, were ``full``, or ``refused`` for that.
    """

    __slots__ = ("data_handshakes", "handshakes", "logins", "octets", "refused", "sessions", "transfers")

    def __init__(self) -> None:
        self.sessions = 0
        self.refused = 0
        self.logins: Counter[str] = Counter()
        self.transfers: Counter[tuple[str, str]] = Counter()  # by direction and outcome
        self.octets: Counter[str] = Counter()  # by direction, of transfers that have ended
        self.handshakes: Counter[tuple[str, str]] = Counter()
        self.data_handshakes: Counter[str] = Counter()

    def login(self, reply: Reply) -> None:
        """A login was answered: ``success``, ``failure``, or ``error`` where nobody could tell."""
        self.logins["success" if reply.is_positive else "failure" if reply.code >= 500 else "error"] += 1

    def handshake(self, version: str) -> None:
        """A control connection's handshake has ended: with this version of TLS, or ``""`` for none."""
        self.handshakes[version or "none", "success" if version else "failure"] += 1

    def data_handshake(self, result: str) -> None:
        """It has shown what a data connection's handshake comes to."""
        self.data_handshakes[result] += 1

    def transfer(self, verb: str, octets: int, error: BaseException | None) -> None:
        """A transfer has ended: ``complete``, ``aborted`` by the client, or ``failed``."""
        direction = DIRECTIONS.get(verb, "listing")
        self.transfers[direction, "complete" if error is None else _outcome(error)] += 1
        self.octets[direction] += octets


def _outcome(error: BaseException) -> str:
    return "aborted" if isinstance(error, DataConnectionFailed) and error.verdict.cause in _BY_CLIENT else "failed"
