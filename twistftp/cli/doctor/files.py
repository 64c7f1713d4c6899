"""
Which file of a listing to fetch: a small one, whatever form the listing has.

Not here: fetching it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Found", "best", "files", "directories"]


class Found(NamedTuple):
    """A name in a listing, UTF-8 with surrogate escapes; ``size`` is in octets."""

    name: str
    size: int
    is_directory: bool = False


_UNIX = re.compile(r"([-d])[-rwxsStTlL]{9}\S*\s+\d+\s+\S+\s+(?:\S+\s+)?(\d+)\s+[A-Z][a-z]{2}\s+\d{1,2}\s+(?:\d{4}|\d{1,2}:\d{2}) (.+)\Z")
_DOS = re.compile(r"\d\d-\d\d-\d\d(?:\d\d)?\s+\d\d:\d\d(?:AM|PM)?\s+(?:(<DIR>)|([\d,.]+))\s+(.+)\Z", re.IGNORECASE)
_SMALL = 1 << 20
_LONGEST_LINE = 1000


def _parsed(line: str) -> Found | None:
    facts, space, name = line.partition(" ")
    if space and facts.endswith(";") and "=" in facts:  # MLSD, RFC 3659 §7.2
        known = dict(fact.partition("=")[::2] for fact in facts.lower().split(";"))
        size = known.get("size", "0")
        kind = known.get("type")
        return Found(name, int(size) if size.isdecimal() else 0, kind == "dir") if kind in {"file", "dir"} else None
    if unix := _UNIX.match(line):
        return Found(unix[3], int(unix[2]), unix[1] == "d")
    if dos := _DOS.match(line):
        return Found(dos[3], 0 if dos[1] else int(re.sub(r"\D", "", dos[2]) or 0), bool(dos[1]))
    return None


def _all(listing: bytes) -> Iterator[Found]:
    for octets in listing.split(b"\n")[:5000]:
        if len(octets) > _LONGEST_LINE:
            continue
        found = _parsed(octets.rstrip(b"\r").decode("utf-8", "surrogateescape"))
        # A name with control characters could not be sent back safely, and one with a slash is none.
        if found and found.name not in {".", ".."} and not re.search(r"[\x00-\x1f\x7f/]", found.name):
            yield found


def files(listing: bytes) -> list[Found]:
    """The files of a listing by MLSD, by ``ls -l`` or in Windows' form."""
    return [found for found in _all(listing) if not found.is_directory]


def directories(listing: bytes) -> list[str]:
    """The directories of a listing."""
    return [found.name for found in _all(listing) if found.is_directory]


def best(listing: bytes, count: int = 3) -> list[str]:
    """The names of the files that are best fetched: small ones that are not empty first."""

    def rank(found: Found) -> tuple[bool, bool, int]:
        return found.size == 0, found.size > _SMALL, found.size

    return [found.name for found in sorted(files(listing), key=rank)[:count]]
