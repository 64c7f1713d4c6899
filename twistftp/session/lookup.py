"""
From what the client typed to an object in its store.

Not here: the store (``storage``) and what is then done with the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twistftp.session.session import Session
from twistftp.session.transfer import settled
from twistftp.storage.failures import NotFound
from twistftp.storage.refusals import Denied
from twistftp.wire.entries import Entry
from twistftp.wire.paths import Path, resolve

__all__ = ["find", "on_existing"]

_T = TypeVar("_T")


async def on_existing(session: Session, text: str, operation: Callable[[Path], Any]) -> tuple[Path, Any]:
    """
    Do ``operation`` to the path that ``text`` names, or, if nothing is there, to that without blanks at its end,
    which sloppy clients add (PROTOCOL P-LINE-8). For objects that exist, never for new names.

    :return: the path that was found, and what the operation gave.
    :raises StorageError: there is no such object, or the operation failed.
    """
    path = resolve(session.cwd, text)
    try:
        return path, await settled(operation(path))
    except (NotFound, Denied):
        trimmed = text.rstrip(" ")
        if trimmed == text or not trimmed:
            raise
    path = resolve(session.cwd, trimmed)
    return path, await settled(operation(path))


async def find(session: Session, text: str, *, follows: bool = True) -> tuple[Path, Entry]:
    """
    The object that ``text`` names, from the working directory.

    :param follows: a link that leads nowhere, or out of the root, counts as missing (PROTOCOL P-PATH-4); LIST alone shows it.
    """
    path, entry = await on_existing(session, text, session.store.status)
    if follows and entry.is_link and entry.resolved is None:
        raise NotFound
    return path, entry
