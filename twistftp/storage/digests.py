"""
The hash of a part of a file, computed a piece at a time and in threads: neither the disk nor the arithmetic stops the reactor.

All hashes of the process together keep a few threads busy and no more: listings, uploads and logins need the others, and anybody may ask for hashes.

Not here: who asks, and what is done with it.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, maybeDeferred

from twistftp.storage.holding import InThread, in_thread
from twistftp.storage.interfaces import IThreadedFile

__all__ = ["ALGORITHMS", "Digest"]

ALGORITHMS = {"SHA-256": "sha256", "SHA-512": "sha512", "SHA-1": "sha1", "MD5": "md5"}
"""By IANA's names of hash functions; those of ``hashlib``."""

PIECE = 16 << 20  # octets read and hashed in one call to a thread: some 20 ms
_AT_ONCE = max(1, (os.cpu_count() or 1) // 2)  # calls under way
_lanes = DeferredSemaphore(min(_AT_ONCE, 4))
_BLOCK = 1 << 20  # octets of a file that is not read in threads


class Digest:
    """
    The hash of ``count`` octets of an ``IOpenFile`` from ``offset``.

    :param call: how the arithmetic is called in a thread.
    :ivar octets: hashed so far.
    """

    def __init__(self, algorithm: str, file: Any, offset: int, count: int, call: InThread | None = None) -> None:
        self._hash = hashlib.new(ALGORITHMS[algorithm], usedforsecurity=False)
        self._file = file
        self._offset = offset
        self._in_thread = call or in_thread
        self._turn: Deferred[Any] | None = None
        self.count = count
        self.octets = 0

    def go_on(self) -> Deferred[int]:
        """
        Hash the next piece, in its turn: a Deferred of its octets; 0 if the file has ended before all were read.

        :raises StorageError: (the Deferred fails with it) the disk failed.
        """
        self._turn = _lanes.acquire()
        return self._turn.addCallback(self._take_turn)

    def give_up(self) -> None:
        """A piece whose turn has not come is not waited for any longer: its Deferred fails with ``CancelledError``."""
        if self._turn is not None and not self._turn.called:
            self._turn.cancel()

    def _take_turn(self, lane: DeferredSemaphore) -> Deferred[int]:
        hashed: Deferred[int] = Deferred()  # who gives up waiting does not free the lane: the thread is at work all the same

        def leave(result: Any) -> Any:
            lane.release()
            return result

        maybeDeferred(self._hash_piece).addBoth(leave).addCallbacks(hashed.callback, hashed.errback)
        return hashed

    def _hash_piece(self) -> Deferred[int]:
        offset, left = self._offset + self.octets, self.count - self.octets
        if IThreadedFile.providedBy(self._file):
            hashed: Deferred[int] = self._file.feed(self._hash.update, offset, min(PIECE, left))
            return hashed.addCallback(self._count)
        data = self._file.read_at(offset, min(_BLOCK, left))
        return data.addCallback(self._take) if isinstance(data, Deferred) else self._take(data)

    def _take(self, data: bytes) -> Deferred[int]:
        return self._in_thread(self._hash.update, data).addCallback(lambda _: self._count(len(data)))

    def _count(self, octets: int) -> int:
        self.octets += octets
        return octets

    @property
    def hexadecimal(self) -> str:
        """The hash of what was read, in lower case."""
        return self._hash.hexdigest()
