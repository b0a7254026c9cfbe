"""What `fit_many` shows while it runs."""

from __future__ import annotations

from typing import Any

from deltarule import progress

from ._results import FitResult, FitResults


def from_verbose(verbose: Any, operation: str) -> int:
    """What to show: 0 nothing, 1 a bar, 2 a line per network. Raises ImportError for a bar without tqdm."""
    shown = progress.from_verbose(verbose, operation)
    if not shown:
        return 0
    return 1 if isinstance(shown[0], progress.ProgressBar) else 2


class Progress:
    """A bar over the epochs of all networks, or a line per network."""

    def __init__(self, show: int, results: FitResults, epochs: list[int]) -> None:
        self._show, self._results, self._epochs = show, results, epochs
        self._ended = 0
        self._bar: Any = None
        if show == 1:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=sum(epochs), unit="epoch", dynamic_ncols=True)

    def update(self, epochs: int, ended: list[FitResult]) -> None:
        """So many epochs are done in all, and these networks have ended since the last call."""
        for result in ended:
            self._ended += 1
            if self._show == 2 and result.status != "interrupted":
                print(f"{self._ended}/{len(self._results)}  {result!r}", flush=True)
        if self._bar is None:
            return
        for result in ended:  # what early stopping has saved is not to do any more
            self._bar.total -= self._epochs[result.number] - len(result.history)
        self._bar.n = epochs
        self._bar.set_postfix_str(self._figures(), refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the bar standing as it is."""
        if self._bar is not None:
            self._bar.close()

    def _figures(self) -> str:
        text = f"{self._ended}/{len(self._results)} networks"
        if failed := len(self._results.failed):
            text += f", {failed} failed"
        if self._results.finished and (figures := self._results._figures()):
            name = figures[min(1, len(figures) - 1)]
            text += f", best {name} {self._results.best(name).figure(name):.4g}"
        return text
