"""
Numbers that all workers see at once, in shared memory: each worker writes its own column, and reads everybody's.

Not here: what is counted (``census``).

A row is found by the hash of its name in one of many buckets; a row whose columns are all zero is free. The lock is a lock of the system, which ends
with the process that holds it: no worker that is killed can stop the others.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import count
from typing import Any

__all__ = ["Board"]

_BUCKET = 16
"""Rows of a bucket; few clients have a name in the same."""
_KEYS = struct.Struct(f"{_BUCKET}Q")
_NUMBER = struct.Struct("Q")


class Board:
    """
    The board of ``columns`` workers; made by the process that forks them.

    :param buckets: how many rows there can be, in sixteens. Memory that is never used costs nothing.
    """

    def __init__(self, columns: int, buckets: int = 8192) -> None:
        self.columns, self._buckets = columns, buckets
        self._salt = os.urandom(16)  # nobody outside can choose names that share a bucket
        self._row = struct.Struct(f"{columns}I")
        self._bucket_size = _KEYS.size + _BUCKET * self._row.size
        self._head = columns * _NUMBER.size
        # To be locked, and open as long as the process is.
        self._file: Any = os.memfd_create("twistftp") if hasattr(os, "memfd_create") else tempfile.TemporaryFile()  # noqa: SIM115
        self._memory = mmap.mmap(-1, self._head + buckets * self._bucket_size)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else is in here meanwhile."""
        import fcntl  # not on Windows, where there are no workers

        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def read(self, name: str) -> tuple[int, ...]:
        """The columns of a row; zeros if there is none."""
        row = self._find(name)
        return self._row.unpack_from(self._memory, row) if row else (0,) * self.columns

    def write(self, name: str, column: int, value: int) -> bool:
        """
        Set one's own number in a row. Where the row may have to be made, the lock must be held.

        :return: whether that was possible: ``False`` if the bucket is full.
        """
        row = self._find(name)
        if not row:
            if not value:
                return True
            row = self._make(name)
            if not row:
                return False
        struct.pack_into("I", self._memory, row + 4 * column, value)
        return True

    def _place(self, name: str) -> tuple[int, int]:
        key = int.from_bytes(blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8, key=self._salt).digest(), "little") or 1
        return key, self._head + key % self._buckets * self._bucket_size

    def _find(self, name: str) -> int:
        key, bucket = self._place(name)
        keys = _KEYS.unpack_from(self._memory, bucket)
        return bucket + _KEYS.size + keys.index(key) * self._row.size if key in keys else 0

    def _make(self, name: str) -> int:
        key, bucket = self._place(name)
        for number in range(_BUCKET):
            row = bucket + _KEYS.size + number * self._row.size
            if not any(self._row.unpack_from(self._memory, row)):
                _NUMBER.pack_into(self._memory, bucket + number * _NUMBER.size, key)
                return row
        return 0

    def clear(self, column: int) -> None:
        """A worker has ended: nothing of it counts any more."""
        nothing, none = bytes(4), bytes(_BUCKET * self._row.size)
        with self.locked():
            for bucket in range(self._head, len(self._memory), self._bucket_size):
                rows, end = bucket + _KEYS.size, bucket + self._bucket_size
                if self._memory[rows:end] != none:
                    for row in range(rows, end, self._row.size):
                        self._memory[row + 4 * column : row + 4 * column + 4] = nothing

    def numbers(self, column: int) -> Iterator[int]:
        """The numbers of a worker's sessions: no two of any workers are the same, those of its predecessors included."""
        (drawn,) = _NUMBER.unpack_from(self._memory, column * _NUMBER.size)
        for number in count(drawn + 1):
            _NUMBER.pack_into(self._memory, column * _NUMBER.size, number)
            yield (number - 1) * self.columns + column + 1
