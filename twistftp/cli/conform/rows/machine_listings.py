"""
Listings for programs: MLSD and MLST by their grammar, and their facts against what else the server says (RFC 3659 §7).

Not here: LIST and NLST (``listings``).
"""

from __future__ import annotations

from twistftp.cli.conform.client import Client, Transfer
from twistftp.cli.conform.grammar import mlst_facts, mlsx_fault
from twistftp.cli.conform.row import Broken, NotOffered, RowGroup
from twistftp.cli.conform.rows.words import BEYOND, DIRECTORY, FILE, LOGIN, MUST, SHOULD
from twistftp.cli.conform.visit import Visit

__all__ = ["crlf_only", "machine_listings", "mlst_entry"]

machine_listings = RowGroup("Listings for programs")
_MLSX = "RFC 3659 §7.2"


def crlf_only(transfer: Transfer) -> None:
    """
    See that lines end with CR LF.

    :raises Broken: one does not.
    """
    if b"\n" in transfer.octets.replace(b"\r\n", b"") or (transfer.octets and not transfer.octets.endswith(b"\r\n")):
        raise Broken("lines do not end with CR LF")


def _has_mlst(visit: Visit) -> None:
    if "MLST" not in visit.features():
        raise NotOffered("FEAT does not list MLST")


@machine_listings.row("P-MLSD-1", _MLSX, MUST, "MLSD, where FEAT lists MLST, sends facts and a name on each line.", LOGIN)
def machine_listing(visit: Visit) -> None:
    """By its grammar: fact=value; for each fact, one space, the name."""
    _has_mlst(visit)
    client = visit.session()
    transfer = client.fetched("MLSD")
    crlf_only(transfer)
    if fault := next(filter(None, map(mlsx_fault, transfer.lines)), ""):
        raise Broken(fault)


@machine_listings.row(
    "P-ML-8",
    "RFC 3659 §7.2",
    MUST,
    "Names of MLSD are bare, without the path of the directory (but for those of type cdir and pdir).",
    LOGIN,
    DIRECTORY,
)
def bare_names(visit: Visit) -> None:
    """P-MLSD-1 of another directory."""
    _has_mlst(visit)
    directory = visit.directory()
    entries = [mlst_facts(line) for line in visit.session().fetched(f"MLSD {directory.name}").lines]
    names = [name for facts, name in entries if facts.get("type", "").lower() not in {"cdir", "pdir"}]
    if any("/" in name for name in names) or directory.file not in names:
        raise Broken(f"the names are {names[:5]!r}, and {directory.file!r} should be among them")


@machine_listings.row("P-MLSD-1.file", "RFC 3659 §7.2.1", MUST, "MLSD of a file is refused with 501 (or 550).", LOGIN, FILE)
def machine_listing_of_file(visit: Visit) -> None:
    """It is for directories; §7.2.1 has 501, many servers take the 550 of a missing directory."""
    _has_mlst(visit)
    client = visit.session(fresh=True)
    client.judge("MLSD of a file", client.fetch(f"MLSD {visit.sample().name}").ended, "501 550")


@machine_listings.row("P-MLSD-1.missing", "RFC 3659 §7.2.1", MUST, "MLSD of what does not exist is refused with 550 (or 501, 450).", LOGIN)
def machine_listing_of_nothing(visit: Visit) -> None:
    """And not by an empty listing."""
    _has_mlst(visit)
    client = visit.session(fresh=True)
    client.judge("MLSD", client.fetch("MLSD twistftp-conform-none").ended, "450 501 550")


def mlst_entry(client: Client, name: str) -> tuple[dict[str, str], str]:
    """
    The facts and the name that MLST shows.

    :raises Broken: its reply has not the form of RFC 3659 §7.2.
    """
    said = client.must(f"MLST {name}".rstrip(), "250")
    entries = said.lines[1:-1]
    if not said.lines[0].startswith("250-") or not entries or not entries[0].startswith(" "):
        raise Broken("the reply is not 250-, one space and an entry, 250")
    if fault := mlsx_fault(entries[0][1:]):
        raise Broken(fault)
    return mlst_facts(entries[0][1:])


@machine_listings.row("P-MLST-1", _MLSX, MUST, "MLST, where FEAT lists it: 250- text, one space and an entry, 250 End.", LOGIN, FILE)
def machine_entry(visit: Visit) -> None:
    """Of a file."""
    _has_mlst(visit)
    facts, name = mlst_entry(visit.session(), visit.sample().name)
    if facts.get("type", "file").lower() != "file":
        raise Broken(f"the file has type={facts['type']}")
    if name.rpartition("/")[2] != visit.sample().name.rpartition("/")[2]:
        raise Broken(f"the entry names {name!r}")


@machine_listings.row(
    "P-MLST-1.three",
    "beyond; some clients read three lines",
    BEYOND,
    "The reply of MLST has exactly three lines, and the path in it is absolute.",
    LOGIN,
    FILE,
)
def three_lines(visit: Visit) -> None:
    """RFC 3659 permits several entries."""
    _has_mlst(visit)
    client = visit.session()
    _, name = mlst_entry(client, visit.sample().name)
    if len(client.dialogue.replies[-1].lines) != 3 or not name.startswith("/"):
        raise Broken(f"{len(client.dialogue.replies[-1].lines)} lines, and the path {name!r}")


@machine_listings.row("P-ML-3", "RFC 3659 §7.5.7", SHOULD, "The fact size is the number of octets that RETR sends in TYPE I.", LOGIN, FILE)
def size_fact(visit: Visit) -> None:
    """It may be approximate, but should be as accurate as the server can make it."""
    _has_mlst(visit)
    client = visit.session()
    facts, _ = mlst_entry(client, visit.sample().name)
    if "size" not in facts:
        raise NotOffered("there is no fact size")
    client.settle("TYPE I", "200")
    if (count := len(client.fetched(f"RETR {visit.sample().name}").octets)) != int(facts["size"]):
        raise Broken(f"size={facts['size']}, and RETR sends {count} octets")


@machine_listings.row("P-ML-4", "RFC 3659 §7.5.3, §2.3", SHOULD, "The fact modify is the time that MDTM shows.", LOGIN, FILE)
def modify_fact(visit: Visit) -> None:
    """To the second."""
    _has_mlst(visit)
    client = visit.session()
    facts, _ = mlst_entry(client, visit.sample().name)
    shown = client.ask(f"MDTM {visit.sample().name}")
    if "modify" not in facts or shown.code != 213:
        raise NotOffered("there is no fact modify, or no MDTM")
    if facts["modify"][:14] != shown.text[:14]:
        raise Broken(f"modify={facts['modify']}, and MDTM says {shown.text}")


@machine_listings.row(
    "P-ML-5",
    "RFC 3659 §7.5.5",
    SHOULD,
    "The fact perm of a file that can be fetched has r, of a directory that can be listed l, if there is perm at all.",
    LOGIN,
    DIRECTORY,
)
def perm_fact(visit: Visit) -> None:
    """What this user may do."""
    _has_mlst(visit)
    client, directory = visit.session(), visit.directory()
    of_file, _ = mlst_entry(client, f"{directory.name}/{directory.file}")
    of_directory, _ = mlst_entry(client, directory.name)
    if "perm" not in of_file or "perm" not in of_directory:
        raise NotOffered("there is no fact perm")
    if "r" not in of_file["perm"].lower() or not set("el") <= set(of_directory["perm"].lower()):
        raise Broken(f"the file has perm={of_file['perm']}, the directory perm={of_directory['perm']}")


@machine_listings.row("P-ML-5.letters", "RFC 3659 §7.5.5", MUST, "The fact perm has no other letters than acdeflmprw.", LOGIN, FILE)
def perm_letters(visit: Visit) -> None:
    """In any order; none at all is right, too."""
    _has_mlst(visit)
    facts, _ = mlst_entry(visit.session(), visit.sample().name)
    if more := set(facts.get("perm", "").lower()) - set("acdeflmprw"):
        raise Broken(f"perm={facts['perm']} has {', '.join(sorted(more))}, too")


@machine_listings.row("P-ML-6", "RFC 3659 §7.5.2", MUST, "The fact unique is the same for the same file, another for another.", LOGIN, DIRECTORY)
def unique_fact(visit: Visit) -> None:
    """By MLST and by MLSD."""
    _has_mlst(visit)
    client, directory = visit.session(), visit.directory()
    alone, _ = mlst_entry(client, f"{directory.name}/{directory.file}")
    above, _ = mlst_entry(client, directory.name)
    listed = {name: facts for facts, name in map(mlst_facts, client.fetched(f"MLSD {directory.name}").lines)}
    if "unique" not in alone:
        raise NotOffered("there is no fact unique")
    if listed.get(directory.file, {}).get("unique") != alone["unique"]:
        raise Broken("MLST and MLSD show different values for the same file")
    if above.get("unique") == alone["unique"]:
        raise Broken("a file and its directory have the same value")


@machine_listings.row(
    "P-OPTS-3", "RFC 3659 §7.9", MUST, "OPTS MLST chooses the facts: 200 MLST OPTS and those chosen; MLST then shows these alone.", LOGIN, FILE
)
def choose_facts(visit: Visit) -> None:
    """Those that every server has that has any."""
    _has_mlst(visit)
    client = visit.session(fresh=True)
    offered = [fact.rstrip("*").lower() for fact in visit.features()["MLST"].split(";") if fact]
    chosen = [fact for fact in offered if fact in {"type", "size"}]
    if not chosen:
        raise NotOffered("FEAT lists neither type nor size")
    said = client.must(f"OPTS MLST {';'.join(chosen)};", "200")
    words = said.text.split(" ")
    if words[:2] != ["MLST", "OPTS"] or {fact.lower() for fact in "".join(words[2:]).split(";") if fact} != set(chosen):
        raise Broken(f"the reply is {said}")
    facts, _ = mlst_entry(client, visit.sample().name)
    if set(facts) != set(chosen):
        raise Broken(f"MLST shows {', '.join(facts) or 'nothing'}")


@machine_listings.row("P-ML-9", "RFC 3659 §7.2, §7.9", MUST, "After OPTS MLST without facts, an entry is one space and the name.", LOGIN, FILE)
def no_facts(visit: Visit) -> None:
    """And 200 MLST OPTS answers."""
    _has_mlst(visit)
    client = visit.session(fresh=True)
    client.must("OPTS MLST", "200")
    facts, _ = mlst_entry(client, visit.sample().name)
    if facts:
        raise Broken(f"MLST still shows {', '.join(facts)}")


@machine_listings.row("P-GLOB-1", "RFC 3659 §2.2.2", MUST, "* is no wildcard in MLST, SIZE and MDTM.", LOGIN, FILE)
def no_wildcards(visit: Visit) -> None:
    """No file of the name * is there."""
    client = visit.session()
    for command, feature in (("MLST *", "MLST"), ("SIZE *", "SIZE"), ("MDTM *", "MDTM")):
        if feature in visit.features():
            client.must(command, "5xx")
