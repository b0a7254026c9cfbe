"""Axes for charts: round tick values, and the frame they are drawn in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round values inside a range, about ``count`` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def label(value: float, step: float) -> str:
    """Write a tick value with as many decimals as its step needs."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return f"{value:,.{decimals}f}" if decimals < 7 else f"{value:.1e}"


@dataclass
class Axis:
    """Maps a range of values onto pixels."""

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        if self.logarithmic:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / ((self.high - self.low) or 1)
        return self.start + share * (self.stop - self.start)

    def marks(self, count: int = 5) -> list[tuple[float, str]]:
        """Return tick values with their labels."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            factors = (1,) if last - first > 2 else (1, 2, 5)
            powers = [f * 10.0**power for power in range(first - 1, last + 1) for f in factors]
            return [(value, f"{value:g}") for value in powers if self.low <= value <= self.high]
        values = ticks(self.low, self.high, count)
        step = values[1] - values[0] if len(values) > 1 else abs(values[0])
        return [(value, label(value, step)) for value in values]


@dataclass
class Frame:
    """A chart's plot area with grid, tick labels and axis names."""

    x: Axis
    y: Axis

    def draw(self, x_name: str, y_name: str, *, x_ticks: int = 6, vertical: bool = False) -> str:
        """Return the SVG of grid and labels; ``vertical`` adds grid lines for x."""
        left, right = self.x.start, self.x.stop
        bottom, top = self.y.start, self.y.stop
        parts = []
        for value, mark in self.y.marks():
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(text("tick", left - 8, y + 4, mark, "end"))
        for value, mark in self.x.marks(x_ticks):
            x = self.x(value)
            if vertical:
                parts.append(
                    f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{top:.1f}"/>'
                )
            parts.append(text("tick", x, bottom + 18, mark, "middle"))
        parts.append(
            f'<line class="axis" x1="{left:.1f}" x2="{right:.1f}" y1="{bottom:.1f}" y2="{bottom:.1f}"/>'
        )
        parts.append(text("name", (left + right) / 2, bottom + 38, x_name, "middle"))
        parts.append(text("name", left, top - 12, y_name, "start"))
        return "".join(parts)


def text(role: str, x: float, y: float, content: str, anchor: str, more: str = "") -> str:
    """Return a text element; ``role`` is its class, ``more`` further attributes."""
    return (
        f'<text class="{role}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(content)}</text>'
    )


def svg(width: int, height: int, body: str, title: str) -> str:
    """Wrap drawing commands into an SVG element that scales with the page."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def path(xs: Sequence[float], ys: Sequence[float]) -> str:
    """Return the ``d`` of a line through points."""
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
