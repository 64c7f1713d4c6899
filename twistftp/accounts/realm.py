"""
What the logged-in see: every user of a site, anonymous or named, gets its content root, or the home that the site gives them.

Not here: who may log in (``accounts.checkers``), which files those are (``accounts.homes``), and what the avatar does with files
(``storage``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm
from twisted.protocols.ftp import IFTPShell
from zope.interface import Interface, implementer

from twistftp.accounts.homes import Homes
from twistftp.storage.confinement import Confinement, text_of

__all__ = ["SiteRealm"]


@implementer(IRealm)
class SiteRealm:
    """Gives shells over local files: of one content root for all, or as ``homes`` says."""

    def __init__(self, confinement: Confinement, homes: Homes | None = None) -> None:
        self.confinement = confinement
        self.homes = homes or Homes(confinement)

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: type[Interface]) -> tuple[Any, Any, Callable[[], None]]:
        """
        Give ``(IFTPShell, avatar, logout)``; ``avatarId`` is a name, or ``checkers.ANONYMOUS``.

        :raises NotImplementedError: none of the ``interfaces`` is ``IFTPShell`` (the answer that cred expects).
        :raises HomeRefused: the user has no home that can be used.
        """
        if IFTPShell not in interfaces:
            raise NotImplementedError("this realm gives IFTPShell avatars alone")
        return IFTPShell, self.homes.shell(_name(avatarId)), _logout


def _name(avatar_id: object) -> str | None:
    """A user's name as text; ``None`` for the anonymous user, whose id is ``ANONYMOUS``: an empty name."""
    if avatar_id == ANONYMOUS or not avatar_id:
        return None
    return text_of(avatar_id) if isinstance(avatar_id, bytes) else str(avatar_id)


def _logout() -> None:
    """Nothing is held for a user, so nothing is to be let go."""
