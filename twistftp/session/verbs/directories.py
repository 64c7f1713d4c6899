"""
The working directory: PWD CWD CDUP and their X-forms (RFC 959 §4.1.1, RFC 1123 §4.1.3.1).

Not here: what is in a directory (``listings``), making and removing them (``changes``).
"""

from __future__ import annotations

from twistftp.session.lookup import find
from twistftp.session.session import Session
from twistftp.session.transfer import settled
from twistftp.storage.failures import NotADirectory, NotFound, PermissionDenied, StorageError
from twistftp.storage.refusals import Denied
from twistftp.wire.arguments import NOTHING, PATHNAME
from twistftp.wire.commands import CommandGroup
from twistftp.wire.paths import join
from twistftp.wire.replies import Reply, quoted

directories = CommandGroup("Directories")


@directories.command("PWD", NOTHING, aliases=("XPWD",), rfc="959 §4.1.3", help="show the working directory")
def print_working_directory(session: Session, _: None) -> Reply:
    """The only double quotes in the line are those around the path (PROTOCOL P-PWD-1)."""
    return Reply.of(257, f"{quoted(join(session.cwd))} is the current directory.")


@directories.command("CWD", PATHNAME, aliases=("XCWD",), rfc="959 §4.1.1", help="change the working directory")
async def change_working_directory(session: Session, name: str) -> Reply:
    """Nothing changes on failure. ``CWD ~`` is the login directory, unless there is a ``~`` (PROTOCOL P-CWD-1)."""
    try:
        path, entry = await find(session, name)
    except (NotFound, Denied):
        if name != "~":
            raise
        session.cwd = session.start
    else:
        if not entry.is_directory:
            raise NotADirectory
        try:
            (await settled(session.store.listing(path))).close()  # who may list it may enter
        except PermissionDenied:
            if "e" not in (entry.resolved or entry).perm:  # one that may be entered and not listed: what is in it has to be known by name
                raise
        session.cwd = path
    return _moved(session)


@directories.command("CDUP", NOTHING, aliases=("XCUP",), rfc="959 §4.1.1", help="change to the parent directory")
async def change_to_parent(session: Session, _: None) -> Reply:
    """250, as CWD: RFC 959's table says 200, its text and the strictest client say 250. At the root it stays there."""
    try:
        entry = await settled(session.store.status(session.cwd[:-1]))
    except StorageError:
        entry = None  # a parent that went away is not a reason to stay in what is left of its child
    session.cwd = session.cwd[:-1] if entry is None or entry.is_directory else ()
    return _moved(session)


def _moved(session: Session) -> Reply:
    return Reply.of(250, f"{quoted(join(session.cwd))} is the current directory.")
