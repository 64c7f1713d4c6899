"""
Transfer parameters: TYPE STRU MODE REST RANG ALLO OPTS LANG (RFC 959 §4.1.2, RFC 2389 §4, RFC 3659 §5).

Not here: what a transfer makes of them (``transfers``), FEAT (``information``).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from twistftp.session.session import Session, TransferType
from twistftp.session.transfer import settled
from twistftp.storage.digests import ALGORITHMS
from twistftp.storage.refusals import denied
from twistftp.transport.deflate import BEST
from twistftp.wire.arguments import NUMBER, Argument, ArgumentError, word
from twistftp.wire.commands import CommandGroup
from twistftp.wire.entries import ALL_FACTS
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.states import Keeps, Needs

parameters = CommandGroup("Transfer parameters")

# RFC 959 §4.1.2, RFC 1123 §4.1.2.1: words of TYPE -> what they select. None: known, and not done here.
_TYPES: dict[str, TransferType | None] = {
    **dict.fromkeys(("A", "A N", "A T"), TransferType.ASCII),
    **dict.fromkeys(("I", "L 8", "L8"), TransferType.IMAGE),  # clients send the last one, too
    **dict.fromkeys(("A C", "E", "E N", "E T", "E C")),
}
_OTHER_BYTE_SIZE = re.compile(r"L ?[0-9]{1,3}", re.ASCII)


@parameters.command("TYPE", word("A|I|L 8"), keeps=Keeps.RESTART, rfc="959 §4.1.2", help="choose text (A) or binary (I) transfers")
def type_(session: Session, value: str) -> Reply:
    """Sticky until the next TYPE; listings ignore it (PROTOCOL P-TYPE-3)."""
    words = value.upper()
    if words not in _TYPES and not _OTHER_BYTE_SIZE.fullmatch(words):
        return Reply.of(501, "Syntax: TYPE A, TYPE I or TYPE L 8.")
    chosen = _TYPES.get(words)
    if chosen is None:
        return Reply.of(504, f"TYPE {words} is not supported; use TYPE A, TYPE I or TYPE L 8.")
    session.type = chosen
    return Reply.of(200, f"Type set to {words}.")


def _only(verb: str, value: str, supported: str, known: str) -> Reply:
    """A parameter with one value that works and some that are known (RFC 1123 §4.1.2.3)."""
    letter = value.upper()
    if letter == supported:
        return Reply.of(200, f"{verb} set to {supported}.")
    if len(letter) == 1 and letter in known:
        return Reply.of(504, f"{verb} {letter} is not supported; use {verb} {supported}.")
    return Reply.of(501, f"Syntax: {verb} {supported}.")


@parameters.command("STRU", word("F"), keeps=Keeps.RESTART, rfc="959 §4.1.2", help="file structure: F")
def structure(session: Session, value: str) -> Reply:
    """Files are streams of octets, without records or pages."""
    return _only("STRU", value, "F", "RP")


def _may_deflate(session: Session) -> bool:
    """Not under TLS: how well secrets deflate beside what somebody else has put there tells of them."""
    return session.site.settings.file_handling.mode_z and session.tls is None


@parameters.command(
    "MODE",
    word("S|Z"),
    keeps=Keeps.RESTART,
    rfc="959 §4.1.2",
    feat=lambda session: "MODE Z" if _may_deflate(session) else None,
    help="transfer mode: S (stream), or Z (deflate) where the site has that",
)
def mode(session: Session, value: str) -> Reply:
    """The end of the data connection is the end of the file; Z makes a zlib stream of what goes over it (PROTOCOL P-MODEZ-1)."""
    if value.upper() == "Z" and _may_deflate(session):
        session.deflates = True
        return Reply.of(200, "MODE set to Z.")
    if value.upper() == "Z" and session.site.settings.file_handling.mode_z:
        return Reply.of(504, "MODE Z is not for sessions with TLS; use MODE S.")
    reply = _only("MODE", value, "S", "BCZ")
    session.deflates = session.deflates and not reply.is_positive
    return reply


def _restarts(session: Session) -> str | None:
    return "REST STREAM" if session.store is None or session.store.restartable else None


@parameters.command(
    "REST", Argument("<byte offset>", NUMBER.parse), keeps=Keeps.RESTART, rfc="3659 §5", feat=_restarts, help="start the next transfer at an offset"
)
def restart(session: Session, offset: int) -> Reply:
    """Not compared with any file here: the transfer does that (PROTOCOL P-REST-1)."""
    if not session.store.restartable:
        return Reply.of(502, "Transfers cannot be restarted in this file system.")
    session.restart, session.range_end = offset, None
    return Reply.of(350, f"Restarting at {offset}; send RETR or STOR next.")


def _range(octets: bytes) -> tuple[int, int]:
    match = re.fullmatch(rb"(\d+) +(\d+)", octets.strip(b" \t"))
    if match is None:
        raise ArgumentError
    return NUMBER.parse(match[1]), NUMBER.parse(match[2])


@parameters.command(
    "RANG",
    Argument("<first> <last>", _range),
    keeps=Keeps.RESTART,
    rfc="draft-bryan-ftp-range",
    feat=lambda session: "RANG STREAM" if _restarts(session) else None,
    help="have the next transfer, or HASH, mind these octets alone",
)
def range_(session: Session, value: tuple[int, int]) -> Reply:
    """``RANG 1 0`` takes it back; so does one that makes no sense. REST and RANG replace each other (PROTOCOL P-RANG-1)."""
    first, last = value
    session.restart, session.range_end = 0, None
    if (first, last) == (1, 0):
        return Reply.of(350, "The next transfer is of the whole file.")
    if first > last:
        return Reply.of(501, "Syntax: RANG <first> <last> (the first octet, counted from 0, and the last).")
    if not session.store.restartable:
        return Reply.of(502, "Parts of files cannot be transferred in this file system.")
    session.restart, session.range_end = first, last
    return Reply.of(350, f"The next transfer is of the octets {first} to {last}; send RETR or STOR next.")


def _allocation(octets: bytes) -> int:
    match = re.fullmatch(rb"(\d{1,19})(?: R \d{1,19})?", octets.strip(b" \t"), re.IGNORECASE)
    if match is None:
        raise ArgumentError
    return int(match[1])


@parameters.command("ALLO", Argument("<bytes> [R <bytes>]", _allocation), keeps=Keeps.RESTART, rfc="959 §4.1.3", help="ask whether there is room")
async def allocate(session: Session, size: int) -> Reply:
    """Some clients send it before every upload. Nothing is reserved, but what cannot fit need not be sent (PROTOCOL P-ALLO-1)."""
    if denial := session.site.settings.request_filtering.of_length(size):
        raise denied(denial)
    free = await settled(session.store.free_space(session.cwd))
    if free is not None and size > free:
        return Reply.of(552, f"{size} bytes do not fit: {free} are free here.")
    return Reply.of(202, "There is room; no allocation is needed.")


@parameters.command(
    "OPTS",
    word("<name> [<value>]"),
    needs=Needs.NOTHING,
    keeps=Keeps.RESTART,
    rfc="2389 §4",
    help="set an option: UTF8 ON, MLST <facts>, HASH <algorithm>, MODE Z LEVEL <0-9>",
)
def options(session: Session, value: str) -> Reply:
    """One handler an option; Windows' ftp.exe sends UTF8 ON before it logs in (PROTOCOL P-GEN-10)."""
    name, _, rest = value.partition(" ")
    handler = _OPTIONS.get(name.upper())
    if handler is None:
        known = set(_OPTIONS) - {"UTF-8"} - (set() if _may_deflate(session) else {"MODE"})
        return Reply.of(501, f"Option {cleaned(name, 32)} is not known; there are {', '.join(sorted(known))}.")
    return handler(session, rest.strip(" \t"))


def _option_utf8(session: Session, value: str) -> Reply:
    if value.upper() in ("", "ON"):
        return Reply.of(200, "UTF8 is on.")
    if value.upper() == "OFF":
        return Reply.of(504, "UTF8 cannot be switched off; names pass unchanged.")
    return Reply.of(501, "Syntax: OPTS UTF8 ON.")


def _option_mlst(session: Session, value: str) -> Reply:
    """RFC 3659 §7.9: unknown facts are ignored, the answer has those that are on, in our order."""
    if " " in value or "\t" in value:
        return Reply.of(501, "Syntax: OPTS MLST <fact>;<fact>; (no blanks).")
    wanted = {fact.lower() for fact in value.split(";")}
    there = session.store.facts if session.store is not None else ALL_FACTS
    session.facts = frozenset(fact for fact in ALL_FACTS if fact in wanted and fact in there)
    chosen = "".join(f"{fact};" for fact in ALL_FACTS if fact in session.facts)
    return Reply.of(200, f"MLST OPTS {chosen}".rstrip())


def _option_hash(session: Session, value: str) -> Reply:
    """The algorithm of HASH, or which it is (draft-bryan-ftpext-hash; PROTOCOL P-OPTS-4)."""
    if value and value.upper() not in ALGORITHMS:
        return Reply.of(501, f"There are {', '.join(ALGORITHMS)}.")
    session.hash = value.upper() or session.hash
    return Reply.of(200, session.hash)


_LEVEL = re.compile(r"Z +LEVEL +([0-9])", re.ASCII | re.IGNORECASE)


def _option_mode(session: Session, value: str) -> Reply:
    """How hard MODE Z tries, from the next transfer on (PROTOCOL P-MODEZ-2)."""
    match = _LEVEL.fullmatch(value)
    if match is None:
        return Reply.of(501, "Syntax: OPTS MODE Z LEVEL <0-9>.")
    if not _may_deflate(session):
        return Reply.of(501, "There is no MODE Z here.")
    session.deflate_level = min(int(match[1]), BEST)
    return Reply.of(200, f"MODE Z LEVEL set to {session.deflate_level}{', the highest here' if int(match[1]) > BEST else ''}.")


_OPTIONS: dict[str, Callable[[Session, str], Reply]] = {
    **dict.fromkeys(("UTF8", "UTF-8"), _option_utf8),
    "MLST": _option_mlst,
    "HASH": _option_hash,
    "MODE": _option_mode,
}

_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)


@parameters.command(
    "LANG", word("[<tag>]", optional=True), needs=Needs.NOTHING, rfc="2640 §4", feat="LANG EN*", help="choose the language of replies: EN"
)
def language(session: Session, tag: str) -> Reply:
    """Replies are in English."""
    if tag and not _TAG.fullmatch(tag):
        return Reply.of(501, "Syntax: LANG [<tag>].")
    if tag and tag.upper().split("-")[0] != "EN":
        return Reply.of(504, "Replies are in English only; use LANG EN.")
    return Reply.of(200, "Replies are in English.")
