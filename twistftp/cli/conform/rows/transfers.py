"""
Files that are fetched: whole, from an offset, as text, and given up on the way.

Not here: files that are sent (``writing``).
"""

from __future__ import annotations

import hashlib
import re

from twistftp.cli.conform.client import Client
from twistftp.cli.conform.connection import Connection
from twistftp.cli.conform.ground import TEXT
from twistftp.cli.conform.row import Broken, NotOffered, NotTried, RowGroup
from twistftp.cli.conform.rows.words import BEYOND, DIRECTORY, FILE, LOGIN, MUST, SHOULD, WRITE
from twistftp.cli.conform.visit import Visit

__all__ = ["transfers"]

transfers = RowGroup("Fetching files")
_PART = b"twistftp conform " * 64
_MOMENT = 0.2
"""Seconds in which a server takes a data connection that is there."""


def _image(client: Client) -> Client:
    client.settle("TYPE I", "200")
    return client


@transfers.row(
    "P-RETR-1",
    "RFC 959 §4.1.3, §5.4",
    MUST,
    "RETR sends a file: 125 or 150, the octets, 226 or 250.",
    LOGIN,
    FILE,
)
def retrieve(visit: Visit) -> None:
    """In TYPE I."""
    sample = visit.sample()
    client = _image(visit.session())
    transfer = client.fetched(f"RETR {sample.name}")
    client.judge("RETR", transfer.begun, "125 150")
    client.judge("the end of RETR", transfer.ended, "226 250")
    # What lies on the server may change, and LIST says about sizes what it likes.
    if visit.ground.is_ours and len(transfer.octets) != sample.size:
        raise Broken(f"{len(transfer.octets)} octets came of a file of {sample.size}")


@transfers.row("P-RETR-1.missing", "RFC 959 §5.4", MUST, "RETR of what does not exist is answered 550 (or 450), and the session goes on.", LOGIN)
def retrieve_nothing(visit: Visit) -> None:
    """Before or behind a 150."""
    client = _image(visit.session(fresh=True))
    transfer = client.fetch("RETR twistftp-conform-none")
    client.judge("RETR", transfer.ended, "450 550")
    client.must("PWD", "257")


@transfers.row("P-RETR-1.directory", "RFC 959 §5.4", MUST, "RETR of a directory is refused with 550 (or 450, 501, 553).", LOGIN, DIRECTORY)
def retrieve_directory(visit: Visit) -> None:
    """It is no file."""
    client = _image(visit.session(fresh=True))
    transfer = client.fetch(f"RETR {visit.directory().name}")
    client.judge("RETR of a directory", transfer.ended, "450 501 550 553")


@transfers.row(
    "P-DC-17",
    "beyond; clients wait for nothing otherwise",
    BEYOND,
    "RETR of what does not exist is refused without waiting for the data connection.",
    LOGIN,
)
def refused_at_once(visit: Visit) -> None:
    """The client does not connect."""
    client = _image(visit.session(fresh=True))
    client.settle("EPSV" if client.is_ipv6 else "PASV", "227 229")
    client.must("RETR twistftp-conform-none", "550 450")


@transfers.row("P-RETR-2", "beyond; curl and ftplib read it", BEYOND, "If a 150 says (N bytes), that many come.", LOGIN, FILE)
def announced(visit: Visit) -> None:
    """In TYPE I."""
    transfer = _image(visit.session()).fetched(f"RETR {visit.sample().name}")
    found = re.search(r"\((\d+) bytes\)", transfer.begun.lines[0])
    if found is None:
        raise NotOffered("the reply names no size")
    if int(found[1]) != len(transfer.octets):
        raise Broken(f"{found[1]} were announced, {len(transfer.octets)} came")


@transfers.row("P-DC-8", "beyond; some clients take one code only", BEYOND, "Transfers begin with 150 and end with 226.", LOGIN, FILE)
def usual_codes(visit: Visit) -> None:
    """P-DX-20: RFC 959 has 125 and 250, too."""
    client, name = _image(visit.session()), visit.sample().name
    data = client.passive()
    client.dialogue.hear_if_any(_MOMENT)  # 125 is for a connection that is there, so it shall be
    transfer = client.fetch(f"RETR {name}", data)
    client.judge("RETR", transfer.begun, "150")
    client.judge("the end of RETR", transfer.ended, "226")


@transfers.row("P-REST-2", "RFC 3659 §5.3", MUST, "REST n and RETR send the file from octet n on, where REST works.", LOGIN, FILE)
def resume(visit: Visit) -> None:
    """REST stands immediately before RETR."""
    client, name = _image(visit.session(fresh=True)), visit.sample().name
    whole = client.fetched(f"RETR {name}").octets
    at = len(whole) // 2
    data = client.passive()
    said = client.ask(f"REST {at}")
    if said.fits("500 502 504") and "REST" not in visit.features():
        data.close()
        raise NotOffered(f"REST is answered {said.code}")
    client.judge(f"REST {at}", said, "350")
    transfer = client.fetch(f"RETR {name}", data)
    client.judge("RETR", transfer.begun, "1xx")
    client.judge("the end of RETR", transfer.ended, "2xx")
    if transfer.octets != whole[at:]:
        raise Broken(f"{len(transfer.octets)} octets came, not the last {len(whole) - at} of {len(whole)}")
    if client.fetched(f"RETR {name}").octets != whole:
        raise Broken("the offset still holds for the next RETR")


@transfers.row("P-GEN-13", "beyond; clients put PASV and TYPE between", BEYOND, "REST holds through TYPE and PASV until the transfer.", LOGIN, FILE)
def lasting_restart(visit: Visit) -> None:
    """RFC 3659 §5.3 wants REST immediately before the transfer."""
    client, name = _image(visit.session(fresh=True)), visit.sample().name
    client.settle("REST 1", "350")
    client.settle("TYPE I", "200")
    transfer = client.fetched(f"RETR {name}")
    if len(transfer.octets) != visit.sample().size - 1:
        raise Broken(f"{len(transfer.octets)} octets came of {visit.sample().size}, though REST said 1")


@transfers.row(
    "P-REST-2.beyond", "beyond; RFC 1123 §4.1.3.4 has 554 for it", BEYOND, "An offset behind the end of the file is answered 554.", LOGIN, FILE
)
def beyond_the_end(visit: Visit) -> None:
    """At REST or at RETR."""
    client = _image(visit.session(fresh=True))
    said = client.ask(f"REST {visit.sample().size + 1000}")
    if said.code == 350:
        transfer = client.fetch(f"RETR {visit.sample().name}")
        said = transfer.ended
    elif said.fits("500 502"):
        raise NotOffered(f"REST is answered {said.code}")
    client.judge("the transfer", said, "554")


@transfers.row("P-TYPE-2", "RFC 959 §3.1.1.1", MUST, "TYPE A sends each line of a text with CR LF.", LOGIN, WRITE)
def ascii_fetch(visit: Visit) -> None:
    """A file that was sent in TYPE I with LF, as it lies on a Unix server."""
    client = visit.session(fresh=True)
    client.settle("TYPE A", "200")
    octets = client.fetched("RETR text.txt").octets
    if octets != TEXT.replace(b"\n", b"\r\n"):
        how = "with LF alone" if octets == TEXT else repr(octets)
        raise Broken(f"{TEXT!r} comes {how}")


@transfers.row("P-ABOR-3", "RFC 959 §4.1.3, §5.4", MUST, "ABOR with nothing to abort is answered 225 or 226, where there is ABOR.", LOGIN)
def abort_nothing(visit: Visit) -> None:
    """And the session goes on."""
    client = visit.session(fresh=True)
    said = client.ask("ABOR")
    if said.fits("500 502"):
        raise NotOffered(f"ABOR is answered {said.code}")
    client.judge("ABOR", said, "225 226")
    client.must("PWD", "257")


def _under_way(visit: Visit, command: str) -> tuple[Client, Connection]:
    """
    An upload that does not end by itself.

    :param command: what will be sent while it goes on.
    :raises NotOffered: the server does not know that.
    :raises NotTried: the upload does not begin.
    """
    client = _image(visit.session(fresh=True))
    if (said := client.ask(command)).fits("500 502"):
        raise NotOffered(f"{command} is answered {said.code}")
    data = client.passive()
    said = client.ask("STOR held.bin", visit.allowance.to_transfer)
    if said.code >= 200:
        data.close()
        raise NotTried(f"STOR is answered {said.code}")
    client.protect(data)
    data.send(_PART, visit.allowance.until(visit.allowance.to_transfer))
    visit.transcript.data(f"{len(_PART)} octets sent; the connection stays open")
    if (early := client.dialogue.hear_if_any(_MOMENT)) is not None:
        raise Broken(f"the transfer is said to be over: {early}")
    return client, data


@transfers.row(
    "P-ABOR-1",
    "RFC 959 §4.1.3, §5.4",
    MUST,
    "ABOR in a transfer: 426 for that, then 226 (or 225) for ABOR, and the data connection is closed.",
    LOGIN,
    WRITE,
)
def abort(visit: Visit) -> None:
    """An upload is held open, so that there is something to abort; Telnet's signals go before, as RFC 959 says."""
    client, data = _under_way(visit, "ABOR")
    try:
        client.dialogue.send_urgent(b"\xff\xf4\xff")
        client.send(b"\xf2ABOR\r\n")
        client.judge("the transfer that ABOR ends", client.hear(visit.allowance.to_talk), "426 451 425")
        client.judge("ABOR", client.hear(), "225 226")
    finally:
        data.close()
    client.must("PWD", "257")


@transfers.row("P-ABOR-1.plain", "beyond; many clients send no signals", BEYOND, "ABOR without Telnet's signals ends a transfer, too.", LOGIN, WRITE)
def abort_plainly(visit: Visit) -> None:
    """An ordinary line."""
    client, data = _under_way(visit, "ABOR")
    try:
        client.judge("the transfer that ABOR ends", client.ask("ABOR"), "426 451 425")
        client.judge("ABOR", client.hear(), "225 226")
    finally:
        data.close()


@transfers.row("P-STAT-2", "RFC 959 §4.1.3", SHOULD, "STAT in a transfer is answered before that ends: 211, 212 or 213.", LOGIN, WRITE)
def status_under_way(visit: Visit) -> None:
    """RFC 959 has the status of the operation in progress; the upload ends behind it."""
    client, data = _under_way(visit, "STAT")
    try:
        client.dialogue.send_urgent(b"\xff\xf4\xff")
        client.send(b"\xf2STAT\r\n")
        said = client.dialogue.hear_if_any(visit.allowance.to_reply)
        if said is None:
            raise Broken("STAT is not answered while the transfer is under way")
        client.judge("STAT", said, "211 212 213")
        data.finish(visit.allowance.until(1))
        data.await_end(visit.allowance.until(1))
    finally:
        data.close()
    client.judge("the end of STOR", client.hear(visit.allowance.to_transfer), "226 250")


@transfers.row("P-DX-17", "beyond", BEYOND, "A client that closes its direction of the data connection at once still gets the file.", LOGIN, FILE)
def half_closed(visit: Visit) -> None:
    """It has nothing to send anyway. Under TLS that would be the end of both."""
    client = _image(visit.session(fresh=True))
    if client.is_protected:
        raise NotTried("the session is under TLS")
    data = client.passive()
    try:
        data.finish(visit.allowance.until(1))
        client.dialogue.hear_if_any(_MOMENT)  # the server may see the end before the command, and has nothing to say about it
        transfer = client.fetch(f"RETR {visit.sample().name}", data)
    finally:
        data.close()
    client.judge("RETR", transfer.begun, "1xx")
    client.judge("the end of RETR", transfer.ended, "2xx")
    if len(transfer.octets) != visit.sample().size:
        raise Broken(f"{len(transfer.octets)} octets came of {visit.sample().size}")


@transfers.row("P-PIPE-2", "beyond", BEYOND, "NOOP in a transfer is answered after the transfer.", LOGIN, WRITE)
def noop_under_way(visit: Visit) -> None:
    """Replies stay in the order of the commands."""
    client, data = _under_way(visit, "NOOP")
    try:
        client.send("NOOP")
        if (early := client.dialogue.hear_if_any(0.5)) is not None:
            raise Broken(f"it is answered before: {early}")
        data.finish(visit.allowance.until(1))
        data.await_end(visit.allowance.until(1))
    finally:
        data.close()
    client.judge("the end of STOR", client.hear(visit.allowance.to_transfer), "226 250")
    client.judge("NOOP", client.hear(), "200")


@transfers.row("P-RANG-1", "beyond; draft-bryan-ftp-range", BEYOND, "RANG 1 3, where FEAT lists it, has RETR send octets 1 to 3.", LOGIN, FILE)
def part(visit: Visit) -> None:
    """Both ends are meant."""
    visit.needs_feature("RANG")
    client, name = _image(visit.session(fresh=True)), visit.sample().name
    whole = client.fetched(f"RETR {name}").octets
    client.must("RANG 1 3", "350")
    if (came := client.fetched(f"RETR {name}").octets) != whole[1:4]:
        raise Broken(f"{len(came)} octets came")


@transfers.row(
    "P-HASH-1", "beyond; draft-bryan-ftpext-hash", BEYOND, "HASH, where FEAT lists it, is answered 213 and the checksum of the file.", LOGIN, FILE
)
def checksum(visit: Visit) -> None:
    """By the algorithm that the reply names."""
    visit.needs_feature("HASH")
    client, name = _image(visit.session(fresh=True)), visit.sample().name
    whole = client.fetched(f"RETR {name}").octets
    words = client.must(f"HASH {name}", "213").text.split(" ")
    algorithm = words[0].lower().replace("sha-1", "sha1").replace("sha-", "sha")
    if algorithm not in hashlib.algorithms_available or hashlib.new(algorithm, whole).hexdigest() not in (word.lower() for word in words):
        raise Broken(f"the checksum of what RETR sends is another than in {' '.join(words)!r}")


@transfers.row(
    "P-MODEZ-1", "beyond; draft-preston-ftpext-deflate", BEYOND, "MODE Z, where FEAT lists it, sends a file as a zlib stream.", LOGIN, FILE
)
def deflated(visit: Visit) -> None:
    """Switched off under TLS by some."""
    import zlib

    visit.needs_feature("MODE Z")
    client, name = _image(visit.session(fresh=True)), visit.sample().name
    whole = client.fetched(f"RETR {name}").octets
    client.must("MODE Z", "200")
    try:
        came = zlib.decompress(client.fetched(f"RETR {name}").octets)
    except zlib.error as error:
        raise Broken(f"what comes is no zlib stream: {error}") from None
    if came != whole:
        raise Broken("another file comes")
