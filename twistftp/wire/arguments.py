"""
The kinds of argument a verb can take: how it is written in HELP and 501, and how octets become a value.

Not here: whether the value makes sense for the session (the handlers decide that).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from twistftp.wire.paths import decode_name

__all__ = [
    "NOTHING",
    "NOTHING_AT_ALL",
    "NUMBER",
    "OPTIONAL_PATHNAME",
    "PASSWORD",
    "PATHNAME",
    "Argument",
    "ArgumentError",
    "behind_first_word",
    "text",
    "word",
]

_LARGEST = 2**63 - 1  # PROTOCOL P-REST-1


class ArgumentError(ValueError):
    """The argument cannot be read: 501. The text, if there is one, says more than the verb's syntax does."""


@frozen
class Argument:
    """
    One kind of argument: ``syntax`` is shown behind the verb, ``parse`` reads the octets behind the one space.

    ``is_secret`` keeps it out of every log; ``is_path`` marks a name for the log and for request filters. ``name_in`` finds that
    among the octets, well-formed or not, for texts about it.
    """

    syntax: str
    parse: Callable[[bytes], Any]
    is_secret: bool = False
    is_path: bool = False
    name_in: Callable[[bytes], bytes] = bytes


def behind_first_word(octets: bytes) -> bytes:
    """The name in an argument that has something before it, such as a time (``name_in``)."""
    first, _, name = octets.partition(b" ")
    return name or first


def _nothing(octets: bytes) -> None:
    """Some clients add junk, as in ``NOOP 1`` (PROTOCOL P-GEN-7)."""


def _nothing_at_all(octets: bytes) -> None:
    if octets:
        raise ArgumentError


def _pathname(octets: bytes) -> str:
    if not octets:
        raise ArgumentError
    return _optional_pathname(octets)


def _optional_pathname(octets: bytes) -> str:
    if b"\0" in octets:  # P-LINE-9
        raise ArgumentError("a path name holds no NUL")
    return decode_name(octets)


def _word(octets: bytes) -> str:
    value = _optional_word(octets)
    if not value:
        raise ArgumentError
    return value


def _optional_word(octets: bytes) -> str:
    if b"\0" in octets:
        raise ArgumentError("an argument holds no NUL")
    return decode_name(octets.strip(b" \t"))


def _number(octets: bytes) -> int:
    digits = octets.strip(b" \t")
    if not digits.isdigit() or len(digits) > 19 or int(digits) > _LARGEST:
        raise ArgumentError
    return int(digits)


NOTHING = Argument("", _nothing)
NOTHING_AT_ALL = Argument("", _nothing_at_all)
PATHNAME = Argument("<path>", _pathname, is_path=True)
OPTIONAL_PATHNAME = Argument("[<path>]", _optional_pathname, is_path=True)
PASSWORD = Argument("<password>", bytes, is_secret=True)
NUMBER = Argument("<number>", _number)


def word(syntax: str, *, optional: bool = False, is_secret: bool = False) -> Argument:
    """An argument that is no name of a file: trimmed of blanks at both ends (PROTOCOL P-LINE-7)."""
    return Argument(syntax, _optional_word if optional else _word, is_secret=is_secret)


def text(syntax: str, *, is_secret: bool = False) -> Argument:
    """An argument that keeps its inner blanks and loses those at its end, as a user's name does (P-USER-1)."""

    def parse(octets: bytes) -> str:
        value = decode_name(octets.rstrip(b" "))
        if not value:
            raise ArgumentError
        if "\0" in value:
            raise ArgumentError("an argument holds no NUL")
        return value

    return Argument(syntax, parse, is_secret=is_secret)
