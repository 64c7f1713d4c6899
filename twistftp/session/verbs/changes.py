"""
Changes to files and directories without their contents: DELE RMD MKD RNFR RNTO MFMT (RFC 959 §4.1.3, draft-somers-ftp-mfxx).

Not here: uploads (``uploads``), SITE CHMOD (``site``), and who may (``storage`` refuses, and ``dispatch`` those who may only read).
"""

from __future__ import annotations

from typing import Any

from twistftp.policy.authorization import Permission
from twistftp.session.lookup import find, new_path, on_existing
from twistftp.session.session import Session
from twistftp.session.transfer import settled
from twistftp.storage.failures import IsADirectory, ObjectExists, PermissionDenied
from twistftp.storage.refusals import denied
from twistftp.wire.arguments import PATHNAME, Argument, ArgumentError, behind_first_word
from twistftp.wire.commands import CommandGroup
from twistftp.wire.paths import Path, decode_name, join, names_directory
from twistftp.wire.replies import Reply, cleaned, exact, quoted
from twistftp.wire.states import Keeps
from twistftp.wire.timeval import parse_timeval, timeval

__all__ = ["changes", "set_time"]

changes = CommandGroup("Changes")

_NAME = Argument("<path>", decode_name, is_path=True)


@changes.command("DELE", PATHNAME, writes=True, rfc="959 §4.1.3", help="remove a file")
async def delete(session: Session, name: str) -> Reply:
    """A link is removed, not its target; a name is a name, and no pattern (PROTOCOL P-DELE-1)."""

    def remove(path: Path) -> Any:
        if names_directory(name):  # also a link to one, which would be removed itself
            raise IsADirectory
        return session.store.remove_file(path)

    await on_existing(session, name, remove)
    return Reply.of(250, "Removed.")


@changes.command("MKD", PATHNAME, aliases=("XMKD",), writes=True, rfc="959 §4.1.3", help="make a directory")
async def make_directory(session: Session, name: str) -> Reply:
    """Many clients make directories that are there, and look for "already exists" (PROTOCOL P-MKD-1)."""
    path = new_path(session, name, is_directory=True)
    try:
        await settled(session.store.make_directory(path))
    except ObjectExists:
        return Reply.of(550, f"{cleaned(name)}: Directory already exists.")
    return Reply.of(257, f"{quoted(join(path))} created.")


@changes.command("RMD", PATHNAME, aliases=("XRMD",), writes=True, rfc="959 §4.1.3", help="remove an empty directory")
async def remove_directory(session: Session, name: str) -> Reply:
    """Never one that is not empty (PROTOCOL P-RMD-1)."""
    await on_existing(session, name, session.store.remove_directory)
    return Reply.of(250, "Removed.")


@changes.command("RNFR", PATHNAME, writes=True, rfc="959 §4.1.3", help="name what is to be renamed: RNTO says how")
async def rename_from(session: Session, name: str) -> Reply:
    """Nothing moves yet. A link itself is renamed, also one that leads nowhere."""
    path, _ = await find(session, name, follows=False)
    if not path:
        raise PermissionDenied
    writing = session.rights.decide(Permission.WRITE, path)
    if not writing.is_allowed:  # the store would refuse RNTO for it; the client had better not look for a fault in the new name
        raise denied(writing.denial)
    session.rename_from = path
    return Reply.of(350, "Send RNTO with the new name.")


@changes.command("RNTO", PATHNAME, keeps=Keeps.RENAME, writes=True, rfc="959 §4.1.3", help="give the new name to what RNFR named")
async def rename_to(session: Session, name: str) -> Reply:
    """Across directories too; whether a file may be replaced is a setting (PROTOCOL P-RNTO-1)."""
    path, session.rename_from = session.rename_from, None
    if path is None:
        return Reply.of(503, "Send RNFR first.")
    is_directory = names_directory(name) and (await settled(session.store.status(path))).is_directory
    target = new_path(session, name, is_directory=is_directory)
    await settled(session.store.move(path, target, replace=session.site.settings.file_handling.allow_replace_on_rename))
    return Reply.of(250, "Renamed.")


def _time_and_name(octets: bytes) -> tuple[float, str]:
    time, _, name = octets.partition(b" ")
    if not name:
        raise ArgumentError
    try:
        seconds = parse_timeval(time.decode("ascii", "replace"))
    except ValueError:
        raise ArgumentError("the time is YYYYMMDDHHMMSS, UTC") from None
    return seconds, PATHNAME.parse(name)


def _sets_times(session: Session) -> str | None:
    return "MFMT" if session.store is None or (session.store.writable and session.store.changes_times) else None


@changes.command(
    "MFMT",
    Argument("<YYYYMMDDHHMMSS> <path>", _time_and_name, is_path=True, name_in=behind_first_word),
    writes=True,
    rfc="draft-somers-ftp-mfxx §3",
    feat=_sets_times,
    help="set when a file was last modified",
)
async def modify_time(session: Session, value: tuple[float, str]) -> Reply:
    """UTC; of directories too (PROTOCOL P-MFMT-1)."""
    seconds, name = value
    return await set_time(session, name, seconds) or Reply.of(213, f"Modify={timeval(seconds)}; {exact(name)}")


async def set_time(session: Session, name: str, seconds: float) -> Reply | None:
    """Set when an object was last modified; a reply if that cannot be."""
    if not session.store.changes_times:
        return Reply.of(502, "Times cannot be set in this file system.")
    await on_existing(session, name, lambda path: session.store.set_modified(path, seconds))
    return None


@changes.command("SMNT", _NAME, rfc="959 §4.1.1", help="not supported", is_offered=False)
def mount(session: Session, _: Any) -> Reply:
    """No server has more than one file system to offer here (PROTOCOL P-SMNT-1)."""
    return Reply.of(502, "SMNT is not supported.")
