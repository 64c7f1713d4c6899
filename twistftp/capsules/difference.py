"""
What is otherwise than the capsule says, and how it is shown: the part that differs, on one line.

Not here: what counts as the same (``comparing``), and finding differences (``replay``).
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from twistftp.capsules.comparing import normal

__all__ = ["Difference", "Otherwise", "shortened", "side_by_side"]

_SHOWN = 200  # characters of a line
_BEFORE = 60  # of them those that stand before the first difference, if it is far behind


@frozen
class Difference:
    """The first thing that is otherwise: what the capsule says, in which line of its file, what came instead, when, and what was said before."""

    expected: str
    got: str
    line: int
    at: float
    before: tuple[str, ...]


class Otherwise(Exception):
    """Something is not as the capsule says: ``then``, and ``now``."""

    def __init__(self, then: str, now: str) -> None:
        super().__init__(then, now)
        self.then, self.now = then, now


def side_by_side(then: str, now: str, *, is_other: bool = False) -> tuple[str, str]:
    """
    Two replies that differ, as they are shown: of those that have several lines the first that differs, of long lines the part that does.

    What :func:`normal` makes equal is no difference.
    """
    lines, normals = (then.split("\n"), now.split("\n")), [normal(reply, is_other=is_other).split("\n") for reply in (then, now)]
    number = _first_other(*normals)
    if max(map(len, lines)) > 1 and [len(reply) for reply in lines] == [len(reply) for reply in normals]:
        then, now = (f"line {number + 1}: {reply[number]}" if number < len(reply) else f"only {len(reply)} lines" for reply in lines)
    at = max(0, _first_other(then, now) - _BEFORE)
    return _part(then, at), _part(now, at)


def _first_other(one: Sequence[str], other: Sequence[str]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _part(text: str, start: int) -> str:
    end = start + _SHOWN
    return f"{'...' if start else ''}{_printable(text[start:end])}{'...' if end < len(text) else ''}"


def _printable(text: str) -> str:
    """On one line, in ASCII."""
    return "".join(character if character.isprintable() and character.isascii() else ascii(character)[1:-1] for character in text)


def shortened(reply: str) -> str:
    """A reply on one line, its beginning if it is long."""
    return _part(reply.replace("\n", " / "), 0)
