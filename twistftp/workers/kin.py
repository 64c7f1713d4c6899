"""
The TLS sessions of all workers by client address, in shared memory: programs that keep one store of tickets for all their connections offer one
worker the ticket of a session that another has, or had.

Not here: whose tickets are accepted for what (``transport.tls_session``).

Each worker writes a part of its own, so nothing is locked: an entry that is read while it changes is a context that nobody's ticket has.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import cast

from twistftp.transport.tls_session import Ended, Left, Neighbours, SessionTLS

__all__ = ["FarNeighbours", "Kin", "Known"]

_ENTRY = struct.Struct("Q?16s8s32s")
"""The client, hashed; whether the session has ended; its family; its user, hashed; its session id context."""
_BUCKET = 16

Known = tuple[bytes, bytes, bytes]
"""Family, user and context of a session."""


class Kin:
    """
    The sessions of ``columns`` workers; made by the process that forks them.

    :param buckets: of each worker, for sixteen sessions; a session for which there is no room is not known to others. One that has ended keeps its
        place until another needs it.
    """

    def __init__(self, columns: int, buckets: int = 1024) -> None:
        self._columns, self._buckets = columns, buckets
        self._salt = os.urandom(16)
        self._part = buckets * _BUCKET * _ENTRY.size
        self._memory = mmap.mmap(-1, columns * self._part)

    def add(self, column: int, client: str, known: Known) -> int:
        """Tell of a session; its place, -1 if there is none."""
        key, places = self._find(column, client)
        used = -1
        for place in places:
            found, has_ended, *_ = _ENTRY.unpack_from(self._memory, place)
            if not found:
                used = place
                break
            if has_ended and used < 0:
                used = place
        if used >= 0:
            _ENTRY.pack_into(self._memory, used, key, False, *known)
        return used

    def change(self, place: int, known: Known) -> None:
        """More is known of it."""
        key, has_ended, *_ = _ENTRY.unpack_from(self._memory, place)
        _ENTRY.pack_into(self._memory, place, key, has_ended, *known)

    def end(self, place: int) -> None:
        """A session has ended."""
        key, _, *known = _ENTRY.unpack_from(self._memory, place)
        _ENTRY.pack_into(self._memory, place, key, True, *known)

    def elsewhere(self, column: int, client: str) -> Iterator[Known]:
        """The sessions of a client in other workers."""
        for other in range(self._columns):
            if other != column:
                key, places = self._find(other, client)
                for place in places:
                    found, _, *known = _ENTRY.unpack_from(self._memory, place)
                    if found == key:
                        yield known[0], known[1], known[2]

    def clear(self, column: int) -> None:
        """A worker has ended."""
        begin = column * self._part
        self._memory[begin : begin + self._part] = bytes(self._part)

    def user(self, name: str) -> bytes:
        """How the table calls a user."""
        return self._hashed(name)

    def _find(self, column: int, client: str) -> tuple[int, range]:
        key = int.from_bytes(self._hashed(client), "little") or 1
        size = _BUCKET * _ENTRY.size
        bucket = column * self._part + key % self._buckets * size
        return key, range(bucket, bucket + size, _ENTRY.size)

    def _hashed(self, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8, key=self._salt).digest()


class FarNeighbours(Neighbours):
    """The sessions with TLS of one worker, which knows of the others'."""

    def __init__(self, kin: Kin, column: int) -> None:
        super().__init__()
        self._kin, self._column = kin, column
        self._places: dict[SessionTLS, int] = {}

    def new_family(self) -> object:
        """See :class:`Neighbours`."""
        return os.urandom(16)

    def known(self, session: SessionTLS) -> None:
        """See :class:`Neighbours`."""
        about = cast(bytes, session.family), self._kin.user(session.user), session.context
        place = self._places.get(session, -1)
        if place >= 0:
            self._kin.change(place, about)
        else:
            self._places[session] = self._kin.add(self._column, session.client, about)

    def remove(self, session: SessionTLS) -> None:
        """See :class:`Neighbours`."""
        if (place := self._places.pop(session, -1)) >= 0:
            self._kin.end(place)
        super().remove(session)

    def ended_owner(self, session: SessionTLS, hello: bytes) -> Ended | None:
        """See :class:`Neighbours`. To whichever port this connection comes, it is not one that another worker's session has left."""
        if (here := super().ended_owner(session, hello)) is not None:
            return here
        for family, user, context in self._kin.elsewhere(self._column, session.client):
            if session.is_resumed(context, hello):
                return Ended(context, session.user if user == self._kin.user(session.user) else _SOMEBODY, family, Left(0, 0.0))
        return None


_SOMEBODY = "\0"
"""Another user, whoever that is: no name has this letter."""
