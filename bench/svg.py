"""
A small SVG writer: text, lines, dots and bars on a card of its own, and scales with round ticks.

Not here: what a plot shows (``plot``).

The card has its own background, which changes together with the colours on it, so a figure can be read on light pages and on dark ones, even where
the page and the system do not agree on which of them it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

COLOURS = 6  # series that can be told apart
_LIGHT = ("#0969da", "#d1570a", "#2a8a3e", "#8250df", "#bf3989", "#8a6d00")
_DARK = ("#58a6ff", "#f0883e", "#56d364", "#bc8cff", "#f778ba", "#d9b53f")
_FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
_ROUND = (1, 2, 5)


def _colours(colours: Iterable[str]) -> str:
    return "".join(f".c{number}{{fill:{colour}}}.l{number}{{stroke:{colour}}}" for number, colour in enumerate(colours))


def _style() -> str:
    return (
        f"text{{font-family:{_FONT};font-size:12px;fill:#1f2328}}text.t{{font-size:15px;font-weight:600}}text.m{{fill:#59636e}}"
        ".card{fill:#fff;stroke:#d1d9e0}.g{stroke:#d1d9e0}.a{stroke:#59636e}circle{stroke:#fff}"
        f"polyline{{fill:none;stroke-width:2}}{_colours(_LIGHT)}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}text.m{fill:#9198a1}.card{fill:#0d1117;stroke:#3d444d}"
        f".g{{stroke:#2a3139}}.a{{stroke:#9198a1}}circle{{stroke:#0d1117}}{_colours(_DARK)}}}"
    )


@dataclass(frozen=True)
class Scale:
    """Values between ``low`` and ``high`` as places between ``start`` and ``end``, evenly or by their logarithms."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Where ``value`` is."""
        if self.is_log:
            part = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            part = (value - self.low) / (self.high - self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self, most: int = 9) -> list[float]:
        """Round values on it: 1, 2, 5 … or, where these would be too many, powers of ten."""
        if not self.is_log:
            step = _round_up((self.high - self.low) / most)
            first = math.ceil(self.low / step - 1e-9)
            return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        decades = range(math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1)
        for steps in (_ROUND, (1, 3), (1,)):
            found = [step * 10.0**decade for decade in decades for step in steps if self.low * 0.999 <= step * 10.0**decade <= self.high * 1.001]
            if len(found) <= most:
                break
        return found


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, … from ``value`` on."""
    decade = 10.0 ** math.floor(math.log10(value))
    return next(step * decade for step in (*_ROUND, 10) if step * decade >= value * 0.999)


def even_scale(values: Iterable[float], start: float, end: float) -> Scale:
    """From nought to a little more than the greatest of ``values``."""
    return Scale(0.0, max([*values, 0.0]) * 1.08 or 1.0, start, end)


def log_scale(values: Iterable[float], start: float, end: float) -> Scale:
    """Around all of ``values`` that are more than nought, from a round value to a round one."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive) / 1.15, max(positive) * 1.15
    first = max((step * 10.0 ** math.floor(math.log10(low)) for step in _ROUND if step * 10.0 ** math.floor(math.log10(low)) <= low), default=low)
    return Scale(first, max(_round_up(high), first * 2), start, end, is_log=True)


@dataclass
class Picture:
    """A card of so many pixels, on which things are put in the order of their drawing."""

    title: str
    width: int
    height: int
    _parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """``kind``: classes of the style; ``anchor``: which of its ends is at ``x``."""
        self._parts.append(f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "g") -> None:
        """A straight one; ``g`` is of the grid, ``a`` an axis."""
        self._parts.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"/>')

    def curve(self, places: Iterable[tuple[float, float]], colour: int) -> None:
        """Through all places."""
        self._parts.append(f'<polyline points="{" ".join(f"{x:g},{y:g}" for x, y in places)}" class="l{colour}"/>')

    def dot(self, x: float, y: float, colour: int, hint: str = "", radius: float = 5) -> None:
        """``hint`` is shown when a browser's pointer is over it."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="c{colour}"><title>{escape(hint)}</title></circle>')

    def bar(self, x1: float, x2: float, y: float, colour: int, height: float = 14) -> None:
        """A lying one, whose middle is at ``y``."""
        width = max(x2 - x1, 1)
        self._parts.append(f'<rect x="{x1:g}" y="{y - height / 2:g}" width="{width:g}" height="{height:g}" rx="2" class="c{colour}"/>')

    def key(self, x: float, y: float, colours: Mapping[str, int]) -> None:
        """Which colour is whose, in one line."""
        for name, colour in colours.items():
            self.dot(x + 5, y - 4, colour)
            self.text(x + 15, y, name)
            x += 32 + 6.6 * len(name)

    def axis_below(self, scale: Scale, top: float, bottom: float, text: Callable[[float], str]) -> None:
        """A grid of upright lines, with their values under it."""
        for tick in scale.ticks():
            self.line(scale(tick), top, scale(tick), bottom)
            self.text(scale(tick), bottom + 16, text(tick), "m", "middle")

    def axis_beside(self, scale: Scale, left: float, right: float, text: Callable[[float], str]) -> None:
        """A grid of lying lines, with their values at the left."""
        for tick in scale.ticks(7):
            self.line(left, scale(tick), right, scale(tick))
            self.text(left - 8, scale(tick) + 4, text(tick), "m", "end")

    def write(self, path: Path) -> None:
        """As a file."""
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
        card = f'<rect x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="6" class="card"/>'
        title = f"<title>{escape(self.title)}</title><style>{_style()}</style>"
        lines = [head, title, card, *self._parts, "</svg>"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", "utf-8")
