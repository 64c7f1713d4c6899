"""
SIZE and MDTM: RFC 3659 §3 and §4.

Not here: the same facts in MLST (``listings``).
"""

from __future__ import annotations

import re

from twistftp.cli.conform.client import Client
from twistftp.cli.conform.grammar import time_fault
from twistftp.cli.conform.row import Broken, NotOffered, NotTried, RowGroup
from twistftp.cli.conform.rows.words import BEYOND, DIRECTORY, FILE, LOGIN, MUST, SHOULD
from twistftp.cli.conform.visit import Visit

__all__ = ["facts"]

facts = RowGroup("Facts of files")


def _size(client: Client, name: str, type_: str) -> int:
    """
    What SIZE says.

    :raises NotOffered: it says nothing in this TYPE.
    """
    client.settle(f"TYPE {type_}", "200")
    said = client.ask(f"SIZE {name}")
    if said.fits("500 502") or (type_ == "A" and said.code == 550):
        raise NotOffered(f"SIZE in TYPE {type_} is answered {said.code}")
    client.judge("SIZE", said, "213")
    if not re.fullmatch(r"213 [0-9]+", said.lines[0]):
        raise Broken(f"the reply is not 213, a space and a number: {said}")
    return int(said.text)


def _compared(visit: Visit, type_: str) -> None:
    client, name = visit.session(), visit.sample().name
    said = _size(client, name, type_)
    try:
        count = len(client.fetched(f"RETR {name}").octets)
    except Broken as broken:  # another check's business
        raise NotTried(f"RETR in TYPE {type_}: {broken}") from None
    if said != count:
        raise Broken(f"SIZE says {said}, and RETR sends {count} octets")


@facts.row(
    "P-SIZE-1", "RFC 3659 §4", MUST, "SIZE in TYPE I, where there is SIZE: 213, a space, and the number of octets that RETR sends.", LOGIN, FILE
)
def size(visit: Visit) -> None:
    """Nothing else in the line."""
    _compared(visit, "I")


@facts.row("P-SIZE-2", "RFC 3659 §4", MUST, "SIZE in TYPE A is the number of octets that RETR sends in TYPE A, or 550.", LOGIN, FILE)
def size_of_text(visit: Visit) -> None:
    """An estimate is forbidden."""
    try:
        _compared(visit, "A")
    except NotOffered as refused:
        if str(refused).endswith("550"):
            return
        raise


@facts.row("P-SIZE-1.missing", "RFC 3659 §4.1", MUST, "SIZE of what does not exist is answered 550.", LOGIN)
def size_of_nothing(visit: Visit) -> None:
    """Where there is SIZE."""
    visit.needs_feature("SIZE")
    client = visit.session()
    client.settle("TYPE I", "200")
    client.must("SIZE twistftp-conform-none", "550")


@facts.row("P-SIZE-1.directory", "RFC 3659 §4.1", SHOULD, "SIZE of a directory is no size of a file: 550.", LOGIN, DIRECTORY)
def size_of_directory(visit: Visit) -> None:
    """RETR sends nothing of it."""
    visit.needs_feature("SIZE")
    client = visit.session()
    client.settle("TYPE I", "200")
    client.must(f"SIZE {visit.directory().name}", "550")


@facts.row("P-MDTM-1", "RFC 3659 §3.1, §2.3", MUST, "MDTM, where there is any: 213, a space, and 14 digits (perhaps a fraction).", LOGIN, FILE)
def modified(visit: Visit) -> None:
    """A time in UTC."""
    client = visit.session()
    said = client.ask(f"MDTM {visit.sample().name}")
    if said.fits("500 502"):
        raise NotOffered(f"MDTM is answered {said.code}")
    client.judge("MDTM", said, "213")
    if fault := time_fault(said.text):
        raise Broken(fault)


@facts.row("P-MDTM-1.digits", "beyond; some clients read 14 digits", BEYOND, "The time has no fraction.", LOGIN, FILE)
def whole_seconds(visit: Visit) -> None:
    """RFC 3659 permits one."""
    said = visit.session().settle(f"MDTM {visit.sample().name}", "213")
    if not re.fullmatch(r"[0-9]{14}", said.text):
        raise Broken(f"it is {said.text!r}")


@facts.row("P-MDTM-1.missing", "RFC 3659 §3.1", MUST, "MDTM of what does not exist is answered 550.", LOGIN)
def modified_nothing(visit: Visit) -> None:
    """Where there is MDTM."""
    visit.needs_feature("MDTM")
    visit.session().must("MDTM twistftp-conform-none", "550")
