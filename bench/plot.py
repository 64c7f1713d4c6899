"""
Plots as SVG: rows of dots (many works, several servers), bars (one work), curves (one quantity over another, or over time).

Not here: ink and paper (``svg``), and where values come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from svg import COLOURS, Picture, even_scale, log_scale

_WIDTH = 860
_EDGE = 18
_HEAD = 70  # pixels of title and key
_ROW = 24
_FOOT = 40
_APART = 3.4  # pixels between the dots of a row

Text = Callable[[float], str]


class Row(NamedTuple):
    """Of a plot of dots: values by series, and a remark at its end."""

    label: str
    values: Mapping[str, float]
    remark: str = ""


def _start(title: str, about: str, height: int, colours: Mapping[str, int]) -> Picture:
    picture = Picture(title, _WIDTH, height)
    picture.text(_EDGE, 28, title, "t")
    picture.key(_EDGE, 52, colours)
    picture.text(_WIDTH - _EDGE, 52, about, "m", "end")
    return picture


def _by_turn(names: Sequence[str]) -> dict[str, int]:
    return {name: colour for colour, name in enumerate(names[:COLOURS])}


def _from_nought(text: Text) -> Text:
    return lambda value: text(value) if value else "0"


def dots(path: Path, title: str, about: str, names: Sequence[str], rows: Sequence[Row], text: Text, base: float | None = None) -> None:
    """
    A line for each row, on one logarithmic axis.

    :param base: where to draw an axis across all rows.
    """
    left, right = 264, _WIDTH - 160
    bottom = _HEAD + _ROW * len(rows)
    picture = _start(title, about, bottom + _FOOT, _by_turn(names))
    values = [value for row in rows for value in row.values.values()]
    scale = log_scale(values if base is None else [*values, base], left, right)
    picture.axis_below(scale, _HEAD, bottom, text)
    if base is not None:
        picture.line(scale(base), _HEAD, scale(base), bottom, "a")
    for number, row in enumerate(rows):
        y = _HEAD + _ROW * number + _ROW / 2
        picture.line(left, y, right, y)
        picture.text(left - 12, y + 4, row.label, "", "end")
        picture.text(_WIDTH - _EDGE, y + 4, row.remark, "m", "end")
        for colour, name in enumerate(names):
            if row.values.get(name, 0) > 0:  # a little apart, so that equal ones can be seen
                offset = (colour - (len(names) - 1) / 2) * _APART
                picture.dot(scale(row.values[name]), y + offset, colour, f"{name}: {text(row.values[name])}", 4.5)
    picture.write(path)


def bars(path: Path, title: str, about: str, names: Sequence[str], rows: Sequence[Row], text: Text) -> None:
    """A bar from nought for each value, which is written beside it."""
    left, right = 264, _WIDTH - 110
    lines = [(row.label, name, row.values[name]) for row in rows for name in names if name in row.values]
    bottom = _HEAD + _ROW * len(lines)
    picture = _start(title, about, bottom + _FOOT, _by_turn(names))
    scale = even_scale([value for _, _, value in lines], left, right)
    picture.axis_below(scale, _HEAD, bottom, _from_nought(text))
    said = ""
    for number, (label, name, value) in enumerate(lines):
        y = _HEAD + _ROW * number + _ROW / 2
        if label != said:
            picture.text(left - 12, y + 4, label, "", "end")
        said = label
        picture.bar(left, scale(value), y, list(names).index(name))
        picture.text(scale(value) + 8, y + 4, text(value))
    picture.write(path)


class Curve(NamedTuple):
    """Of a plot of curves: its name, places from left to right, and a colour if it is not to be by its turn."""

    name: str
    places: Sequence[tuple[float, float]]
    colour: int | None = None


def curves(path: Path, title: str, about: str, lines: Sequence[Curve], x_text: Text, y_text: Text, *, log: bool = False) -> None:
    """
    Curves from nought upwards.

    :param log: whether what lies along the bottom has a logarithmic axis, and each place a dot.
    """
    height, left, right = 330, 84, _WIDTH - 30
    bottom = height - _FOOT
    lines = [line._replace(colour=turn if line.colour is None else line.colour) for turn, line in enumerate(lines[:COLOURS])]
    picture = _start(title, about, height, {line.name: line.colour or 0 for line in lines})
    xs = [x for line in lines for x, _ in line.places]
    across = log_scale(xs, left, right) if log else even_scale(xs, left, right)
    up = even_scale([y for line in lines for _, y in line.places], bottom, _HEAD)
    picture.axis_below(across, _HEAD, bottom, _from_nought(x_text))
    picture.axis_beside(up, left, right, _from_nought(y_text))
    picture.line(left, bottom, right, bottom, "a")
    for line in lines:
        colour = line.colour or 0
        places = [(across(x), up(y)) for x, y in line.places]
        picture.curve(places, colour)
        if log:
            for (x, y), (_, value) in zip(places, line.places, strict=True):
                picture.dot(x, y, colour, f"{line.name}: {y_text(value)}", 3.5)
    picture.write(path)
