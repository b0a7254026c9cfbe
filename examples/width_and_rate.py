"""Width and learning rate of a network on digits, cross-validated: 175 networks at once, drawn as a map.

python examples/width_and_rate.py [figure.svg]
"""

import sys
import time

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import deltarule as dr

WIDTHS = [4, 8, 16, 32, 64]
RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
Map = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def build(width: int) -> dr.Sequential:
    return dr.Sequential([dr.Standardize(), dr.Dense(width, "relu"), dr.Dense(10)])


def search(widths: list[int], rates: list[float], folds: int, epochs: int) -> dr.FitResults:
    """Train a network for every width, rate and fold."""
    X, y = load_digits(return_X_y=True)
    return dr.fit_many(
        X,
        y,
        dr.grid(width=widths, learning_rate=rates, fold=dr.k_folds(y, folds, stratify=y)),
        build=build,
        optimizer="adam",
        loss="sparse_softmax_cross_entropy",
        metrics=["accuracy"],
        epochs=epochs,
        batch_size=64,
        callbacks=[dr.EarlyStopping(patience=5)],
    )


def accuracy_map(results: dr.FitResults, widths: list[int], rates: list[float]) -> Map:
    """Mean held-out accuracy, widths by rates."""
    groups = results.means("val_accuracy", by=["width", "learning_rate"])
    found = {(g.settings["width"], g.settings["learning_rate"]): g.mean for g in groups}
    return np.array([[found[w, r] for r in rates] for w in widths])


def draw(accuracy: Map, path: str) -> None:
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.add_subplot(title="digits: accuracy on held-out rows, mean of five folds")
    image = axes.imshow(accuracy, aspect="auto", origin="lower", cmap="viridis", vmin=0.8)
    for (row, column), value in np.ndenumerate(accuracy):
        dark = value < 0.92
        axes.text(column, row, f"{value:.3f}", ha="center", va="center", color="w" if dark else "k")
    axes.set_xticks(range(len(RATES)), [f"{rate:g}" for rate in RATES])
    axes.set_yticks(range(len(WIDTHS)), [str(width) for width in WIDTHS])
    axes.set(xlabel="learning rate of Adam", ylabel="hidden units")
    figure.colorbar(image, extend="min")
    with mpl.rc_context({"svg.hashsalt": "deltarule"}):  # the same run writes the same file
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    start = time.perf_counter()
    results = search(WIDTHS, RATES, folds=5, epochs=50)
    seconds = time.perf_counter() - start
    print(f"{len(results)} networks, {sum(len(r.history) for r in results)} epochs in {seconds:.1f} s")
    for group in results.means("val_accuracy")[:5]:
        print(group)
    if len(sys.argv) > 1:
        draw(accuracy_map(results, WIDTHS, RATES), sys.argv[1])


if __name__ == "__main__":
    main()
