"""
Sorted runs of names, put together in order, some thousands at a time.

Not here: reading and sorting a run (``listing``).

For each name ``heapq.merge`` takes a quarter of what all else that its line of LIST needs takes. ``list.sort`` knows runs, too, and merges them
four times as fast, but holds the interpreter meanwhile: so it gets no more names at a time than lie between two marks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain

__all__ = ["merged"]

_PIECE = 4096  # names put together at a time, on average: half a millisecond
_MARKS = 16  # of the runs' names in a piece: the more, the more even are the pieces


def merged(runs: Sequence[Sequence[bytes]], size: int = _PIECE) -> Iterator[bytes]:
    """
    All names of ``runs``, each of which is in order.

    :param size: of a piece, on average.
    """
    return chain.from_iterable(_pieces(runs, size))


def _pieces(runs: Sequence[Sequence[bytes]], size: int) -> Iterator[list[bytes]]:
    distance = max(1, size // _MARKS)
    marks = sorted(name for run in runs for name in run[distance - 1 :: distance])
    at = [0] * len(runs)
    for mark in marks[_MARKS - 1 :: _MARKS]:
        ends = [bisect_right(run, mark, start) for run, start in zip(runs, at, strict=True)]
        yield _piece(runs, at, ends)
        at = ends
    yield _piece(runs, at, [len(run) for run in runs])


def _piece(runs: Sequence[Sequence[bytes]], starts: Sequence[int], ends: Sequence[int]) -> list[bytes]:
    piece: list[bytes] = []
    for run, start, end in zip(runs, starts, ends, strict=True):
        piece += run[start:end]
    piece.sort()
    return piece
