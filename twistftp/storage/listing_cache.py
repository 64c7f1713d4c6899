"""
Listings that have been made before, as the octets that were sent, as long as nothing in their directories has changed.

Not here: how a listing is made (``listing``), the system calls that tell of changes (``inotify``).

A text is the same for all who may list a directory: it depends on the directory and on the form alone. Rights are asked before, as ever. What the
system tells of is seen by the next listing, without exception. It does not tell a directory of all that is in it: subdirectories, symbolic links and
files with several names are therefore never kept, only their places, and nothing is kept of directories that it may not tell all of (``mounts``).
Of the rest, what changes without a word (a file that is given another name elsewhere and changed under that, one that a program changes through its
memory or by Linux's asynchronous I/O while it holds it open) is seen after ``LIFE`` at the latest, since no text lives longer.
"""

from __future__ import annotations

import os
import select
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from time import monotonic
from typing import Any

from twistftp.storage.inotify import Watches
from twistftp.storage.mounts import Mounts
from twistftp.wire.forms import Form

__all__ = ["LIFE", "SHARED", "ListingCache", "Piece", "Recording"]

LIFE = 10.0
"""Seconds from the beginning of a listing for which it may be used."""
OCTETS = 32 * 1024 * 1024
DIRECTORIES = 1024  # each is a watch, of which a user has some thousands at least, and an inode that the system keeps in memory
SMALL = 8192  # octets of a directory with room for one or two hundred names: to list them costs little more than to watch
FORMS = 4  # of one directory: a client can think of many
_PIECE = 64 * 1024  # octets of a text that are sent together
_FEW = 64  # names that are looked at together
_ASIDE = 60.0  # seconds without watches after the system refused one
_OVERHEAD = 256  # octets of objects around each piece

Piece = bytes | list[bytes]
"""A part of a text: lines, or the names of objects that must be looked at each time."""

_Place = tuple[int, int]  # a directory's device and inode


class _Text:
    """A whole listing in one form."""

    __slots__ = ("began", "octets", "pieces", "since", "until")

    def __init__(self, pieces: Sequence[Piece], octets: int, began: float, span: tuple[float, float]) -> None:
        self.pieces = pieces
        self.octets = octets
        self.began = began
        self.since, self.until = span


class _Watched:
    """A directory of which nothing has been heard since it is watched."""

    __slots__ = ("is_unchanged", "octets", "recordings", "texts", "watch")

    def __init__(self, watch: int) -> None:
        self.watch = watch
        self.is_unchanged = True
        self.octets = 0  # of the texts and the recordings
        self.texts: dict[Hashable, _Text] = {}
        self.recordings: dict[Hashable, Recording] = {}


class Recording:
    """A listing that is being made and may become a text. Its directory was watched before its first name was read."""

    __slots__ = ("_cache", "_directory", "_key", "_lines", "_names", "_pieces", "_short", "began", "octets")

    def __init__(self, cache: ListingCache, directory: _Watched, key: Hashable, began: float) -> None:
        self._cache = cache
        self._directory = directory
        self._key = key
        self._pieces: list[Piece] = []
        self._lines: list[bytes] = []  # to become a piece
        self._short = 0  # octets of them
        self._names: list[bytes] = []  # the same, of objects to be looked at
        self.began = began
        self.octets = 0

    @property
    def is_wanted(self) -> bool:
        """Whether it may still become a text."""
        return self._directory.is_unchanged and self._directory.recordings.get(self._key) is self

    def add(self, data: bytes, lines: list[bytes], others: Sequence[tuple[int, int, bytes]]) -> bool:
        """
        The next lines, as a whole and one by one. Whether more of them are wanted.

        :param others: which of them must not be kept: the first, the one behind the last, and the name of the object, in order.
        """
        if not self.is_wanted:
            return False
        before, start = self.octets, 0
        if not others:
            self._add_lines(data)
            start = len(lines)
        for first, behind, name in others:
            if first > start:
                self._add_lines(b"".join(lines[start:first]))
            self._close_lines()
            if len(self._names) >= _FEW:
                self._close_names()
            self._names.append(name)
            self.octets += len(name) + _OVERHEAD
            start = behind
        if start < len(lines):
            self._add_lines(b"".join(lines[start:]))
        self._cache.make_room(self._directory, self, self.octets - before)
        return self.is_wanted

    def _add_lines(self, data: bytes) -> None:
        self._close_names()
        self.octets += len(data) if self._lines else len(data) + _OVERHEAD
        self._lines.append(data)
        self._short += len(data)
        if self._short >= _PIECE:
            self._close_lines()

    def _close_lines(self) -> None:
        if self._lines:
            self._pieces.append(b"".join(self._lines))
            self._lines, self._short = [], 0

    def _close_names(self) -> None:
        if self._names:
            self._pieces.append(self._names)
            self._names = []

    def finish(self, form: Form) -> None:
        """That was all: keep it."""
        self._close_lines()
        self._close_names()
        if self.is_wanted:
            self._cache.keep(self._directory, self._key, _Text(self._pieces, self.octets, self.began, form.span()))

    def give_up(self) -> None:
        """There will be no more lines. After the end, or a second time, this does nothing."""
        if self.is_wanted:
            self._cache.drop_recording(self._directory, self._key)


class ListingCache:
    """
    The texts of one process, for all its sites. For the reactor's thread alone; nothing here waits.

    :param octets: how much is kept at most, recordings included. Half of it is the most for one text.
    :param directories: how many are watched at most.
    :param small: the size of a directory up to which it is not worth it.
    """

    def __init__(self, octets: int = OCTETS, directories: int = DIRECTORIES, small: int = SMALL) -> None:
        self.octets = 0
        self.most_octets = octets
        self._most_directories = directories
        self._small = small
        self._watches: Watches | None = None
        self._mounts: Mounts | None = None
        self._poll: Any = None  # tells of both
        self._not_before = 0.0
        self._directories: OrderedDict[_Place, _Watched] = OrderedDict()  # the one used last at the end
        self._places: dict[int, _Place] = {}  # by the number of the watch

    def find(self, descriptor: int, status: os.stat_result, key: Hashable, now: float) -> Sequence[Piece] | None:
        """
        A text that says what a listing would say that begins now.

        :param descriptor: of the directory.
        :param status: its own.
        :param key: of the form, and of what else lines depend on.
        :param now: as the form has it.
        """
        self._take_note()
        place = status.st_dev, status.st_ino
        known = self._directories.get(place)
        text = known.texts.get(key) if known is not None else None
        if known is None or text is None or self._mounts is None or not self._mounts.tell_all(descriptor, status.st_dev):
            return None
        if monotonic() - text.began > LIFE:
            self._forget_text(known, key)
            return None
        self._directories.move_to_end(place)
        return text.pieces if text.since <= now < text.until else None

    def record(self, descriptor: int, status: os.stat_result, key: Hashable) -> Recording | None:
        """
        Watch a directory that is going to be listed; ``None``: it cannot be watched or is not worth it, or somebody else is at it.

        :param descriptor: of the directory, of which no name has been read, and for which :meth:`find` has found nothing just now.
        """
        now = monotonic()
        if status.st_size <= self._small or not self.most_octets or now < self._not_before:
            return None
        place = status.st_dev, status.st_ino
        try:
            watches, mounts = (self._watches, self._mounts) if self._watches and self._mounts else self._open()
            if not mounts.tell_all(descriptor, status.st_dev):
                return None
            known = self._directories.get(place) or self._watch(watches.watch(descriptor), place)
        except OSError:  # no watch left, no /proc, no right: then nothing is kept, and listings are what they always are
            self._not_before = now + _ASIDE
            return None
        other = known.recordings.get(key)
        if other is not None:
            if now - other.began <= LIFE:
                return None
            self.drop_recording(known, key)
        recording = known.recordings[key] = Recording(self, known, key, now)
        return recording

    def _open(self) -> tuple[Watches, Mounts]:
        watches, mounts, poll = Watches(), Mounts(), select.poll()
        poll.register(watches, select.POLLIN)
        poll.register(mounts, select.POLLPRI)
        self._watches, self._mounts, self._poll = watches, mounts, poll
        return watches, mounts

    def _watch(self, watch: int, place: _Place) -> _Watched:
        if watch in self._places:  # the same directory under another device's number
            self._drop(self._places[watch], is_watched=False)
        if len(self._directories) >= self._most_directories:
            self._drop(next(iter(self._directories)))
        known = self._directories[place] = _Watched(watch)
        self._places[watch] = place
        return known

    def _take_note(self) -> None:
        """Drop what has changed. What has changed before this is called is known after it."""
        watches, mounts = self._watches, self._mounts
        if not watches or not mounts or not (told := self._poll.poll(0)):
            return
        ended = watches.ended() if all(descriptor == watches.fileno() for descriptor, _ in told) else None
        if ended is None:  # something was mounted, or the system had more to tell than it remembers
            self.clear()
            return
        for watch in ended:
            place = self._places.get(watch)
            if place is not None:
                self._drop(place, is_watched=False)

    def _drop(self, place: _Place, *, is_watched: bool = True) -> None:
        known = self._directories.pop(place)
        del self._places[known.watch]
        known.is_unchanged = False
        self.octets -= known.octets
        if is_watched and self._watches is not None:
            self._watches.forget(known.watch)

    def make_room(self, directory: _Watched, recording: Recording, octets: int) -> None:
        """A recording has grown by ``octets``: older texts go, or itself."""
        directory.octets += octets
        self.octets += octets
        if recording.octets > self.most_octets // 2:
            recording.give_up()
            return
        for place in list(self._directories):
            if self.octets <= self.most_octets:
                return
            if self._directories[place] is not directory:
                self._drop(place)
        if self.octets > self.most_octets:  # other forms of the same directory
            recording.give_up()

    def keep(self, directory: _Watched, key: Hashable, text: _Text) -> None:
        """A recording has become a text."""
        self.drop_recording(directory, key)
        self._forget_text(directory, key)
        if len(directory.texts) >= FORMS:
            self._forget_text(directory, next(iter(directory.texts)))
        directory.texts[key] = text
        directory.octets += text.octets
        self.octets += text.octets

    def drop_recording(self, directory: _Watched, key: Hashable) -> None:
        """A recording is over."""
        recording = directory.recordings.pop(key)
        directory.octets -= recording.octets
        self.octets -= recording.octets

    def _forget_text(self, directory: _Watched, key: Hashable) -> None:
        text = directory.texts.pop(key, None)
        if text is not None:
            directory.octets -= text.octets
            self.octets -= text.octets

    def clear(self) -> None:
        """Keep nothing and watch nothing, until the next :meth:`record`."""
        for known in self._directories.values():
            known.is_unchanged = False
        self._directories.clear()
        self._places.clear()
        self.octets = 0
        for held in (self._watches, self._mounts):
            if held is not None:
                held.close()
        self._watches = self._mounts = self._poll = None

    def limit(self, octets: int) -> None:
        """Keep at most so many octets from now on; 0: nothing. What is kept goes, unless the limit is what it was."""
        if octets != self.most_octets:
            self.clear()
            self.most_octets = octets


SHARED = ListingCache()
"""The process's own."""
if hasattr(os, "register_at_fork"):
    # Two processes that read from one inotify instance would each miss what the other has read.
    os.register_at_fork(after_in_child=SHARED.clear)
