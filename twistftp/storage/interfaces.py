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

__all__ = [
    "IAppendable",
    "IDirectFile",
    "IFileStore",
    "IListing",
    "ILongListing",
    "IOpenFile",
    "IRestartable",
    "IThreadedFile",
    "ITimestamps",
    "IUpload",
]


class IFileStore(Interface):
    """A user's files."""

    restartable = Attribute("bool: whether ``IOpenFile.read_at`` takes any offset, so that REST works")
    facts = Attribute("frozenset of the fact names (RFC 3659 §7.5) that its entries can fill")
    writable = Attribute("bool: whether this user may change anything at all; if not, nobody asks for what changes something")
    appendable = Attribute("bool: whether ``open_upload`` takes ``offset=None``, so that APPE works")
    changes_times = Attribute("bool: whether ``set_modified`` works")
    changes_modes = Attribute("bool: whether ``set_mode`` works")

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

    def read_upload(path):
        """
        Open what has arrived so far of a file that is being uploaded now: an :class:`IOpenFile`, or ``None`` if it is not. Not deferred.

        :raises StorageError: no right.
        """

    def open_upload(path, *, offset, in_place, is_part):
        """
        Open a file, there or not, for an upload: an :class:`IUpload`. May be deferred. Nothing changes before its first octet or its end.

        :param offset: where the first octet goes; ``None``: behind the last that is there. The octets before it stay.
        :param in_place: False: the octets become the file all at once, when the upload is finished; one that breaks leaves what was
            there before. True: they are the file as they come, and stay when it breaks.
        :param is_part: whether octets behind those that come stay too (RANG); else the file ends with them.
        :raises NotFound: there is no file, and ``offset`` is not 0 or ``None``; or no directory for it.
        :raises NameNotAllowed: it is a directory, or nothing can have this name.
        :raises Busy: somebody else is uploading it.
        :raises StorageError: no right, no room.
        """

    def open_unique(path, *, in_place):
        """
        :meth:`open_upload` of a file that must be new, when it is opened and when it is finished.

        :raises ObjectExists: the name is taken.
        """

    def make_directory(path):
        """Make one directory. May be deferred. :raises ObjectExists: the name is taken. :raises StorageError: it cannot be made."""

    def remove_directory(path):
        """Remove an empty directory. May be deferred. :raises DirectoryNotEmpty: it is not. :raises StorageError: it cannot be removed."""

    def remove_file(path):
        """Remove a file, or a link, not what it leads to. May be deferred. :raises StorageError: missing, a directory, no right, ``Busy``."""

    def move(path, to, *, replace):
        """
        Rename or move an object. May be deferred.

        :param replace: whether it may take a file's place.
        :raises Occupied: something is there that must stay.
        :raises StorageError: missing, another file system, into itself, no right, ``Busy``.
        """

    def set_modified(path, seconds):
        """Set when an object was last modified, in seconds since 1970. May be deferred. :raises StorageError: missing, no right."""

    def set_mode(path, mode):
        """Set the permission bits, 0 to 0o777, of a file or directory. May be deferred. :raises StorageError: missing, no right."""

    def free_space(path):
        """The octets that are free in a directory; ``None`` if nobody knows. May be deferred. :raises StorageError: missing."""


class IListing(Interface):
    """The entries of one directory, in the order of their names' octets, some at a time."""

    def next_batch():
        """Give the next ``Entry`` values as a list, ``[]`` when there are no more. May be deferred."""

    def close():
        """Let go of the directory. May be called more than once."""


class ILongListing(IListing):
    """A listing that can make lines itself, without an ``Entry`` for each: most of what is ever listed goes this way."""

    def next_lines(form):
        """
        Give the lines of the next entries in ``form``, a ``wire.forms.Form``, always the same, as octets; ``b""`` when there are no more.
        May be deferred. For one listing only one of the three ``next_`` methods is called.
        """

    def next_names(prefix):
        """Give the next names as lines of NLST, each behind ``prefix`` (octets); ``b""`` when there are no more. May be deferred."""


class IOpenFile(Interface):
    """A file that is being read."""

    size = Attribute("int: octets when it was opened")
    descriptor = Attribute("int or None: a descriptor that sendfile can read from")

    is_being_uploaded = Attribute("bool: whether somebody is writing it in its own place (``open_upload``), as was to be seen a moment ago")

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


class IThreadedFile(IOpenFile):
    """A file whose content need not pass through the reactor's thread."""

    def feed(take, offset, count):
        """
        Call ``take`` with the octets from ``offset``, some at a time, in a thread: a Deferred of how many there were, ``count`` at most.

        :raises StorageError: the disk failed (the Deferred's failure).
        """


class IUpload(Interface):
    """
    A file that is being uploaded. It ends with one of :meth:`finish` and :meth:`abandon`; one call at a time.
    """

    offset = Attribute("int: where its first octet goes")
    octets = Attribute("int: octets given to it so far")
    takes_pipes = Attribute("bool: whether :meth:`take` works")

    def write(data):
        """
        Take the next octets.

        :return: ``None`` when it can take more at once, else a Deferred that fires when it can.
        :raises StorageError: (or the Deferred fails with it) the disk failed or is full.
        """

    def take(pipe, count):
        """:meth:`write` of ``count`` octets that a pipe holds. The pipe stays open until a Deferred that this gives has fired."""

    def finish():
        """
        All octets are here: make them the file. A Deferred of ``None``, fired when it is so and they are on the disk.

        :raises StorageError: (or the Deferred fails with it) that failed; nothing is kept that was not kept by then.
        """

    def abandon():
        """
        The upload broke. After :meth:`finish`, or a second time, this does nothing.

        :return: the size of the file that is kept; ``None``: what had arrived is gone, and what was there before is there.
        """


# What other people's ``IFTPShell`` may provide beside it. Names and paths are those of ``IFTPShell``: lists of segments.


class IRestartable(Interface):
    """A shell whose files can be read and written from the middle: with it REST works."""

    def openForReadingAt(path, offset):
        """``IFTPShell.openForReading``; the first octet read is that at ``offset``. A Deferred of an ``IReadFile``."""

    def openForWritingAt(path, offset):
        """``IFTPShell.openForWriting``; the first octet goes to ``offset``, those before it stay. A Deferred of an ``IWriteFile``."""


class IAppendable(Interface):
    """A shell whose files can be added to: with it APPE works."""

    def openForAppending(path):
        """``IFTPShell.openForWriting``; what is there stays, and the octets go behind it. A Deferred of an ``IWriteFile``."""


class ITimestamps(Interface):
    """A shell that can say when a file was modified: with it MFMT works."""

    def setModificationTime(path, seconds):
        """Set when an object was last modified, in seconds since 1970. A Deferred of ``None``."""


class IDirectFile(Interface):
    """An ``IReadFile`` over a plain file of this machine: with it the kernel sends the octets itself (``sendfile``)."""

    def detach():
        """The descriptor of the file, at its beginning; it is the caller's from now on. ``send`` is then not called."""
