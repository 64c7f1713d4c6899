"""
One object of a replay's tree. Of a large file only the beginning is held, as in the capsule; behind it all is NUL.

Not here: where it is (``tree``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twistftp.capsules.data import KEPT
from twistftp.wire.entries import Entry

__all__ = ["Node", "entry_of"]

_FIELDS = frozenset(Entry._fields) - {"name", "resolved"}


def entry_of(name: str, plain: Mapping[str, Any], like: Entry | None = None) -> Entry:
    """The inverse of ``learning.plain_entry``."""
    base = like or Entry("", 0, 0, 0.0)
    values = {key: value for key, value in plain.items() if key in _FIELDS}
    inner = plain.get("resolved")
    resolved = entry_of(inner["name"], inner) if inner is not None else base.resolved
    return base._replace(**{**values, "name": name, "resolved": resolved})


class Node:
    """One object. ``head`` is the beginning of a file's content, ``known`` which of its octets are."""

    __slots__ = ("entry", "head", "is_touched", "known", "size")

    def __init__(self, entry: Entry, content: bytes = b"") -> None:
        self.entry = entry
        self.head, self.known = bytearray(), bytearray()
        self.size = entry.size
        self.is_touched = False
        if content:
            self.put(0, content)

    @property
    def is_directory(self) -> bool:
        """Links that lead to one are."""
        return self.entry.is_directory

    def put(self, offset: int, data: bytes) -> None:
        """These octets are there."""
        self.size = max(self.size, offset + len(data))
        data = data[: max(0, KEPT - offset)]
        end = offset + len(data)
        if data and len(self.head) < end:
            missing = bytes(end - len(self.head))
            self.head += missing
            self.known += missing
        if data:
            self.head[offset:end] = data
            self.known[offset:end] = b"\1" * len(data)

    def cut(self, size: int) -> None:
        """It ends here."""
        self.size = size
        del self.head[size:], self.known[size:]

    def read(self, offset: int, count: int) -> tuple[bytes, bool]:
        """Octets, and whether all of them are what they were."""
        count = max(0, min(count, self.size - offset))
        data, known = bytes(self.head[offset : offset + count]), self.known[offset : offset + count]
        return data + bytes(count - len(data)), len(known) == count and all(known)
