"""The confusion matrix as inline SVG."""

from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from .axes import svg, text

_LONGEST = 20  # characters of a class's name that are shown


def matrix(counts: npt.NDArray[Any], classes: list[str]) -> str:
    """Draw the counts: rows are true classes, columns predicted ones; the shade is the share of the row."""
    n = len(classes)
    cell = max(14.0, min(52.0, 620 / n))
    shown = [name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…" for name in classes]
    longest = max(map(len, shown))
    slanted = longest > 3 and cell < 8 * longest
    left = 38 + 7.2 * longest
    top = 34 + (5.6 * longest if slanted else 16)
    width, height = left + n * cell + (60 if slanted else 12), top + n * cell + 10
    totals = np.maximum(counts.sum(axis=1), 1)
    body = [
        text("name", left, 14, "predicted class →", "start"),
        text("name", 14, top, "true class", "end", f' transform="rotate(-90 14 {top:.1f})"'),
    ]
    for row, name in enumerate(shown):
        x, y = left + row * cell, top + row * cell
        middle = x + cell / 2
        turn = f' transform="rotate(-40 {middle:.1f} {top - 8:.1f})"' if slanted else ""
        body += [
            text("tick", left - 7, y + cell / 2 + 4, name, "end"),
            text("tick", middle, top - 8, name, "start" if slanted else "middle", turn),
        ]
        for column in range(n):
            count = int(counts[row, column])
            share = count / int(totals[row])
            tip = f"{classes[row]} predicted as {classes[column]}: {count} ({share:.1%})"
            drawn = _cell(left + column * cell, y, cell, count, share, row == column)
            body.append(f"<g><title>{escape(tip)}</title>{drawn}</g>")
    whole = svg(round(width), round(height), "".join(body), "confusion matrix of the test rows")
    return whole.replace("<svg ", f'<svg style="max-width:{round(width)}px" ', 1)


def _cell(x: float, y: float, size: float, count: int, share: float, right: bool) -> str:
    side = size - 2
    place = f'x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}" rx="3"'
    out = f'<rect class="cell" {place}/>'
    if not count:
        return out
    shade = max(share, 0.12) if right else min(1.0, 0.25 + share**0.5)
    out += f'<rect class="{"right" if right else "wrong"}" {place} fill-opacity="{shade:.2f}"/>'
    if size < 20:
        return out
    letter = min(13.0, (size - 4) / (0.62 * len(str(count))))
    role = "count strong" if shade > 0.75 else "count"
    return out + text(
        role,
        x + side / 2,
        y + side / 2 + letter / 3,
        str(count),
        "middle",
        f' style="font-size:{letter:.1f}px"',
    )
