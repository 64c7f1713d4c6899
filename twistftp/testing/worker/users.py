"""
Who may log in to a site of the tests: the portal with its users, whose files are in memory or in a directory.

Not here: the files (``memory_store``, ``storage.filesystem``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.cred.checkers import ANONYMOUS, AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.protocols.ftp import IFTPShell
from zope.interface import Interface, implementer

__all__ = ["portal_for"]


@implementer(IRealm)
class _Realm:
    """Gives every user the same files; ``make_avatar`` is told whether the user may write."""

    def __init__(self, make_avatar: Callable[[bool], Any], writable: bool) -> None:
        self._make_avatar, self._writable = make_avatar, writable

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: type[Interface]) -> tuple[Any, Any, Callable[[], None]]:
        """Anonymous users only read."""
        is_anonymous = avatarId == ANONYMOUS or not avatarId
        return IFTPShell, self._make_avatar(self._writable and not is_anonymous), lambda: None


def portal_for(make_avatar: Callable[[bool], Any], users: Mapping[str, str], *, anonymous: bool, writable: bool) -> Portal:
    """The portal of a site with these users and passwords."""
    known = {name.encode(): password.encode() for name, password in users.items()}
    named = InMemoryUsernamePasswordDatabaseDontUse()
    named.users.update(known)
    return Portal(_Realm(make_avatar, writable), [named, *([AllowAnonymousAccess()] if anonymous else [])])
