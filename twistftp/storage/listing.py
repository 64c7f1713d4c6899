"""
The entries of a local directory, in the order of their names' octets, some at a time (PROTOCOL P-LS-3, P-LS-8).

Not here: how they look on the wire (``wire.entries``), what is shown of a link (``links``).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twistftp.storage.attributes import IDENTITY_MASK, IDENTITY_SALT, Rights, entry_of, rights
from twistftp.storage.confinement import Confinement, Scan, text_of
from twistftp.storage.failures import from_os_error
from twistftp.storage.holding import Held, InThread, in_thread
from twistftp.storage.interfaces import ILongListing
from twistftp.storage.links import Links
from twistftp.storage.merging import merged
from twistftp.storage.placing import RESERVED
from twistftp.wire.entries import Entry
from twistftp.wire.unix_form import KIND, OWNER, UnixForm

__all__ = ["LocalListing"]

_SMALL = 64 * 1024  # octets of a directory with room for some 1 500 names; to read them takes a millisecond
_AT_ONCE = 1024  # of a larger one: names read without leaving the reactor's thread
_RUN = 4096  # names sorted in one piece: sorting holds the interpreter
_FEW_RUNS = 8  # sorted pieces that are put together in one piece all the same: some milliseconds
_BATCH = 256  # entries given at a time
_STEP = 64  # entries made between two looks at the clock
_PATIENCE = 0.02  # seconds after which the disk counts as cold

_FILE, _DIRECTORY, _LINK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK

_ENCODING = sys.getfilesystemencoding()
_ERRORS = sys.getfilesystemencodeerrors()


@implementer(ILongListing)
class LocalListing(Held):
    """
    An ``ILongListing``. Only names are held, and they are held as octets.

    A directory that is big or that a cold disk is slow to tell of is read in threads. Entries that vanish are left out
    (P-LS-6), and so are names with CR or LF (P-LINE-10) and unfinished uploads.

    :param writable: whether the reader may also write, as far as the system lets it.
    :raises StorageError: missing, outside, not a directory, no right to list it.
    """

    __slots__ = ("_directory", "_in_thread", "_is_slow", "_links", "_names", "_rest", "_rights", "_runs")

    def __init__(self, confinement: Confinement, path: Sequence[str], in_thread: InThread = in_thread, writable: bool = False) -> None:
        super().__init__()
        self._directory = directory = confinement.directory(path, readable=True)
        self._in_thread = in_thread
        self._rights: Rights = rights(True, directory.own_status()) if writable else rights()
        self._links = Links(confinement, path, directory, self._rights)
        self._is_slow = False
        self._runs: list[list[bytes]] = []
        self._names: Iterator[bytes] | None = None
        self._rest: Scan | None = None

    def next_batch(self) -> list[Entry] | Deferred[list[Entry]]:
        """As in ``IListing``: up to 256 entries. Not to be called while an earlier Deferred has not fired."""
        return self._next(self._add_entries)

    def next_lines(self, form: UnixForm) -> bytes | Deferred[bytes]:
        """As in ``ILongListing``: up to 256 lines."""
        lines = self._next(lambda names, batch: self._add_lines(names, batch, form))
        return lines.addCallback(b"".join) if isinstance(lines, Deferred) else b"".join(lines)

    def next_names(self, prefix: bytes) -> bytes | Deferred[bytes]:
        """As in ``ILongListing``: up to 256 lines, for which no object is looked at."""
        names = self._next(lambda names, batch: batch.extend([b"%s%s\r\n" % (prefix, name) for name in names]))
        return names.addCallback(b"".join) if isinstance(names, Deferred) else b"".join(names)

    def _next(self, add: Callable[[list[bytes], list[Any]], None]) -> list[Any] | Deferred[list[Any]]:
        if self._is_closed:
            return []
        if self._names is None and self._rest is None:
            self._begin()
        if self._rest is not None or self._is_slow:
            return self._use_in(self._in_thread, self._next_in_thread, add)
        return self._make_batch(add)

    def _release(self) -> None:
        if self._rest is not None:
            self._rest.close()
        self._directory.close()

    def _begin(self) -> None:
        """Read the first names, of most directories all: not before somebody asks, since CWD opens a listing only to see if it may."""
        try:
            names = self._directory.few_names(_SMALL)
            if names is not None:
                self._names = iter(_sorted_octets(names))
                return
            self._rest = rest = self._directory.scan()
            if not self._read_run(rest, _AT_ONCE):
                self._merge(rest)
        except OSError as error:
            raise from_os_error(error) from error

    def _next_in_thread(self, add: Callable[[list[bytes], list[Any]], None]) -> list[Any]:
        rest = self._rest
        if rest is not None:
            try:
                while self._read_run(rest, _RUN):
                    pass
            except OSError as error:
                raise from_os_error(error) from error
            self._merge(rest)
        return self._make_batch(add)

    def _read_run(self, rest: Scan, count: int) -> bool:
        """Read and sort ``count`` more names, fewer at the end. Whether there may be more."""
        names = [entry.name for entry in islice(rest, count)]
        self._runs.append(_sorted_octets(names))
        return len(names) == count

    def _merge(self, rest: Scan) -> None:
        """All names are read: from here on they are taken in order."""
        rest.close()
        self._rest = None
        runs, self._runs = self._runs, []
        if len(runs) <= _FEW_RUNS:
            names = runs[0]
            for run in runs[1:]:
                names += run
            names.sort()  # of sorted runs: it only merges them
            self._names = iter(names)
        else:
            self._names = merged(runs)

    def _make_batch(self, add: Callable[[list[bytes], list[Any]], None]) -> list[Any]:
        batch: list[Any] = []
        began = perf_counter()
        all_names = self._names or iter(())
        while len(batch) < _BATCH:
            names = list(islice(all_names, _STEP))
            if not names:
                break
            add(names, batch)
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

    def _add_lines(self, names: list[bytes], lines: list[bytes], form: UnixForm) -> None:
        """Look at each object and add its line of LIST: as ``UnixForm.lines``, without an entry."""
        directory, prefix = self._directory.descriptor, self._directory.prefix
        look, add, heads, dates, owner = os.lstat, lines.append, form.heads, form.dates, OWNER
        for name in names:
            try:
                found = look(prefix + name, dir_fd=directory)
                mode = found[0]  # by their places, not all ten unpacked: twice as fast
                kind = mode & KIND
                if kind != _FILE and kind != _DIRECTORY:
                    add(form.lines([self._links.entry(name, found) if kind == _LINK else entry_of(text_of(name), found, self._rights)]))
                    continue
            except OSError:
                continue
            add(b"%s%8d %s %s\r\n" % (heads[mode, found[3], owner, owner], found[6], dates[found[8]], name))


def _sorted_octets(names: list[Any]) -> list[bytes]:
    """Names as octets, in order, without those that no line of FTP can hold. What they are does not depend on the locale."""
    if not names:
        return []
    names.sort()  # text compares faster than octets, and is in their order nearly always: then the sort below only sees that
    # No name has a "/", and to encode all at once takes a fraction of the time.
    joined = b"/".join(names) if isinstance(names[0], bytes) else "/".join(names).encode(_ENCODING, _ERRORS)
    octets = joined.split(b"/")
    if b"\n" in joined or b"\r" in joined:
        octets = [name for name in octets if b"\n" not in name and b"\r" not in name]
    if RESERVED in joined:
        octets = [name for name in octets if not name.startswith(RESERVED)]
    octets.sort()
    return octets
