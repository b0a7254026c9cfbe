"""Writes the reference pages from the catalogue: ``python docs/generate.py``.

``--check`` writes nothing and fails when a page is out of date. The curves need matplotlib.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import deltarule as dr
from deltarule._from_catalog import CATALOG, class_name

FOLDER = Path(__file__).parent / "reference"
IMAGES = FOLDER / "images"

TITLES = {
    "activation": ("activations", "Activations"),
    "row_op": ("row_operations", "Row operations"),
    "loss": ("losses", "Losses"),
    "optimizer": ("optimizers", "Optimizers"),
    "schedule": ("schedules", "Learning-rate schedules"),
    "initializer": ("initializers", "Initializers"),
    "layer": ("layers", "Layers"),
    "metric": ("metrics", "Metrics"),
}
TEXTS = {
    "activation": "Functions of one number, applied to every element: `dr.Dense(64, activation=NAME)`, "
    "`dr.Activation(NAME)`, `dr.kernels.NAME(x)` and `dr.kernels.NAME_backward`.",
    "row_op": "Functions of a whole row, used like activations.",
    "loss": "`compile(loss=NAME)` or the class; `dr.kernels.NAME(prediction, target)` gives the value and "
    "its gradient. The formula is that of one row; a batch is averaged.",
    "optimizer": "`compile(optimizer=NAME)` or the class. $g$ is the gradient, $\\theta$ a parameter, "
    "$\\eta$ the learning rate.",
    "schedule": "`compile(schedule=...)`. $\\tau$ counts the steps from 0, $\\eta_0$ is the "
    "optimizer's own rate.",
    "initializer": "`dr.Dense(64, initializer=NAME)`. $M$ inputs and $K$ units. The same "
    "numbers on every platform.",
    "layer": "What `dr.Sequential` is made of.",
    "metric": "`compile(metrics=[NAME])`. They are measured and not trained on.",
}


def math(text: str) -> str:
    """A formula on lines of its own."""
    return f"$$\n{text}\n$$\n"


def cell(text: str) -> str:
    """Text that may stand in a table."""
    return text.replace("|", "\\|")


def default_of(parameter: dict[str, Any]) -> str:
    """The default as Python writes it."""
    return f"`{parameter['default']!r}`"


def section(family: str, entry: dict[str, Any]) -> str:
    """One thing of the catalogue in Markdown."""
    name = entry["name"]
    names = [f"`{name}`"] + [f"`{a}`" for a in entry["aliases"]]
    module = TITLES[family][0] if family != "row_op" else "activations"
    lines = [
        f"## {name}",
        "",
        entry["summary"],
        "",
        f"`dr.{module}.{class_name(entry)}`; name: {', '.join(names)}.",
        "",
    ]
    if entry["formula"]:
        lines.append(math(entry["formula"]))
    if entry["derivative"]:
        lines.append(math(entry["derivative"]))
    inner = entry["inner"]
    if entry["parameters"] or entry["parts"] or inner["name"]:
        lines += ["| parameter | default | allowed | meaning |", "|---|---|---|---|"]
        if inner["name"]:
            allowed = {"layer": "a layer", "layers": "layers", "branches": "lists of layers"}[inner["kind"]]
            lines.append(f"| `{inner['name']}` | | {allowed} | {cell(inner['meaning'])} |")
        for p in entry["parameters"]:
            lines.append(f"| `{p['name']}` | {default_of(p)} | {cell(p['range'])} | {cell(p['meaning'])} |")
        for p in entry["parts"]:
            lines.append(
                f"| `{p['name']}` | `{p['default'] or None!r}` | {p['family']} | {cell(p['meaning'])} |"
            )
        lines.append("")
    if entry["states"]:
        lines += [f"Kept beside every parameter: {', '.join(entry['states'])}.", ""]
    if curve_of(family, entry) is not None:
        lines += [f"![{name}](images/{family}_{name}.svg)", ""]
    if entry["source"]:
        lines += [f"Source: {entry['source']}.", ""]
    return "\n".join(lines)


def page(family: str) -> str:
    """The page of a family."""
    title, text = TITLES[family][1], TEXTS[family]
    contents = ", ".join(f"[{e['name']}](#{e['name']})" for e in CATALOG[family])
    note = "<!-- Made by docs/generate.py from the declarations in cpp/include/deltarule. -->"
    sections = "\n".join(section(family, e) for e in CATALOG[family])
    return (
        re.sub(r"\n{3,}", "\n\n", f"{note}\n\n# {title}\n\n{text}\n\n{contents}\n\n{sections}").rstrip()
        + "\n"
    )


def index() -> str:
    """The page that leads to the others."""
    rows = [
        f"- [{TITLES[f][1]}]({TITLES[f][0]}.md): {', '.join(e['name'] for e in CATALOG[f])}"
        for f in CATALOG
        if f in TITLES
    ]
    note = "<!-- Made by docs/generate.py. -->"
    return f"{note}\n\n# Reference\n\nEverything in the catalogue, by family.\n\n" + "\n".join(rows) + "\n"


def pages() -> dict[Path, str]:
    """Every page with its text."""
    missing = set(CATALOG) - set(TITLES)
    if missing:
        raise SystemExit(f"docs/generate.py: no title for {', '.join(sorted(missing))}")
    found = {FOLDER / f"{TITLES[f][0]}.md": page(f) for f in CATALOG}
    return {**found, FOLDER / "README.md": index()}


Curve = tuple[str, np.ndarray, dict[str, np.ndarray]]


def curve_of(family: str, entry: dict[str, Any]) -> Callable[[], Curve] | None:
    """What to draw: the label of x, x, and named curves; None for what has no picture."""
    kernel = getattr(dr.kernels, entry["name"], None)
    if family == "activation":
        return lambda: activation_curve(entry)
    if family == "schedule":
        return lambda: schedule_curve(entry)
    if family == "loss" and kernel is not None and (curves := loss_curves(entry)) is not None:
        return lambda: curves
    return None


def activation_curve(entry: dict[str, Any]) -> Curve:
    """Function and derivative."""
    x = np.linspace(-5, 5, 1001)
    name = entry["name"]
    y = getattr(dr.kernels, name)(x)
    slope = getattr(dr.kernels, f"{name}_backward")(x, y, np.ones_like(x))
    return "x", x, {"f(x)": y, "f'(x)": slope}


def schedule_curve(entry: dict[str, Any]) -> Curve:
    """The rate over the steps, with default parameters."""
    steps = np.arange(3001)
    return "step", steps, {"learning rate": np.asarray(getattr(dr.schedules, class_name(entry))()(steps))}


def loss_curves(entry: dict[str, Any]) -> Curve | None:
    """A loss of one output, or of two classes with logits (z, 0), against its argument."""
    kernel = getattr(dr.kernels, entry["name"])
    low, high = entry["target_low"], entry["target_high"]
    target = 1.0 if (low, high) in ((0.0, 1.0), (-1.0, 1.0)) else 0.0
    probability = entry["target"] != "values" or (low, high) == (0.0, 1.0)
    z = np.linspace(-5, 5, 401)
    if probability and not entry["from_logits"]:
        z = np.linspace(0.01, 0.99, 393)
    try:
        if entry["target"] == "values":
            loss, gradient = kernel(z[:, None], np.full((z.size, 1), target), reduction="none")
            label = "prediction" if not entry["from_logits"] else "logit"
            what = f"loss, target {target:g}"
        else:
            other = np.zeros_like(z) if entry["from_logits"] else 1 - z
            labels = np.zeros(z.size, dtype=np.int64)
            given = labels if entry["target"] == "label" else np.eye(2)[labels]
            loss, gradient = kernel(np.stack([z, other], axis=1), given, reduction="none")
            label = (
                "logit of the right class, the other one is 0"
                if entry["from_logits"]
                else "probability of the class"
            )
            what = "loss"
    except ValueError:
        return None
    return label, z, {what: loss, "derivative": gradient[:, 0]}


def draw(folder: Path) -> None:
    """One small picture for each curve."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("svg")

    plt.rcParams.update({"svg.hashsalt": "deltarule", "svg.fonttype": "none", "font.size": 9})
    folder.mkdir(parents=True, exist_ok=True)
    wanted = set()
    for family, entries in CATALOG.items():
        for entry in entries:
            curve = curve_of(family, entry)
            if curve is None:
                continue
            label, x, lines = curve()
            figure, axes = plt.subplots(figsize=(4.2, 2.4), layout="constrained")
            for (name, y), style in zip(lines.items(), ("-", "--"), strict=False):
                axes.plot(x, y, style, label=name, linewidth=1.5)
            axes.set_xlabel(label)
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, fontsize=8)
            path = folder / f"{family}_{entry['name']}.svg"
            figure.savefig(path, metadata={"Date": None, "Creator": None})
            plt.close(figure)
            wanted.add(path.name)
    for path in folder.glob("*.svg"):
        if path.name not in wanted:
            path.unlink()


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which pages are out of date")
    parser.add_argument("--text", action="store_true", help="pages only, no curves")
    options = parser.parse_args()
    stale = [p for p, text in pages().items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    if options.check:
        for path in stale:
            print(f"out of date: {path}")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(pages()[path], encoding="utf-8")
        print(f"written: {path}")
    if not options.text:
        draw(IMAGES)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
