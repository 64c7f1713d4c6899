"""
Facts of one file: SIZE MDTM MLST (RFC 3659).

Not here: listings of directories (``listings``), contents (``transfers``).
"""

from __future__ import annotations

from typing import Any

from twistftp.session.lookup import find, on_existing
from twistftp.session.session import Session, TransferType
from twistftp.session.transfer import settled
from twistftp.storage.failures import IsADirectory, NotAPlainFile
from twistftp.wire.arguments import OPTIONAL_PATHNAME, PATHNAME
from twistftp.wire.commands import CommandGroup
from twistftp.wire.entries import ALL_FACTS, facts_line
from twistftp.wire.nvt_ascii import ToNVT
from twistftp.wire.paths import join
from twistftp.wire.replies import Reply, cleaned, exact
from twistftp.wire.states import Keeps
from twistftp.wire.timeval import timeval

__all__ = ["COUNTABLE", "converted_length", "files"]

files = CommandGroup("Facts of files")

COUNTABLE = 1 << 20  # octets of a file that are read to count them as TYPE A sends them (PROTOCOL P-SIZE-2)
_BLOCK = 256 * 1024


@files.command("SIZE", PATHNAME, keeps=Keeps.RESTART, rfc="3659 §4", feat="SIZE", help="show the size of a file")
async def size(session: Session, name: str) -> Reply:
    """Exactly the octets that RETR would send in the present TYPE; estimates are forbidden."""
    if session.type is TransferType.IMAGE:
        _, entry = await find(session, name)
        if entry.is_directory:
            raise IsADirectory
        if not entry.is_file:
            raise NotAPlainFile
        return Reply.of(213, str((entry.resolved or entry).size))
    _, file = await on_existing(session, name, session.store.open_file)
    try:
        if file.size > COUNTABLE:
            return Reply.of(550, "SIZE not available in ASCII mode; use TYPE I.")
        return Reply.of(213, str(await converted_length(file)))
    finally:
        file.close()


async def converted_length(file: Any) -> int:
    """The octets that TYPE A makes of an ``IOpenFile``, as long as it was when it was opened."""
    converter, total, offset = ToNVT(), 0, 0
    while offset < file.size and (data := await settled(file.read_at(offset, min(_BLOCK, file.size - offset)))):
        offset += len(data)
        total += len(converter.convert(data))
    return total


@files.command("MDTM", PATHNAME, keeps=Keeps.RESTART, rfc="3659 §3", feat="MDTM", help="show when a file was last modified")
async def modification_time(session: Session, name: str) -> Reply:
    """14 digits, UTC, no fraction: what every client can read."""
    _, entry = await find(session, name)
    return Reply.of(213, timeval((entry.resolved or entry).modified))


def _facts_offered(session: Session) -> str:
    """FEAT's MLST line: every fact there is, those that are on marked (RFC 3659 §7.8)."""
    there = session.store.facts if session.store is not None else ALL_FACTS
    return "MLST " + "".join(f"{fact}{'*' if fact in session.facts else ''};" for fact in ALL_FACTS if fact in there)


@files.command("MLST", OPTIONAL_PATHNAME, rfc="3659 §7", feat=_facts_offered, help="show the facts of one object")
async def facts(session: Session, name: str) -> Reply:
    """Exactly three lines; the name is the whole path (PROTOCOL P-MLST-1)."""
    path, entry = await find(session, name)
    line = facts_line(entry, session.facts & session.store.facts, exact(join(path)))
    return Reply.listing(250, f"Listing {cleaned(join(path))}", [line], "End")
