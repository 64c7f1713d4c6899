"""
What the logged-in see: every user of a site gets its content root; the anonymous may read, the others write too.

Not here: who may log in (``accounts.checkers``), and what the avatar does with files (``storage``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm
from twisted.protocols.ftp import IFTPShell
from zope.interface import Interface, implementer

from twistftp.storage.confinement import Confinement
from twistftp.storage.filesystem import FilesystemShell

__all__ = ["SiteRealm"]


@implementer(IRealm)
class SiteRealm:
    """Gives a :class:`FilesystemShell` over one content root."""

    def __init__(self, confinement: Confinement) -> None:
        self.confinement = confinement

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: type[Interface]) -> tuple[Any, Any, Callable[[], None]]:
        """
        Give ``(IFTPShell, avatar, logout)``; ``avatarId`` is a name, or ``checkers.ANONYMOUS``.

        :raises NotImplementedError: none of the ``interfaces`` is ``IFTPShell`` (the answer that cred expects).
        """
        if IFTPShell not in interfaces:
            raise NotImplementedError("this realm gives IFTPShell avatars alone")
        return IFTPShell, FilesystemShell(self.confinement, writable=avatarId is not ANONYMOUS), _logout


def _logout() -> None:
    """Nothing is held for a user, so nothing is to be let go."""
