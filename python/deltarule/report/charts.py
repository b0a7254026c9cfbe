"""The report's charts as inline SVG: curves, a scatter plot and a histogram."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .axes import Axis, Frame, path, svg, text
from .figures import show

Floats = npt.NDArray[np.float64]
WIDTH, HEIGHT, TALL = 520, 300, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 96, 34, 48


@dataclass
class Curve:
    """A line of one value per epoch; ``role`` picks its colour."""

    name: str
    values: Floats
    role: str


def curves(title: str, lines: list[Curve], best_epoch: int | None = None, from_zero: bool = False) -> str:
    """Draw values over epochs; the end of each line carries its name, the best epoch a mark."""
    lines = [line for line in lines if np.isfinite(line.values).any()]
    if not lines:
        return ""
    finite = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    low, high = float(finite.min()), float(finite.max())
    logarithmic = low > 0 and high / low > 10 and not from_zero
    pad = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    low, high = (low / 1.15, high * 1.15) if logarithmic else (0 if from_zero else low - pad, high + pad)
    epochs = max(len(line.values) for line in lines)
    frame = Frame(
        Axis(1, max(epochs, 2), _LEFT, WIDTH - _RIGHT), Axis(low, high, HEIGHT - _BOTTOM, _TOP, logarithmic)
    )
    body = [frame.draw("epoch", title + (" (logarithmic)" if logarithmic else ""))]
    if best_epoch is not None:
        x = frame.x(best_epoch)
        anchor = "end" if best_epoch > epochs / 2 else "start"
        shift = -6 if anchor == "end" else 6
        heights = [frame.y(float(line.values[min(best_epoch, len(line.values)) - 1])) for line in lines]
        place = HEIGHT - _BOTTOM - 8 if min(heights) < (HEIGHT - _BOTTOM + _TOP) / 2 else _TOP + 8
        body.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - _BOTTOM}" y2="{_TOP}"/>')
        body.append(text("tick", x + shift, place, f"best: epoch {best_epoch}", anchor))
    ends = _spread([frame.y(float(line.values[np.isfinite(line.values)][-1])) for line in lines], 16)
    for line, end in zip(lines, ends, strict=True):
        shown = [(epoch, float(value)) for epoch, value in enumerate(line.values, 1) if np.isfinite(value)]
        xs, ys = [frame.x(epoch) for epoch, _ in shown], [frame.y(value) for _, value in shown]
        body.append(f'<path class="line {line.role}" d="{path(xs, ys)}"/>')
        if len(xs) == 1:
            body.append(f'<circle class="dot {line.role}" cx="{xs[0]:.1f}" cy="{ys[0]:.1f}" r="4"/>')
        body.append(text(f"end {line.role}", WIDTH - _RIGHT + 8, end + 4, line.name, "start"))
        for x, y, (epoch, value) in zip(xs, ys, shown, strict=True):
            tip = f"epoch {epoch}, {line.name}: {show(value)}"
            body.append(f'<circle class="hit" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{tip}</title></circle>')
    return svg(WIDTH, HEIGHT, "".join(body), f"{title} by epoch")


def _spread(places: list[float], gap: float) -> list[float]:
    """Push labels apart that would overlap."""
    order = np.argsort(places)
    moved = [places[index] for index in order]
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + gap)
    out = [0.0] * len(places)
    for index, value in zip(order, moved, strict=True):
        out[int(index)] = value
    return out


def scatter(truth: Floats, predicted: Floats, unit: str, most: int = 2000) -> str:
    """Draw predicted over true values with the line where they agree; a sample if there are many."""
    if len(truth) > most:
        chosen = np.random.default_rng(0).choice(len(truth), most, replace=False)
        truth, predicted = truth[chosen], predicted[chosen]
    both = np.concatenate([truth, predicted])
    low, high = float(np.percentile(both, 0.25)), float(np.percentile(both, 99.75))
    low, high = min(low, float(truth.min())), max(high, float(truth.max()))
    pad = 0.04 * (high - low)
    frame = Frame(
        Axis(low - pad, high + pad, 70, WIDTH - 30), Axis(low - pad, high + pad, TALL - _BOTTOM, _TOP)
    )
    body = [frame.draw(f"true {unit}", f"predicted {unit}", x_ticks=5, vertical=True)]
    a, b = frame.x(low - pad), frame.x(high + pad)
    c, d = frame.y(low - pad), frame.y(high + pad)
    body.append(f'<line class="mark" x1="{a:.1f}" y1="{c:.1f}" x2="{b:.1f}" y2="{d:.1f}"/>')
    for x, y in zip(truth, np.clip(predicted, low - pad, high + pad), strict=True):
        body.append(
            f'<circle class="point" cx="{frame.x(float(x)):.1f}" cy="{frame.y(float(y)):.1f}" r="2.6"/>'
        )
    return svg(WIDTH, TALL, "".join(body), f"predicted over true {unit}")


def histogram(values: Floats, name: str) -> str:
    """Draw how often errors of each size occur; the ends gather what lies beyond 99.5 %."""
    edge = float(np.percentile(np.abs(values), 99.5)) or 1.0
    counts, edges = np.histogram(np.clip(values, -edge, edge), bins=41, range=(-edge, edge))
    frame = Frame(Axis(-edge, edge, 70, WIDTH - 30), Axis(0, counts.max() * 1.05, TALL - _BOTTOM, _TOP))
    body = [frame.draw(name, "test rows", x_ticks=5)]
    for count, start, stop in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            x, y = frame.x(float(start)), frame.y(float(count))
            wide, tall = frame.x(float(stop)) - x - 1.5, TALL - _BOTTOM - y
            body.append(
                f'<rect class="bar" x="{x + 0.75:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}">'
                f"<title>{start:.4g} to {stop:.4g}: {count} rows</title></rect>"
            )
    zero = frame.x(0)
    body.append(f'<line class="mark" x1="{zero:.1f}" x2="{zero:.1f}" y1="{TALL - _BOTTOM}" y2="{_TOP}"/>')
    return svg(WIDTH, TALL, "".join(body), name)
