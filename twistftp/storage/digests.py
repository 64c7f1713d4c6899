"""
The hash of a part of a file, computed a piece at a time and in threads: neither the disk nor the arithmetic stops the reactor.

Not here: who asks, and what is done with it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.internet.defer import Deferred

from twistftp.storage.holding import InThread, in_thread
from twistftp.storage.interfaces import IThreadedFile

__all__ = ["ALGORITHMS", "Digest"]

ALGORITHMS = {"SHA-256": "sha256", "SHA-512": "sha512", "SHA-1": "sha1", "MD5": "md5"}
"""By IANA's names of hash functions; those of ``hashlib``."""

PIECE = 16 << 20  # octets read and hashed in one call to a thread: some 20 ms
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
        self.count = count
        self.octets = 0

    def go_on(self) -> Deferred[int]:
        """
        Hash the next piece: a Deferred of its octets; 0 if the file has ended before all were read.

        :raises StorageError: (or the Deferred fails with it) the disk failed.
        """
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
