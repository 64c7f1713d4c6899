"""
The entries of a local directory, in the order of their names' octets, some at a time (PROTOCOL P-LS-3, P-LS-8).

Not here: how they look on the wire (``wire.entries``), what is shown of a link (``links``).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from time import perf_counter

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twistftp.storage.attributes import IDENTITY_MASK, IDENTITY_SALT, OWNER, Rights, rights
from twistftp.storage.confinement import Confinement, Scan
from twistftp.storage.failures import from_os_error
from twistftp.storage.holding import Held, InThread, in_thread
from twistftp.storage.interfaces import IListing
from twistftp.storage.links import Links
from twistftp.wire.entries import Entry

__all__ = ["LocalListing"]

_AT_ONCE = 1024  # names read without leaving the reactor's thread
_RUN = 4096  # names sorted in one piece: sorting holds the interpreter, merging does not
_BATCH = 256  # entries given at a time
_STEP = 64  # entries made between two looks at the clock
_PATIENCE = 0.02  # seconds after which the disk counts as cold

_ENCODING = sys.getfilesystemencoding()
_ERRORS = sys.getfilesystemencodeerrors()


@implementer(IListing)
class LocalListing(Held):
    """
    An ``IListing``. Only names are held, and they are held as octets.

    A directory that is big or that a cold disk is slow to tell of is read in threads. Entries that vanish are left out
    (P-LS-6), and so are names with CR or LF (P-LINE-10).

    :raises StorageError: missing, outside, not a directory, no right to list it.
    """

    __slots__ = ("_directory", "_in_thread", "_is_slow", "_links", "_names", "_rest", "_rights", "_runs")

    def __init__(self, confinement: Confinement, path: Sequence[str], in_thread: InThread = in_thread) -> None:
        super().__init__()
        self._directory = directory = confinement.directory(path, readable=True)
        self._in_thread = in_thread
        self._rights: Rights = rights()
        self._links = Links(confinement, path, directory, self._rights)
        self._is_slow = False
        self._runs: list[list[bytes]] = []
        self._names: Iterator[bytes] | None = None
        self._rest: Scan | None = None

    def next_batch(self) -> list[Entry] | Deferred[list[Entry]]:
        """As in ``IListing``: up to 256 entries. Not to be called while an earlier Deferred has not fired."""
        if self._is_closed:
            return []
        if self._names is None and self._rest is None:
            self._begin()
        if self._rest is not None or self._is_slow:
            return self._use_in(self._in_thread, self._next_in_thread)
        return self._make_batch()

    def _release(self) -> None:
        if self._rest is not None:
            self._rest.close()
        self._directory.close()

    def _begin(self) -> None:
        """Read the first names, of most directories all: not before somebody asks, since CWD opens a listing only to see if it may."""
        try:
            self._rest = rest = self._directory.scan()
            if not self._read_run(rest, _AT_ONCE):
                self._merge(rest)
        except OSError as error:
            raise from_os_error(error) from error

    def _next_in_thread(self) -> list[Entry]:
        rest = self._rest
        if rest is not None:
            try:
                while self._read_run(rest, _RUN):
                    pass
            except OSError as error:
                raise from_os_error(error) from error
            self._merge(rest)
        return self._make_batch()

    def _read_run(self, rest: Scan, count: int) -> bool:
        """Read and sort ``count`` more names, fewer at the end. Whether there may be more."""
        names = [entry.name for entry in islice(rest, count)]
        # What a name's octets are must not depend on the locale; Windows' names are octets of UTF-8.
        octets = [name if isinstance(name, bytes) else name.encode(_ENCODING, _ERRORS) for name in names]
        joined = b"/".join(octets)
        if b"\n" in joined or b"\r" in joined:
            octets = [name for name in octets if b"\n" not in name and b"\r" not in name]
        octets.sort()
        self._runs.append(octets)
        return len(names) == count

    def _merge(self, rest: Scan) -> None:
        """All names are read: from here on they are taken in order."""
        rest.close()
        self._rest = None
        self._names = iter(self._runs[0]) if len(self._runs) == 1 else merge(*self._runs)
        self._runs = []

    def _make_batch(self) -> list[Entry]:
        batch: list[Entry] = []
        began = perf_counter()
        all_names = self._names or iter(())
        while len(batch) < _BATCH:
            names = list(islice(all_names, _STEP))
            if not names:
                break
            self._add_entries(names, batch)
            if perf_counter() - began > _PATIENCE:
                self._is_slow = True
                if batch:
                    break
        return batch

    def _add_entries(self, names: list[bytes], batch: list[Entry]) -> None:
        """Look at each object and add its entry. Every call of Python code counts here: ``attributes.entry_of`` explains."""
        directory, prefix, letters = self._directory.descriptor, self._directory.prefix, self._rights
        look, new, add, is_link = os.lstat, tuple.__new__, batch.append, stat.S_ISLNK
        salt, mask, owner = IDENTITY_SALT, IDENTITY_MASK, OWNER
        for octets in names:
            try:
                found = look(prefix + octets, dir_fd=directory)
                mode, inode, device, links, user, group, size, _, modified, _ = found
                if is_link(mode):
                    add(self._links.entry(octets, found))
                    continue
            except OSError:
                continue
            name = octets.decode("utf-8", "surrogateescape")
            unique = "%x" % (hash((salt, device, inode >> 60, inode)) & mask)
            add(new(Entry, (name, mode, size, modified, links, owner, owner, unique, letters[mode, user, group], None, None)))
