"""The report of a training run: one HTML file that needs nothing else."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from html import escape

import numpy as np

from .charts import Curve, curves, histogram, scatter
from .figures import confusion, show
from .matrix import matrix
from .story import Story
from .style import CSS

MOST_CLASSES_DRAWN = 60
_LAYER_HEAD = ("layer", "settings", "output", "parameters")


def page(story: Story) -> str:
    """Return the report as HTML."""
    title = f"{story.source}: {story.target}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="sub">{_subtitle(story)}</p>',
        _tiles(story),
        _section("Results", _results(story) + f'<p class="note">{escape(story.baseline)}</p>'),
        '<div class="pair">' + "".join(_section("", chart) for chart in _curves(story) if chart) + "</div>",
        *_test(story),
        *([_section("Remarks on the data", _list(story.notices))] if story.notices else []),
        '<div class="pair"><div class="stack">',
        _section("Data", _pairs(story.data)),
        _section("Network", _table(_LAYER_HEAD, story.layers, numeric={2, 3})),
        _section("Time and versions", _pairs({**story.times, **story.versions})),
        '</div><div class="stack">',
        _section("Training", _pairs(story.settings) + _rate(story)),
        "</div></div>",
        _section("Columns", _columns(story)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - deltarule</title><style>{CSS}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _subtitle(story: Story) -> str:
    what = f"{len(story.classes)} classes" if story.task == "classification" else "regression"
    return f"Trained with deltarule, {what}, {datetime.now():%d %B %Y, %H:%M}"


def _tiles(story: Story) -> str:
    test = story.figures["test"]
    first = "Accuracy" if story.task == "classification" else "R²"
    chief = next(name for name in test if name != "rows")
    value = f"{100 * test[chief]:.2f} %" if story.task == "classification" else show(test[chief])
    second = "log loss" if story.task == "classification" else "mean absolute error"
    tiles = {
        f"{first} on {int(test['rows'])} test rows": value,
        f"{second[0].upper()}{second[1:]}, test": show(test[second]),
        f"Epochs, the best was {story.best_epoch}": str(story.epochs),
        **{name: text for name, text in story.times.items() if name == "Training"},
    }
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><b>{escape(text)}</b><span>{escape(name)}</span></div>'
            for name, text in tiles.items()
        )
        + "</div>"
    )


def _results(story: Story) -> str:
    names = [name for name in story.figures["test"] if name != "rows"]
    rows = [
        (part, f"{int(values['rows']):,}", *(show(values.get(name, float("nan"))) for name in names))
        for part, values in story.figures.items()
    ]
    return _table(("", "rows", *names), rows, numeric=set(range(1, len(names) + 2)), chief="test")


def _curves(story: Story) -> list[str]:
    charts = []
    for name in [name for name in story.history if f"val_{name}" in story.history]:
        lines = [
            Curve("training", story.curve(name), "training"),
            Curve("validation", story.curve(f"val_{name}"), "validation"),
        ]
        charts.append(curves(name.replace("_", " "), lines, story.best_epoch))
    return charts


def _rate(story: Story) -> str:
    if len(set(story.history.get("learning_rate", []))) < 2:
        return ""
    return curves("learning rate", [Curve("rate", story.curve("learning_rate"), "training")], from_zero=True)


def _test(story: Story) -> list[str]:
    if story.task == "regression":
        return [
            '<div class="pair">',
            _section("Predicted and true, test rows", scatter(story.truth, story.predicted, story.target)),
            _section("Errors, test rows", histogram(story.predicted - story.truth, "predicted minus true")),
            "</div>",
        ]
    counts = confusion(story.truth, story.predicted, len(story.classes))
    sections = [_section("Classes, test rows", _classes(story, counts))]
    if len(story.classes) <= MOST_CLASSES_DRAWN:
        sections.insert(0, _section("Confusion matrix, test rows", matrix(counts, story.classes)))
    return ['<div class="pair">', *sections, "</div>"] if len(story.classes) <= 12 else sections


def _classes(story: Story, counts: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> str:
    rows = []
    for index, name in enumerate(story.classes):
        right, true, predicted = counts[index, index], counts[index].sum(), counts[:, index].sum()
        recall = right / true if true else float("nan")
        precision = right / predicted if predicted else float("nan")
        f1 = 2 * right / (true + predicted) if true + predicted else float("nan")
        rows.append((name, f"{true:,}", f"{predicted:,}", show(precision), show(recall), show(f1)))
    head = ("class", "rows", "predicted", "precision", "recall", "F1")
    return _folded(_table(head, rows, numeric={1, 2, 3, 4, 5}), len(rows), "classes")


def _columns(story: Story) -> str:
    return _folded(
        _table(("column", "used as", "what was learnt"), story.columns), len(story.columns), "columns", 40
    )


def _folded(table: str, rows: int, what: str, most: int = 30) -> str:
    return table if rows <= most else f"<details><summary>{rows} {what}</summary>{table}</details>"


def _section(title: str, content: str) -> str:
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    return f"<section>{heading}{content}</section>"


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _pairs(items: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><td class="key">{escape(key)}</td><td>{escape(text)}</td></tr>' for key, text in items.items()
    )
    return f"<table>{rows}</table>"


def _table(
    head: Iterable[str],
    rows: Iterable[Iterable[str]],
    numeric: AbstractSet[int] = frozenset(),
    chief: str | None = None,
) -> str:
    def row(cells: Iterable[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if index in numeric else ''}>{escape(cell)}</{tag}>"
            for index, cell in enumerate(cells)
        )

    lines = [f"<tr>{row(head, 'th')}</tr>"]
    lines += [
        f"<tr{' class=chief' if cells[0] == chief else ''}>{row(cells, 'td')}</tr>"
        for cells in map(tuple, rows)
    ]
    return f"<table>{''.join(lines)}</table>"
