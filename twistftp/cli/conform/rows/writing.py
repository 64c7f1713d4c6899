"""
What changes files: STOR, APPE, STOU, RNFR and RNTO, DELE, MKD, RMD, MFMT. Everything happens in a directory of our own.

Not here: what only looks at files (``transfers``, ``facts``).
"""

from __future__ import annotations

import re

from twistftp.cli.conform.client import Client
from twistftp.cli.conform.grammar import quoted_path
from twistftp.cli.conform.row import Broken, NotOffered, RowGroup
from twistftp.cli.conform.rows.parameters import working_directory
from twistftp.cli.conform.rows.words import BEYOND, LOGIN, MUST, SHOULD, WRITE
from twistftp.cli.conform.visit import Visit

__all__ = ["writing"]

writing = RowGroup("Changing files")
_DATA = bytes(range(256)) * 20


def _client(visit: Visit, type_: str = "I") -> Client:
    client = visit.session(fresh=True)
    client.settle(f"TYPE {type_}", "200")
    return client


def _holds(client: Client, name: str, octets: bytes) -> None:
    """
    Compare a file's contents.

    :raises Broken: they are others.
    """
    came = client.fetched(f"RETR {name}").octets
    if came != octets:
        raise Broken(f"{name} has {len(came)} octets then, and should have {len(octets)}{'' if len(came) != len(octets) else ' others'}")


def _is_listed(client: Client, name: str) -> None:
    """
    See whether a listing shows a name; NLST shows it as it is, but not every server has that without an argument.

    :raises Broken: it does not.
    """
    transfer = client.fetch("NLST")
    lines = [line.rpartition("/")[2] for line in transfer.lines]
    if transfer.ended.code >= 400:
        lines = [name for line in client.fetched("LIST").lines if line.endswith(f" {name}")]
    if name not in lines:
        raise Broken(f"no listing shows the name {name!r}")


@writing.row(
    "P-STOR-1", "RFC 959 §4.1.3, §5.4", MUST, "STOR takes a file (125 or 150, 226 or 250), and RETR then sends the same octets.", LOGIN, WRITE
)
def store(visit: Visit) -> None:
    """P-DX-3: they are there when 226 says so."""
    client = _client(visit)
    transfer = client.stored("STOR stored.bin", _DATA)
    client.judge("STOR", transfer.begun, "125 150")
    client.judge("the end of STOR", transfer.ended, "226 250")
    _holds(client, "stored.bin", _DATA)


@writing.row("P-STOR-1.replace", "RFC 959 §4.1.3", MUST, "STOR over a file replaces it as a whole.", LOGIN, WRITE)
def replace(visit: Visit) -> None:
    """By a shorter one."""
    client = _client(visit)
    client.stored("STOR replaced.bin", _DATA)
    said = client.store("STOR replaced.bin", b"short").ended
    if said.fits("550 553"):
        raise NotOffered(f"STOR over a file is answered {said.code}: replacing is forbidden here")
    _holds(client, "replaced.bin", b"short")


@writing.row("P-STOR-1.empty", "RFC 959 §4.1.3", MUST, "STOR takes an empty file.", LOGIN, WRITE)
def store_nothing(visit: Visit) -> None:
    """A data connection without an octet."""
    client = _client(visit)
    client.stored("STOR empty.bin", b"")
    _holds(client, "empty.bin", b"")


@writing.row("P-STOR-1.nowhere", "RFC 959 §5.4", MUST, "STOR into a directory that there is not is refused (4yz or 5yz).", LOGIN, WRITE)
def store_nowhere(visit: Visit) -> None:
    """550 and 553 are usual."""
    client = _client(visit)
    client.judge("STOR", client.store("STOR none/file.bin", b"x").ended, "450 451 452 550 553 552 501")


@writing.row("P-TYPE-2.STOR", "RFC 959 §3.1.1.1", MUST, "A text that is sent and fetched in TYPE A is the same text, with CR LF.", LOGIN, WRITE)
def store_text(visit: Visit) -> None:
    """Whatever it looks like on the server."""
    client = _client(visit, "A")
    text = b"first\r\nsecond\r\n\r\nlast\r\n"
    client.stored("STOR ascii.txt", text)
    _holds(client, "ascii.txt", text)


@writing.row("P-APPE-1", "RFC 959 §4.1.3; RFC 1123 §4.1.2.13", MUST, "APPE adds to a file, and makes it if there is none.", LOGIN, WRITE)
def append(visit: Visit) -> None:
    """Twice the same command."""
    client = _client(visit)
    client.stored("APPE appended.bin", b"one")
    client.stored("APPE appended.bin", b"two")
    _holds(client, "appended.bin", b"onetwo")


@writing.row(
    "P-STOU-1", "RFC 1123 §4.1.2.9", MUST, "STOU, where there is any, is answered 125 or 150, FILE: and a name that is new and works.", LOGIN, WRITE
)
def store_unique(visit: Visit) -> None:
    """Without an argument."""
    client = _client(visit)
    transfer = client.store("STOU", b"unique")
    if transfer.begun.fits("500 502 504"):
        raise NotOffered(f"STOU is answered {transfer.begun.code}")
    client.judge("STOU", transfer.begun, "125 150")
    client.judge("the end of STOU", transfer.ended, "226 250")
    found = re.match(r"1[25][05] FILE: (.+)", transfer.begun.lines[0])
    if found is None:
        raise Broken(f"the reply has no FILE: and name behind the code: {transfer.begun}")
    _holds(client, found[1], b"unique")


@writing.row("P-REST-3", "RFC 3659 §5.3", MUST, "REST n and STOR write from octet n on, where REST works.", LOGIN, WRITE)
def resume(visit: Visit) -> None:
    """An upload that broke is taken up where it ended."""
    client = _client(visit)
    client.stored("STOR resumed.bin", b"begin")
    data = client.passive()
    said = client.ask("REST 5")
    data.close()
    if said.fits("500 502 504") and "REST" not in visit.features():
        raise NotOffered(f"REST is answered {said.code}")
    client = _client(visit)
    port = client.ask("EPSV" if client.is_ipv6 else "PASV")
    client.must("REST 5", "350")
    data = client.connect("EPSV" if client.is_ipv6 else "PASV", port)
    try:
        client.judge("STOR behind REST", client.ask("STOR resumed.bin"), "1xx")
        client.protect(data)
        until = visit.allowance.until(visit.allowance.to_transfer)
        data.send(b"end", until)
        data.finish(until)
        data.await_end(visit.allowance.until(1))
    finally:
        data.close()
    client.judge("the end of STOR", client.hear(visit.allowance.to_transfer), "226 250")
    _holds(client, "resumed.bin", b"beginend")


@writing.row(
    "P-MKD-1", "RFC 959, appendix II", MUST, "MKD is answered 257 and the directory in quotation marks, which CWD takes as it is.", LOGIN, WRITE
)
def make(visit: Visit) -> None:
    """PWD names the same."""
    client = _client(visit)
    path = quoted_path(client.must("MKD made", "257").lines[0])
    if path is None:
        raise Broken("no directory in quotation marks behind 257 and a space")
    client.must(f"CWD {path}", "250")
    if working_directory(client).rpartition("/")[2] != "made":
        raise Broken(f"CWD {path} leads to {working_directory(client)!r}")


@writing.row("P-MKD-1.exists", "RFC 959 §5.4, appendix II", MUST, "MKD of what exists is refused with 521 or 550 (or 553).", LOGIN, WRITE)
def make_again(visit: Visit) -> None:
    """521 is appendix II's."""
    client = _client(visit)
    client.settle("MKD twice", "257")
    client.must("MKD twice", "521 550 553")


@writing.row("P-QUOT-1", "RFC 959, appendix II", MUST, "A quotation mark in a directory's name is doubled in 257.", LOGIN, WRITE)
def quotation_marks(visit: Visit) -> None:
    """By MKD and by PWD."""
    client = _client(visit)
    said = client.ask('MKD a"b')
    if said.fits("501 550 553"):
        raise NotOffered(f"such names are not possible here: {said.code}")
    client.judge('MKD a"b', said, "257")
    for line in (said.lines[0], _inside(client, 'a"b')):
        if not (quoted_path(line) or "").endswith('a"b'):
            raise Broken(f"the reply is {line!r}")


def _inside(client: Client, name: str) -> str:
    client.must(f"CWD {name}", "250")
    return client.ask("PWD").lines[0]


@writing.row("P-RMD-1", "RFC 959 §5.4", MUST, "RMD of an empty directory is answered 250, and it is gone; then 550.", LOGIN, WRITE)
def remove_directory(visit: Visit) -> None:
    """What does not exist cannot be removed."""
    client = _client(visit)
    client.settle("MKD removed", "257")
    client.must("RMD removed", "250")
    client.must("CWD removed", "550")
    client.must("RMD removed", "550")


@writing.row(
    "P-RMD-1.full",
    "beyond; RFC 959 does not say what RMD does to what is inside",
    BEYOND,
    "RMD of a directory that is not empty is answered 550.",
    LOGIN,
    WRITE,
)
def remove_full(visit: Visit) -> None:
    """And the directory stays."""
    client = _client(visit)
    client.settle("MKD full", "257")
    client.stored("STOR full/file", b"x")
    client.must("RMD full", "550")
    client.must("CWD full", "250")


@writing.row("P-DELE-1", "RFC 959 §5.4", MUST, "DELE of a file is answered 250, and it is gone; then 550 (or 450).", LOGIN, WRITE)
def delete(visit: Visit) -> None:
    """What does not exist cannot be deleted."""
    client = _client(visit)
    client.stored("STOR deleted.bin", b"x")
    client.must("DELE deleted.bin", "250")
    client.judge("RETR", client.fetch("RETR deleted.bin").ended, "550 450")
    client.must("DELE deleted.bin", "450 550")


@writing.row("P-DELE-1.directory", "beyond; RFC 959 has RMD for it", BEYOND, "DELE does not remove a directory: 550 (or 450, 553).", LOGIN, WRITE)
def delete_directory(visit: Visit) -> None:
    """RMD is for that."""
    client = _client(visit)
    client.settle("MKD kept", "257")
    client.must("DELE kept", "450 550 553")
    client.must("CWD kept", "250")


@writing.row("P-RNFR-1", "RFC 959 §4.1.3, §5.4", MUST, "RNFR is answered 350, RNTO 250, and the file has the new name alone.", LOGIN, WRITE)
def rename(visit: Visit) -> None:
    """P-RNTO-1: with its contents."""
    client = _client(visit)
    client.stored("STOR old.bin", _DATA)
    client.must("RNFR old.bin", "350")
    client.must("RNTO new.bin", "250")
    _holds(client, "new.bin", _DATA)
    client.judge("RETR of the old name", client.fetch("RETR old.bin").ended, "450 550")


@writing.row("P-RNFR-1.missing", "beyond; RNTO may say it as well", BEYOND, "RNFR of what does not exist is answered 550 (or 450).", LOGIN, WRITE)
def rename_nothing(visit: Visit) -> None:
    """Before anything is renamed."""
    _client(visit).must("RNFR twistftp-conform-none", "450 550")


@writing.row("P-RNTO-1.alone", "RFC 959 §5.4", MUST, "RNTO without RNFR is answered 503.", LOGIN, WRITE)
def rename_to_alone(visit: Visit) -> None:
    """Out of order."""
    _client(visit).must("RNTO other", "503")


@writing.row(
    "P-GEN-12",
    "beyond; RFC 959 §4.1.3 has the client send RNTO immediately behind",
    BEYOND,
    "RNFR is forgotten when another command comes before RNTO.",
    LOGIN,
    WRITE,
)
def rename_interrupted(visit: Visit) -> None:
    """Here PWD."""
    client = _client(visit)
    client.stored("STOR from.bin", b"x")
    client.settle("RNFR from.bin", "350")
    client.settle("PWD", "257")
    client.must("RNTO to.bin", "503")


@writing.row("P-LINE-6", "RFC 959 §5.3.2; RFC 3659 §2.2", MUST, "A name may hold spaces.", LOGIN, WRITE)
def spaces(visit: Visit) -> None:
    """The argument is everything behind the first space."""
    client = _client(visit)
    client.stored("STOR with  two spaces", b"x")
    _holds(client, "with  two spaces", b"x")
    _is_listed(client, "with  two spaces")


@writing.row(
    "P-LINE-6.edges", "RFC 959 §5.3.1, §5.3.2: one space, then the pathname", SHOULD, "Spaces at both ends of a name belong to it.", LOGIN, WRITE
)
def spaces_at_the_edges(visit: Visit) -> None:
    """In front and behind."""
    client = _client(visit)
    client.stored("STOR  edges ", b"x")
    _is_listed(client, " edges ")


@writing.row("P-PATH-2", "RFC 2640 §2.2", MUST, "Where FEAT lists UTF8, names in UTF-8 are stored and listed as they are.", LOGIN, WRITE)
def utf8_names(visit: Visit) -> None:
    """Two and three octets a character."""
    visit.needs_feature("UTF8")
    client = _client(visit)
    client.stored("STOR né-€.txt", b"x")
    _holds(client, "né-€.txt", b"x")
    _is_listed(client, "né-€.txt")


@writing.row(
    "P-MFMT-1", "beyond; draft-somers-ftp-mfxx", BEYOND, "MFMT, where FEAT lists it, is answered 213, and MDTM shows that time.", LOGIN, WRITE
)
def set_time(visit: Visit) -> None:
    """In UTC."""
    visit.needs_feature("MFMT")
    client = _client(visit)
    client.stored("STOR dated.bin", b"x")
    client.must("MFMT 20010203040506 dated.bin", "213")
    shown = client.must("MDTM dated.bin", "213")
    if shown.text[:14] != "20010203040506":
        raise Broken(f"MDTM says {shown.text}")
