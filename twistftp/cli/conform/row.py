"""
What a row of the card is: which clause demands what of a server, what the check needs, and how it ends.

Not here: the rows (``rows``), and running them (``examination``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from twistftp.cli.conform.visit import Visit

__all__ = ["Broken", "Level", "Need", "NotOffered", "NotTried", "Row", "RowGroup", "Verdict", "fits"]


class Level(Enum):
    """How much a clause demands; the value is for people."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    BEYOND = "beyond the RFCs"


class Need(Enum):
    """What a check cannot do without; the value completes "needs"."""

    LOGIN = "a login"
    FILE = "a file to look at"
    DIRECTORY = "a directory with a file in it"
    TLS = "TLS"
    WRITE = "--write"
    IPV4 = "a control connection over IPv4"
    IPV6 = "a control connection over IPv6"


class Verdict(Enum):
    """How a check ended; the value is for people."""

    PASS = "pass"  # noqa: S105 (no password)
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"
    NOT_TRIED = "not tried"


class Broken(Exception):
    """The server does not do what the clause says; the text is what it did."""


class NotOffered(Exception):
    """The server does not have the feature, and need not."""


class NotTried(Exception):
    """Something for the check was not there or not given; the text says what."""


Check = Callable[["Visit"], None]


@frozen
class Row:
    """
    One rule. ``id`` is that of the rule in twistftp's reference of the protocol, with a word behind a dot where one rule has several checks;
    ``required`` is a sentence about the server; ``check`` returns if it holds.
    """

    id: str
    group: str
    clause: str
    level: Level
    required: str
    needs: tuple[Need, ...]
    check: Check
    is_exact: bool = True
    """Whether another reply code of the same kind is a failure (see ``codes``)."""


def fits(code: int, codes: str) -> bool:
    """Whether a reply code is among some: ``"200 5xx"``."""
    return any(wanted == str(code) or (wanted.endswith("xx") and wanted[0] == str(code)[0]) for wanted in codes.split())


class RowGroup:
    """The rows about one part of the protocol, in order."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.rows: list[Row] = []

    def row(
        self, identifier: str, clause: str, level: Level, required: str, *needs: Need, names_codes: bool = False
    ) -> Callable[[Check], Check]:
        """
        Declare the function below as the check of a row.

        :param names_codes: whether the clause of a MUST demands these very codes; those of RFC 959 do not (RFC 1123 §4.1.2.11).
        """

        def declare(check: Check) -> Check:
            is_exact = names_codes or level is not Level.MUST
            self.rows.append(Row(identifier, self.title, clause, level, required, needs, check, is_exact))
            return check

        return declare

    def says(
        self,
        identifier: str,
        clause: str,
        level: Level,
        required: str,
        *steps: tuple[str, str],
        needs: tuple[Need, ...] = (Need.LOGIN,),
        optional: str = "",
        names_codes: bool = False,
    ) -> None:
        """
        Declare a row that is a dialogue alone: commands, and the codes that may answer them.

        :param optional: codes of the first reply that say that the server does not have this.
        """

        def check(visit: Visit) -> None:
            client = visit.session(fresh=True) if Need.LOGIN in needs else visit.stranger()
            for number, (command, codes) in enumerate(steps):
                said = client.ask(command)
                if number == 0 and fits(said.code, optional):
                    raise NotOffered(f"{command} is answered {said.code}")
                client.judge(command, said, codes)

        self.row(identifier, clause, level, required, *needs, names_codes=names_codes)(check)
