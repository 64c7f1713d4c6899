"""
What a site asks of the stores that its own realm gives, beside ``IFileStore``.

Not here: implementations, and what is asked of every store (``interfaces``).
"""

from __future__ import annotations

# ruff: noqa: N805 (the methods of a zope interface have no self)
from zope.interface import Attribute

from twistftp.storage.interfaces import IFileStore

__all__ = ["ISiteStore"]


class ISiteStore(IFileStore):
    """
    A store that the site itself gives its users. It knows no rights but the file system's: the site's rules decide, the default ones
    too, while other people's avatars are asked to obey only rules that an administrator has written.
    """

    account = Attribute("policy.isolation.Account or None: the user it was made for; None: it was made by somebody else's realm, and is like theirs")

    def as_writable(writable):
        """The same store for a user who may change something, or who may not: then no other store has to stand in front of it."""

    def place(path):
        """
        The path of an object without any link on it, so that rules can see where it really is.

        :raises StorageError: there is no such object.
        """
