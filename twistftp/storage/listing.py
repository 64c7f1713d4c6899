"""
The entries of a local directory, in the order of their names' octets, some at a time (PROTOCOL P-LS-3, P-LS-8).

Not here: how they look on the wire (``rendering``), what is kept of them (``listing_cache``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from heapq import merge
from itertools import islice
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twistftp.storage.attributes import Rights, rights
from twistftp.storage.confinement import Confinement, Scan
from twistftp.storage.failures import from_os_error
from twistftp.storage.holding import Held, InThread, in_thread
from twistftp.storage.interfaces import ILongListing
from twistftp.storage.links import Links
from twistftp.storage.listing_cache import SHARED, ListingCache, Piece, Recording
from twistftp.storage.placing import RESERVED
from twistftp.storage.rendering import Renderer
from twistftp.wire.entries import Entry
from twistftp.wire.forms import NAMES, Form

__all__ = ["LocalListing"]

_SMALL = 64 * 1024  # octets of a directory with room for some 1 500 names; to read them takes a millisecond
_AT_ONCE = 1024  # of a larger one: names read without leaving the reactor's thread
_RUN = 4096  # names sorted in one piece: sorting holds the interpreter, heapq's merging does not
_FEW_RUNS = 8  # sorted pieces that are put together in one piece all the same: some milliseconds
_BATCH = 256  # entries given at a time
_STEP = 64  # entries made between two looks at the clock
_PATIENCE = 0.02  # seconds after which the disk counts as cold
_PORTION = 64 * 1024  # octets given at a time of what is kept
_LINE = 80  # about the octets of a line

_ENCODING = sys.getfilesystemencoding()
_ERRORS = sys.getfilesystemencodeerrors()


@implementer(ILongListing)
class LocalListing(Held):
    """
    An ``ILongListing``. Only names are held, and they are held as octets.

    A directory that is big or that a cold disk is slow to tell of is read in threads. Entries that vanish are left out
    (P-LS-6), and so are names with CR or LF (P-LINE-10) and unfinished uploads.

    :param writable: whether the reader may also write, as far as the system lets it.
    :param cache: where lines are kept and looked for.
    :raises StorageError: missing, outside, not a directory, no right to list it.
    """

    __slots__ = ("_cache", "_directory", "_in_thread", "_is_slow", "_names", "_pieces", "_recording", "_renderer", "_rest", "_rights", "_runs")

    def __init__(
        self, confinement: Confinement, path: Sequence[str], in_thread: InThread = in_thread, writable: bool = False, cache: ListingCache = SHARED
    ) -> None:
        super().__init__()
        self._directory = directory = confinement.directory(path, readable=True)
        self._in_thread = in_thread
        self._rights: Rights = rights(True, directory.own_status()) if writable else rights()
        self._renderer = Renderer(directory, Links(confinement, path, directory, self._rights), self._rights)
        self._is_slow = False
        self._runs: list[list[bytes]] = []
        self._names: Iterator[bytes] | None = None
        self._rest: Scan | None = None
        self._cache = cache
        self._pieces: Iterator[Piece] | None = None
        self._recording: Recording | None = None

    def next_batch(self) -> list[Entry] | Deferred[list[Entry]]:
        """As in ``IListing``: up to 256 entries. Not to be called while an earlier Deferred has not fired."""
        return self._next(self._renderer.add_entries)

    def next_lines(self, form: Form) -> bytes | Deferred[bytes]:
        """As in ``ILongListing``: the lines of up to 256 objects, or as many octets as are at hand."""
        if self._is_closed:
            return b""
        if self._names is None and self._rest is None and self._pieces is None:
            self._look_up(form)
        if self._pieces is not None:
            return self._use_in(self._in_thread, self._next_kept, form) if self._is_slow else self._next_kept(form)
        lines = self._next(partial(self._renderer.add_lines, form=form))
        return lines.addCallback(self._made, form) if isinstance(lines, Deferred) else self._made(lines, form)

    def next_names(self, prefix: bytes) -> bytes | Deferred[bytes]:
        """As in ``ILongListing``: no object is looked at."""
        names = self.next_lines(NAMES)
        if not prefix:
            return names
        return names.addCallback(_behind, prefix) if isinstance(names, Deferred) else _behind(names, prefix)

    def close(self) -> None:
        """As in ``IListing``."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.give_up()
        super().close()

    # Lines that are kept

    def _look_up(self, form: Form) -> None:
        """Take what is kept, or keep what will be made."""
        descriptor = self._directory.descriptor
        if descriptor is None:
            return
        try:
            status = self._directory.own_status()
        except OSError as error:
            raise from_os_error(error) from error
        # Readers with the same rights share theirs.
        key: Hashable = (form.key, id(self._rights)) if form.shows_rights else form.key
        pieces = self._cache.find(descriptor, status, key, form.now)
        if pieces is not None:
            self._pieces = iter(pieces)
        else:
            self._recording = self._cache.record(descriptor, status, key)

    def _next_kept(self, form: Form) -> bytes:
        found: list[bytes] = []
        octets, began = 0, perf_counter()
        for piece in self._pieces or ():
            if isinstance(piece, bytes):
                found.append(piece)
                octets += len(piece)
            else:
                self._renderer.add_lines(piece, found, form)
                self._renderer.others.clear()
                octets += len(piece) * _LINE
                if perf_counter() - began > _PATIENCE:
                    self._is_slow = True
                    octets = _PORTION
            if octets >= _PORTION and found:
                break
        return b"".join(found)

    def _made(self, lines: list[bytes], form: Form) -> bytes:
        recording, others, data = self._recording, self._renderer.others, b"".join(lines)
        if recording is not None:
            if not lines:
                self._recording = None
                recording.finish(form)
            elif not recording.add(data, lines, others):
                self._recording = None
        others.clear()
        return data

    # Lines and entries that are made

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
            names.sort()  # of sorted runs: it only merges them, much faster than heapq
            self._names = iter(names)
        else:
            self._names = merge(*runs)

    def _make_batch(self, add: Callable[[list[bytes], list[Any]], None]) -> list[Any]:
        batch: list[Any] = []
        count, began = 0, perf_counter()
        all_names = self._names or iter(())
        while count < _BATCH or not batch:  # an empty one would be the end
            names = list(islice(all_names, _STEP))
            if not names:
                break
            count += len(names)
            add(names, batch)
            if perf_counter() - began > _PATIENCE:
                self._is_slow = True
                if batch:
                    break
        return batch


def _behind(lines: bytes, prefix: bytes) -> bytes:
    """Lines, each with ``prefix`` in front: no name holds a line's end."""
    return b"%s%s\n" % (prefix, lines[:-1].replace(b"\n", b"\n" + prefix)) if lines else b""  # LF alone: several times as fast as CR LF


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
