"""
From what the client typed to an object in its store.

Not here: the store (``storage``) and what is then done with the object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from twistftp.session.session import Session
from twistftp.session.transfer import settled
from twistftp.storage.failures import Busy, NameNotAllowed, NotADirectory, NotFound
from twistftp.storage.refusals import Denied
from twistftp.wire.entries import Entry
from twistftp.wire.paths import Path, names_directory, resolve

__all__ = ["find", "new_path", "on_existing", "readable"]

_T = TypeVar("_T")


async def on_existing(session: Session, text: str, operation: Callable[[Path], Any]) -> tuple[Path, Any]:
    """
    Do ``operation`` to the path that ``text`` names, or, if nothing is there, to that without blanks at its end,
    which sloppy clients add (PROTOCOL P-LINE-8). For objects that exist, never for new names.
    A ``/`` at the end is for directories alone (P-PATH-1).

    :return: the path that was found, and what the operation gave.
    :raises StorageError: there is no such object, or the operation failed.
    """
    path = resolve(session.cwd, text)
    try:
        if names_directory(text):
            await _demand_directory(session, path)
        found = operation(path)
        return path, await found if hasattr(found, "addCallback") else found  # "isinstance" asks an abstract base class, which is slow
    except (NotFound, Denied):
        trimmed = text.rstrip(" ")
        if trimmed == text or not trimmed:
            raise
    path = resolve(session.cwd, trimmed)
    if names_directory(trimmed):
        await _demand_directory(session, path)
    return path, await settled(operation(path))


async def _demand_directory(session: Session, path: Path) -> None:
    entry = await settled(session.store.status(path))
    if entry.is_link and entry.resolved is None:
        raise NotFound
    if not (entry.resolved or entry).is_directory:
        raise NotADirectory


async def find(session: Session, text: str, *, follows: bool = True) -> tuple[Path, Entry]:
    """
    The object that ``text`` names, from the working directory.

    :param follows: a link that leads nowhere, or out of the root, counts as missing (PROTOCOL P-PATH-4); LIST alone shows it.
    """
    path, entry = await on_existing(session, text, session.store.status)
    if follows and entry.is_link and entry.resolved is None:
        raise NotFound
    return path, entry


_CONTROL = re.compile(r"[\x01-\x1f\x7f]")


def new_path(session: Session, text: str, *, is_directory: bool = False) -> Path:
    """
    The path of something that will be made.

    :param is_directory: whether that is a directory, whose name may end with ``/``.
    :raises NameNotAllowed: its name would hold control characters (PROTOCOL P-LINE-9), or is a directory's.
    """
    path = resolve(session.cwd, text)
    if not is_directory and names_directory(text):
        raise NameNotAllowed("that is a directory's name")
    if path and (found := _CONTROL.search(path[-1])):
        raise NameNotAllowed(f"it holds the control character {ord(found[0]):#04x}")
    return path


async def readable(session: Session, name: str) -> tuple[Path, Any]:
    """
    Open a file for reading, ``[site.file_handling] allow_read_uploads_in_progress`` minded: its path and its ``IOpenFile``.

    :raises Busy: it is being uploaded.
    :raises StorageError: it cannot be opened.
    """
    store = session.store
    handling = session.site.settings.file_handling
    if handling.allow_read_uploads_in_progress:

        def open_it(path: Path) -> Any:
            part = store.read_upload(path)
            return part if part is not None else store.open_file(path)

        return await on_existing(session, name, open_it)
    path, file = await on_existing(session, name, store.open_file)
    if handling.keep_partial_uploads and file.is_being_uploaded:  # else what is there is whole
        file.close()
        raise Busy
    return path, file
