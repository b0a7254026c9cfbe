"""What the lectures' examples share: digits, one look for all figures, a printed table."""

import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

Array = np.ndarray[Any, np.dtype[Any]]

COLOURS = ("#2a78d6", "#d9591f", "#2f9e6e", "#8a56c2", "#b8860b", "#555555", "#c2326b", "#1a9aa8")
LOOK: Any = {
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "font.size": 10,
    "grid.color": "#e3e2dd",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "savefig.facecolor": "white",
    "svg.hashsalt": "deltarule",  # the same run writes the same file
}


@cache
def digits() -> tuple[Array, Array, Array, Array]:
    """Scikit-learn's 8x8 digits, scaled to [-1, 1]: two thirds to train with, one for the test."""
    X, y = load_digits(return_X_y=True)
    X = (X / 8 - 1).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = np.split(order, [len(y) * 2 // 3])
    return X[train], y[train], X[test], y[test]


def panels(*titles: str) -> tuple[Figure, list[Axes]]:
    """Make a figure with one panel beside the other."""
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(8.6, 3.6), layout="constrained")
        axes = [figure.add_subplot(1, len(titles), i + 1, title=title) for i, title in enumerate(titles)]
    return figure, axes


def save(figure: Figure, default: str) -> None:
    """Write the figure to the path given on the command line, or to `default`."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    with mpl.rc_context(LOOK):
        for axes in figure.axes:
            if axes.get_legend_handles_labels()[0]:
                axes.legend()
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    print(f"figure: {path}")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table in Markdown."""

    def text(cell: object) -> str:
        return f"{cell:.4g}" if isinstance(cell, float) else str(cell)

    print("| " + " | ".join(head) + " |")
    print("|---" + "|--:" * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(text(cell) for cell in row) + " |")
