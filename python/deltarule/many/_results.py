"""What `fit_many` gives back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from deltarule.callbacks import Callback, larger_is_better

from . import _table

if TYPE_CHECKING:
    from pathlib import Path

    from deltarule.history import History
    from deltarule.sequential import Sequential

_FACTS = ("number", "epochs", "seconds", "status")
_REPLICATES = ("fold", "seed", "rows", "validation_rows")


class FitResult:
    """One configuration of `fit_many`, trained.

    Attributes
    ----------
    number : int
        Place of the configuration in the list, from 0.
    configuration : dict
        The configuration as it was given, without what all have in common.
    model : Sequential
        The network, to predict with, to save or to train on.
    callbacks : list of Callback
        This network's own copies of the callbacks.
    score : dict of float
        ``val_loss`` and ``val_`` metrics of the held-out rows, measured at the end with the weights that
        stay; empty without held-out rows.
    seconds : float
        Time from the first step to the last figure.
    status : str
        "finished", "failed", "interrupted" or "not begun".
    error : Exception or None
        Why it failed. The model has the weights of the last step before that, the history all whole epochs.
    """

    def __init__(
        self, number: int, configuration: dict[str, Any], model: Sequential, callbacks: list[Callback]
    ) -> None:
        self.number = number
        self.configuration = configuration
        self.model = model
        self.callbacks = callbacks
        self.score: dict[str, float] = {}
        self.seconds = 0.0
        self.status = "not begun"
        self.error: Exception | None = None

    @property
    def history(self) -> History:
        """Figures of every epoch."""
        from deltarule.history import History

        return History() if self.model.history is None or self.status == "not begun" else self.model.history

    def figure(self, name: str) -> float:
        """A figure at the end: ``val_...`` from `score`, others from the last epoch; ``seconds``, ``epochs``.

        NaN where it was not measured because training failed or did not come to it.
        """
        if name == "seconds":
            return self.seconds
        if name == "epochs":
            return float(len(self.history))
        if name in self.score:
            return self.score[name]
        column = self.history.history.get(name)
        return column[-1] if column and not name.startswith("val_") else float("nan")

    @property
    def settings(self) -> dict[str, str]:
        """The configuration as short texts."""
        return {name: _table.short(value) for name, value in self.configuration.items()}

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={text}" for name, text in self.settings.items())
        figures = self.score or {
            k: self.figure(k) for k in self.history if k not in ("learning_rate", "time")
        }
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        state = f"{self.status}: {self.error}" if self.error is not None else self.status
        return f"FitResult({self.number}: {settings or 'no settings'}; {shown or state})"


class Group(NamedTuple):
    """Results that differ in fold and seed only."""

    settings: dict[str, Any]
    figure: str
    mean: float
    deviation: float
    """Standard deviation between the results (n - 1); NaN for a single one."""
    results: tuple[FitResult, ...]

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={_table.short(value)}" for name, value in self.settings.items())
        spread = f" ± {self.deviation:.2g}" if len(self.results) > 1 else ""
        return f"Group({settings}: {self.figure} {self.mean:.4g}{spread} of {len(self.results)})"


class FitResults(Sequence[FitResult]):
    """Results of `fit_many` in the order of the configurations; shown as a table."""

    def __init__(self, results: Iterable[FitResult]) -> None:
        self._results = list(results)

    @overload
    def __getitem__(self, which: int) -> FitResult: ...
    @overload
    def __getitem__(self, which: slice) -> FitResults: ...
    def __getitem__(self, which: int | slice) -> FitResult | FitResults:
        chosen = self._results[which]
        return FitResults(chosen) if isinstance(chosen, list) else chosen

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[FitResult]:
        return iter(self._results)

    @property
    def finished(self) -> FitResults:
        """Those that came to their end."""
        return FitResults(r for r in self if r.status == "finished")

    @property
    def failed(self) -> FitResults:
        """Those that ended with an `error`."""
        return FitResults(r for r in self if r.status == "failed")

    def best(self, figure: str | None = None) -> FitResult:
        """The finished result with the best figure.

        Parameters
        ----------
        figure : str, optional
            Such as "val_accuracy" or "loss". By default the first metric, else the loss, of the held-out
            rows where there are any. Known metrics tell whether larger is better; otherwise smaller is.

        Raises
        ------
        ValueError
            No result is finished, or the figure was not measured.
        """
        return self.sorted(figure)[0]

    def sorted(self, figure: str | None = None) -> FitResults:
        """The finished results, the best first; see `best`."""
        name = self._figure(figure)
        by_figure = _ascending(name)
        return FitResults(sorted(self.finished, key=lambda r: by_figure(r.figure(name))))

    def means(self, figure: str | None = None, by: Iterable[str] | None = None) -> list[Group]:
        """Mean figures of the finished results that have the same settings, the best group first.

        Parameters
        ----------
        figure : str, optional
            As for `best`.
        by : list of str, optional
            The settings that tell groups apart; by default all but ``fold`` and ``seed``.
        """
        name = self._figure(figure)
        if isinstance(by, str):
            by = [by]
        names = [n for n in self.names() if n not in _REPLICATES] if by is None else list(by)
        for n in names:
            if n not in self.names():
                raise ValueError(
                    f"FitResults.means: by has {n!r}, which no configuration sets; "
                    f"set are {', '.join(self.names())}"
                )
        groups: dict[tuple[Any, ...], list[FitResult]] = {}
        for result in self.finished:
            key = tuple(_table.key(result.configuration.get(n)) for n in names)
            groups.setdefault(key, []).append(result)
        found = []
        for results in groups.values():
            figures = np.array([r.figure(name) for r in results])
            deviation = float(figures.std(ddof=1)) if len(figures) > 1 else float("nan")
            settings = {n: results[0].configuration.get(n) for n in names}
            found.append(Group(settings, name, float(figures.mean()), deviation, tuple(results)))
        by_figure = _ascending(name)
        return sorted(found, key=lambda group: by_figure(group.mean))

    def names(self) -> list[str]:
        """Settings that the configurations name, in order of appearance."""
        return list(dict.fromkeys(name for result in self for name in result.configuration))

    def records(self) -> list[dict[str, Any]]:
        """One flat dict per result: settings, figures, epochs, seconds, status; as pandas.DataFrame takes.

        What was measured stands under ``result_...`` where a setting has its name: ``result_epochs`` beside
        the setting ``epochs``.
        """
        names, figures = self.names(), self._figures()
        columns = self._columns(*_FACTS, *figures)
        return [
            {
                columns["number"]: r.number,
                **{name: _table.plain(r.configuration.get(name)) for name in names},
                **{columns[name]: r.figure(name) for name in figures},
                columns["epochs"]: len(r.history),
                columns["seconds"]: r.seconds,
                columns["status"]: r.status,
            }
            for r in self
        ]

    def to_csv(self, path: str | Path) -> None:
        """Write `records` to a CSV file with a header."""
        import csv
        from pathlib import Path

        records = self.records()
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, records[0] if records else ["number"])
            writer.writeheader()
            writer.writerows(records)

    def _columns(self, *figures: str) -> dict[str, str]:
        """What the figures' columns are called: settings keep their names."""
        names = self.names()

        def free(name: str) -> str:
            return free("result_" + name) if name in names else name

        return {figure: free(figure) for figure in figures}

    def _figures(self) -> list[str]:
        """Figures worth a column: those of held-out rows, or else of training."""
        scores = dict.fromkeys(name for r in self for name in r.score)
        if scores:
            return list(scores)
        names = dict.fromkeys(name for r in self for name in r.history)
        return [n for n in names if n not in ("learning_rate", "time") and not n.startswith("val_")]

    def _figure(self, given: str | None) -> str:
        finished = self.finished
        if not finished:
            raise ValueError(f"FitResults: none of the {len(self)} results is finished; see `failed`")
        if given is None:
            names = finished._figures()
            if not names:
                raise ValueError("FitResults: no figure was measured; allowed: epochs >= 1")
            return names[min(1, len(names) - 1)]
        if all(np.isnan(r.figure(given)) for r in finished):
            known = dict.fromkeys([*finished._figures(), *(n for r in finished for n in r.history)])
            raise ValueError(
                f"FitResults: {given!r} was not measured at the end of training; "
                f"measured: {', '.join([*known, 'epochs', 'seconds'])}"
            )
        return given

    def __repr__(self) -> str:
        return _table.text(*self._shown())

    def _repr_html_(self) -> str:
        return _table.html(*self._shown())

    def _shown(self) -> tuple[list[str], list[list[str]], int]:
        figures = self._figures()
        varying = [n for n in self.names() if len({_table.key(r.configuration.get(n)) for r in self}) > 1]
        troubled = any(r.status != "finished" for r in self)
        measured = [*figures, "epochs", "seconds", *(["status"] if troubled else [])]
        head = ["", *varying, *self._columns(*measured).values()]
        rows, hidden = _table.ends(self._results)
        lines = [
            [
                str(r.number),
                *(_table.short(r.configuration.get(n)) for n in varying),
                *(f"{r.figure(n):.5g}" for n in figures),
                str(len(r.history)),
                f"{r.seconds:.3g}",
                *([r.status] if troubled else []),
            ]
            for r in rows
        ]
        return head, lines, hidden


def _ascending(figure: str) -> Any:
    """Key of a figure's value: the best sorts first, NaN last."""
    sign = -1.0 if larger_is_better(figure) else 1.0
    return lambda value: (bool(np.isnan(value)), sign * value)
