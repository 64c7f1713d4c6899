"""
All rows, in the order of the card.

Not here: the rows themselves (``rows``).
"""

from __future__ import annotations

from twistftp.cli.conform.row import Row
from twistftp.cli.conform.rows.data_ports import data_ports
from twistftp.cli.conform.rows.data_tls import data_tls
from twistftp.cli.conform.rows.facts import facts
from twistftp.cli.conform.rows.lines import at_last, lines
from twistftp.cli.conform.rows.listings import listings
from twistftp.cli.conform.rows.login import login
from twistftp.cli.conform.rows.machine_listings import machine_listings
from twistftp.cli.conform.rows.parameters import directories, information, parameters
from twistftp.cli.conform.rows.security import security
from twistftp.cli.conform.rows.transfers import transfers
from twistftp.cli.conform.rows.writing import writing

__all__ = ["ROWS", "UnknownRow", "chosen"]

ROWS: tuple[Row, ...] = tuple(
    row
    for group in (
        login,
        lines,
        directories,
        parameters,
        information,
        data_ports,
        transfers,
        listings,
        machine_listings,
        facts,
        writing,
        security,
        data_tls,
        at_last,
    )
    for row in group.rows
)


class UnknownRow(ValueError):
    """There is no row of this name; the text is the name."""


def chosen(names: str) -> tuple[Row, ...]:
    """
    The rows of a list: ids, or beginnings of ids up to a hyphen or a dot (``P-EPSV-3``, ``P-EPSV``), with commas between.

    :raises UnknownRow: one of them fits no row.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    found: set[str] = set()
    for name in wanted:
        fitting = {row.id for row in ROWS if row.id.lower() == name.lower() or row.id.lower().startswith((f"{name.lower()}.", f"{name.lower()}-"))}
        if not fitting:
            raise UnknownRow(name)
        found |= fitting
    return tuple(row for row in ROWS if row.id in found)
