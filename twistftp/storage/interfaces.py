"""
What the session asks of an avatar beside Twisted's ``IFTPShell``.

Not here: implementations. :func:`twistftp.storage.adapt` gives an ``IFileStore`` for any ``IFTPShell``, so the
session speaks to these interfaces alone. "May be deferred" means: the value itself, or a Deferred of it.
Paths are tuples of names below the user's root, already free of ``.`` and ``..``; names are text
with surrogate escapes for octets that are not UTF-8 (``wire.paths``). Failures are the exceptions of ``storage.failures``.
"""

from __future__ import annotations

# ruff: noqa: N805 (the methods of a zope interface have no self)
from zope.interface import Attribute, Interface

__all__ = ["IFileStore", "IListing", "ILongListing", "IOpenFile"]


class IFileStore(Interface):
    """A user's files."""

    restartable = Attribute("bool: whether ``IOpenFile.read_at`` takes any offset, so that REST works")
    facts = Attribute("frozenset of the fact names (RFC 3659 §7.5) that its entries can fill")

    def status(path):
        """
        Describe one object: its ``wire.entries.Entry``, named by the last name of ``path``
        (``/`` for the root); a link carries what it leads to in ``resolved``. May be deferred.

        :raises StorageError: missing, or not to be seen.
        """

    def listing(path):
        """
        Open a directory for listing: an :class:`IListing`. May be deferred.

        :raises StorageError: missing, not a directory, no right.
        """

    def open_file(path):
        """
        Open a plain file for reading: an :class:`IOpenFile`. May be deferred.

        :raises StorageError: missing, a directory, not a plain file, no right.
        """


class IListing(Interface):
    """The entries of one directory, in the order of their names' octets, some at a time."""

    def next_batch():
        """Give the next ``Entry`` values as a list, ``[]`` when there are no more. May be deferred."""

    def close():
        """Let go of the directory. May be called more than once."""


class ILongListing(IListing):
    """A listing that can make LIST's lines itself, without an ``Entry`` for each: most of what is ever listed goes this way."""

    def next_lines(form):
        """
        Give the lines of the next entries in ``form``, a ``wire.unix_form.UnixForm``, as octets; ``b""`` when there are no more. May be
        deferred. For one listing only one of the three ``next_`` methods is called.
        """

    def next_names(prefix):
        """Give the next names as lines of NLST, each behind ``prefix`` (octets); ``b""`` when there are no more. May be deferred."""


class IOpenFile(Interface):
    """A file that is being read."""

    size = Attribute("int: octets when it was opened")
    descriptor = Attribute("int or None: a descriptor that sendfile can read from")

    def read_at(offset, count):
        """
        Read up to ``count`` octets from ``offset``; ``b""`` at the end. May be deferred. A local file that is in the
        page cache is read at once, one that is not in a thread, so that a cold disk does not stop the reactor.

        :raises StorageError: the disk failed.
        """

    def is_cached(offset, count):
        """
        Whether ``sendfile`` of the ``count`` octets from ``offset`` would probably not wait for a disk. True, too, where that
        cannot be asked; False on a file system that cannot tell. Not deferred; of use only with a ``descriptor``.
        """

    def warm(offset, count):
        """
        Read the ``count`` octets from ``offset`` into the system's page cache, in a thread: a Deferred of ``None``.

        :raises StorageError: the disk failed (the Deferred's failure).
        """

    def close():
        """
        Let go of the file. May be called more than once. A read that a thread is at goes on safely, and its Deferred
        still fires; after it, no other method may be called.
        """
