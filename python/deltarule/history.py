"""What `Sequential.fit` measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_ROWS_SHOWN = 12


class History:
    """Figures of every epoch.

    Attributes
    ----------
    history : dict of list of float
        ``loss``, every metric, the same with ``val_`` before them where there is validation data,
        ``learning_rate`` (of the epoch's last step) and ``time`` (seconds, with validation); one number per
        epoch.
    epoch : list of int
        Number of each epoch, counted from 0 over the whole life of the network.
    stop_reason : str
        Why the update rule ended training before the last epoch, as `LBFGS` does where it has converged;
        empty where it did not.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.stop_reason = ""

    def append(self, epoch: int, logs: dict[str, float]) -> None:
        """Add the figures of one epoch."""
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)

    def __len__(self) -> int:
        return len(self.epoch)

    def __iter__(self) -> Iterator[str]:
        return iter(self.history)

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.history:
            raise KeyError(
                f"History: {name!r} was not measured; there are {', '.join(self.history) or 'no epochs'}"
            )
        return self.history[name]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return self.epoch == other.epoch and self.history == other.history

    __hash__ = None  # type: ignore[assignment]

    def to_csv(self, path: str | Path) -> None:
        """Write one line per epoch, with a header, to a CSV file."""
        from pathlib import Path

        lines = [",".join(["epoch", *self.history])]
        columns = self.history.values()
        lines += [",".join([str(e), *(repr(c[i]) for c in columns)]) for i, e in enumerate(self.epoch)]
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def plot(self, names: list[str] | None = None, ax: Any = None) -> Any:
        """Draw the curves with matplotlib.

        Parameters
        ----------
        names : list of str, optional
            Figures to draw, each with its validation curve; by default the loss and all metrics.
        ax : matplotlib Axes or array of Axes, optional
            Where to draw, one for each name; by default a new figure.

        Returns
        -------
        ndarray of matplotlib Axes, one per name

        Raises
        ------
        ImportError
            matplotlib is not installed (``pip install "deltarule[plot]"``).
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            raise ImportError('History.plot needs matplotlib: pip install "deltarule[plot]"') from None
        import numpy as np

        skip = ("learning_rate", "time")
        names = names or [n for n in self.history if n not in skip and not n.startswith("val_")]
        if not names:
            raise ValueError("History.plot: there are no epochs to draw")
        if ax is None:
            _, ax = plt.subplots(
                1, len(names), figsize=(5 * len(names), 3.5), squeeze=False, layout="constrained"
            )
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != len(names):
            raise ValueError(f"History.plot: {len(axes)} axes for {len(names)} curves: {', '.join(names)}")
        for axis, name in zip(axes, names, strict=True):
            epochs = [e + 1 for e in self.epoch]
            axis.plot(epochs, self[name], label="training")
            if "val_" + name in self.history:
                axis.plot(epochs, self["val_" + name], label="validation")
                axis.legend()
            axis.set(xlabel="epoch", ylabel=name)
            axis.xaxis.get_major_locator().set_params(integer=True)
        return axes

    def __repr__(self) -> str:
        if not self.epoch:
            return "History(no epochs)"
        last = ", ".join(f"{name} {column[-1]:.4g}" for name, column in self.history.items())
        reason = f"; {self.stop_reason}" * bool(self.stop_reason)
        return f"History({len(self)} epoch{'s' * (len(self) > 1)}; last: {last}{reason})"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("epoch", *self.history))
        skipped = max(0, len(self) - _ROWS_SHOWN)
        body = []
        for i, epoch in enumerate(self.epoch):
            if skipped and i == _ROWS_SHOWN // 2:
                body.append(f"<tr><td colspan='{len(self.history) + 1}'>… {skipped} more …</td></tr>")
            if _ROWS_SHOWN // 2 <= i < _ROWS_SHOWN // 2 + skipped:
                continue
            cells = "".join(f"<td>{column[i]:.5g}</td>" for column in self.history.values())
            body.append(f"<tr><td>{epoch + 1}</td>{cells}</tr>")
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
