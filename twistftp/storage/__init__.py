"""
L2: avatars, ``IFTPShell`` over files. Knows no socket and no session.

:func:`adapt` gives what the session speaks to for any avatar; the modules by job:

=================================  ============================================================
``interfaces``, ``failures``       what the session asks of an avatar, and how it is refused
``restricted``, ``operations``,    a store behind the site's rules, and how these refuse
``refusals``, ``limited``
``overlay``                        virtual directories: several stores as one tree
``filesystem``                     the avatar over local files
``confinement``, ``walk``,         paths that stay below a root: the policy, by user space, by
``openat2``                        the kernel
``files``, ``listing``,            a file that is read, a directory that is listed
``rendering``, ``statuses``
``listing_cache``, ``inotify``,    listings that are kept: while the system tells of no change,
``mounts``                         and where it can tell
``uploads``, ``placing``           a file that arrives, and where its octets lie until all are there
``reserving``, ``statfs``          room on the disk ahead of it, and which file system that is
``changing``, ``renameat2``        names made, moved and taken away
``digests``                        the hash of a file
``locking``                        the mark on a file that is written in its own place
``attributes``, ``links``          what is shown of an object, and of a symbolic link
``holding``                        descriptors that threads use
``foreign``, ``foreign_reading``,  other people's ``IFTPShell``: names and values, contents, uploads
``foreign_writing``
``stock_writing``                  our uploads for Twisted's own server
=================================  ============================================================

Importing this package installs no reactor; importing ``filesystem`` or ``foreign`` does, as ``twisted.protocols.ftp`` does.
"""

from __future__ import annotations

from twistftp.storage.interfaces import IFileStore

__all__ = ["adapt"]


def adapt(avatar: object) -> IFileStore:
    """
    The ``IFileStore`` of an avatar: itself if it is one, else one over its ``IFTPShell``.

    :raises TypeError: it is neither.
    """
    if IFileStore.providedBy(avatar):
        return avatar
    from twisted.protocols.ftp import IFTPShell  # not above: it installs a reactor

    if not IFTPShell.providedBy(avatar):
        raise TypeError(f"{type(avatar).__name__} provides neither IFTPShell nor IFileStore")
    from twistftp.storage.foreign import ForeignStore

    return ForeignStore(avatar)
