"""
Listings for people: LIST and NLST, by what is said of their forms, and against each other.

Not here: MLSD and MLST (``machine_listings``).
"""

from __future__ import annotations

from twistftp.cli.conform.client import Client
from twistftp.cli.conform.grammar import mlst_facts, nlst_fault, unix_line_fault
from twistftp.cli.conform.row import Broken, NotOffered, NotTried, RowGroup
from twistftp.cli.conform.rows.machine_listings import crlf_only
from twistftp.cli.conform.rows.words import BEYOND, DIRECTORY, FILE, LOGIN, MUST, SHOULD
from twistftp.cli.conform.visit import Visit

__all__ = ["listings"]

listings = RowGroup("Listings")


@listings.row("P-LIST-1", "RFC 959 §4.1.3, §5.4", MUST, "LIST sends a listing: 125 or 150, lines, 226 or 250.", LOGIN)
def list_(visit: Visit) -> None:
    """Of the directory in which the session begins."""
    client = visit.session()
    transfer = client.fetched("LIST")
    client.judge("LIST", transfer.begun, "125 150")
    client.judge("the end of LIST", transfer.ended, "226 250")


@listings.row("P-LIST-1.file", "RFC 959 §4.1.3", SHOULD, "LIST of a file sends information on the file.", LOGIN, FILE)
def list_file(visit: Visit) -> None:
    """Its name stands in a line."""
    name = visit.sample().name
    transfer = visit.session().fetched(f"LIST {name}")
    if not any(line.endswith(name.rpartition("/")[2]) for line in transfer.lines):
        raise Broken(f"no line names the file: {transfer.lines[:3]!r}")


@listings.row("P-LIST-1.missing", "beyond; RFC 959 §5.4 lists 450", BEYOND, "LIST of what does not exist is answered 450 or 550.", LOGIN)
def list_nothing(visit: Visit) -> None:
    """And not by an empty listing."""
    client = visit.session(fresh=True)
    client.judge("LIST", client.fetch("LIST twistftp-conform-none").ended, "450 550")


@listings.row("P-TYPE-3", "RFC 1123 §4.1.2.7", SHOULD, "Lines of LIST and NLST end with CR LF in TYPE I, too.", LOGIN)
def always_text(visit: Visit) -> None:
    """P-LS-1: an implied TYPE A N."""
    client = visit.session(fresh=True)
    client.settle("TYPE I", "200")
    for command in ("LIST", "NLST"):
        transfer = client.fetch(command)
        if transfer.ended.code >= 400:
            raise NotTried(f"{command} is answered {transfer.ended.code}")
        crlf_only(transfer)


@listings.row("P-LU-1", "beyond; no RFC has a form for LIST", BEYOND, "Where SYST says UNIX, lines of LIST are like those of ls -l.", LOGIN)
def unix_form(visit: Visit) -> None:
    """Nine columns, one space, the name."""
    client = visit.session()
    if not client.ask("SYST").text.upper().startswith("UNIX"):
        raise NotOffered("SYST does not say UNIX")
    lines = [line for line in client.fetched("LIST").lines if not line.startswith("total ")]
    if not lines:
        raise NotTried("the directory is empty")
    if fault := next(filter(None, map(unix_line_fault, lines)), ""):
        raise Broken(fault)


@listings.row("P-LS-2", "beyond", BEYOND, "LIST has no total, no empty lines, no . and no ..", LOGIN)
def nothing_else(visit: Visit) -> None:
    """P-LS-3: entries alone."""
    for line in visit.session().fetched("LIST").lines:
        if not line or line.startswith("total ") or line.endswith((" .", " ..")):
            raise Broken(f"there is a line {line!r}")


@listings.row("P-LOPT-1", "beyond; FileZilla and WinSCP send it", BEYOND, "LIST -la lists the directory, and no object of that name.", LOGIN, FILE)
def options(visit: Visit) -> None:
    """As LIST does."""
    client = visit.session(fresh=True)
    if len(client.fetched("LIST -la").lines) < len(client.fetched("LIST").lines):
        raise Broken("it lists less than LIST")


@listings.row("P-NLST-1", "RFC 1123 §4.1.2.7; RFC 959 §5.3.1", MUST, "NLST, which needs no argument, sends names alone.", LOGIN)
def names(visit: Visit) -> None:
    """No lines of ls -l, no empty ones. An empty directory may be answered 450 or 550."""
    client = visit.session()
    transfer = client.fetch("NLST")
    if transfer.ended.fits("450 550"):
        raise NotTried(f"NLST is answered {transfer.ended.code}: the directory may be empty")
    client.judge("the end of NLST", transfer.ended, "226 250")
    if fault := nlst_fault(transfer.lines):
        raise Broken(fault)


def _usable(client: Client, names: list[str], file: str, command: str) -> None:
    """One of the names is the file's, and works as it stands."""
    found = [name for name in names if name.rpartition("/")[2] == file]
    if not found:
        raise Broken(f"{command} does not name {file!r}")
    client.settle("TYPE I", "200")
    transfer = client.fetch(f"RETR {found[0]}")
    if transfer.ended.code >= 400:
        raise Broken(f"{command} names {found[0]!r}, and RETR of that is answered {transfer.ended.code}")


@listings.row("P-LN-1", "RFC 1123 §4.1.2.7", MUST, "A name of NLST can be given to RETR as it is.", LOGIN, FILE)
def usable(visit: Visit) -> None:
    """Of the directory in which the file is."""
    client = visit.session(fresh=True)
    directory, _, file = visit.sample().name.rpartition("/")
    if directory:
        client.settle(f"CWD {directory}", "2xx")
    transfer = client.fetch("NLST")
    if transfer.ended.code >= 400:
        raise NotTried(f"NLST is answered {transfer.ended.code}")
    _usable(client, transfer.lines, file, "NLST")


@listings.row("P-LN-2", "RFC 1123 §4.1.2.7", MUST, "A name of NLST with a directory can be given to RETR as it is.", LOGIN, DIRECTORY)
def usable_elsewhere(visit: Visit) -> None:
    """So it begins with the directory."""
    client, directory = visit.session(fresh=True), visit.directory()
    _usable(client, client.fetched(f"NLST {directory.name}").lines, directory.file, f"NLST {directory.name}")


@listings.row("P-LS-9", "beyond", BEYOND, "LIST, NLST and MLSD show the same names.", LOGIN, DIRECTORY)
def same_names(visit: Visit) -> None:
    """Of the directory with the file; those of LIST are only counted."""
    client = visit.session(fresh=True)
    client.settle(f"CWD {visit.directory().name}", "2xx")
    by_name = set(client.fetched("NLST").lines) - {".", ".."}
    by_list = [line for line in client.fetched("LIST").lines if not line.startswith("total ") and not line.endswith((" .", " .."))]
    if len(by_list) != len(by_name):
        raise Broken(f"NLST has {len(by_name)} names, LIST {len(by_list)}")
    if "MLST" in visit.features():
        entries = [mlst_facts(line) for line in client.fetched("MLSD").lines]
        by_facts = {name for facts, name in entries if facts.get("type", "").lower() not in {"cdir", "pdir"}}
        if by_facts != by_name:
            raise Broken(f"only one of NLST and MLSD has {sorted(by_facts ^ by_name)[:3]!r}")
