"""
The TLS sessions of all workers by client address and user, in shared memory: programs that keep one store of tickets for all their
connections offer one worker the ticket of a session that another has.

Not here: whose tickets are accepted for what (``transport.tls_session``).

Each worker writes a part of its own, so nothing is locked: an entry that is read while it changes is a context that nobody's ticket has.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from hashlib import blake2b

from twistftp.transport.tls_session import Neighbours, SessionTLS

__all__ = ["FarNeighbours", "Kin"]

_ENTRY = struct.Struct("Q32s")
"""Whose session it is, hashed, and its session id context."""
_BUCKET = 16


class Kin:
    """
    The sessions of ``columns`` workers; made by the process that forks them.

    :param buckets: of each worker, for sixteen sessions; a session for which there is no room is not known to others.
    """

    def __init__(self, columns: int, buckets: int = 1024) -> None:
        self._columns, self._buckets = columns, buckets
        self._salt = os.urandom(16)
        self._part = buckets * _BUCKET * _ENTRY.size
        self._memory = mmap.mmap(-1, columns * self._part)

    def add(self, column: int, owner: str, context: bytes) -> int:
        """Tell of a session; its place, -1 if there is none."""
        key, bucket = self._find(column, owner)
        for place in range(bucket, bucket + _BUCKET * _ENTRY.size, _ENTRY.size):
            if not _ENTRY.unpack_from(self._memory, place)[0]:
                _ENTRY.pack_into(self._memory, place, key, context)
                return place
        return -1

    def remove(self, place: int) -> None:
        """A session has ended."""
        _ENTRY.pack_into(self._memory, place, 0, b"")

    def elsewhere(self, column: int, owner: str) -> Iterator[bytes]:
        """The contexts of an owner's sessions in other workers."""
        for other in range(self._columns):
            if other != column:
                key, bucket = self._find(other, owner)
                for place in range(bucket, bucket + _BUCKET * _ENTRY.size, _ENTRY.size):
                    found, context = _ENTRY.unpack_from(self._memory, place)
                    if found == key:
                        yield context

    def clear(self, column: int) -> None:
        """A worker has ended."""
        begin = column * self._part
        self._memory[begin : begin + self._part] = bytes(self._part)

    def _find(self, column: int, owner: str) -> tuple[int, int]:
        key = int.from_bytes(blake2b(owner.encode("utf-8", "surrogateescape"), digest_size=8, key=self._salt).digest(), "little") or 1
        return key, column * self._part + key % self._buckets * _BUCKET * _ENTRY.size


class FarNeighbours(Neighbours):
    """The sessions with TLS of one worker, which knows of the others'."""

    def __init__(self, kin: Kin, column: int) -> None:
        super().__init__()
        self._kin, self._column = kin, column
        self._places: dict[SessionTLS, int] = {}

    def known(self, session: SessionTLS) -> None:
        """See :class:`Neighbours`."""
        if session.user() and session not in self._places:
            self._places[session] = self._kin.add(self._column, _owner(session), session.context)

    def remove(self, session: SessionTLS) -> None:
        """See :class:`Neighbours`."""
        if (place := self._places.pop(session, -1)) >= 0:
            self._kin.remove(place)
        super().remove(session)

    def is_elsewhere(self, session: SessionTLS, hello: bytes) -> bool:
        """See :class:`Neighbours`."""
        return any(session.is_resumed(context, hello) for context in self._kin.elsewhere(self._column, _owner(session)))


def _owner(session: SessionTLS) -> str:
    return f"{session.client}\n{session.user()}"
