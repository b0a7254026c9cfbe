"""What `Sequential.fit` shows while it runs."""

import os
import sys
from typing import Any

from . import _check
from .callbacks import Callback, Logs

__all__ = ["EpochPrinter", "ProgressBar"]


class ProgressBar(Callback):
    """A bar over the epochs, with the latest figures (``pip install "deltarule[progress]"``)."""

    def __init__(self) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            raise ImportError('ProgressBar needs tqdm: pip install "deltarule[progress]"') from None
        self._make, self._bar = tqdm, None  # type: Any, Any

    def on_train_begin(self, logs: Logs) -> None:
        """Open the bar."""
        first, last = int(logs["first_epoch"]), int(logs["last_epoch"])
        self._bar = self._make(total=last, initial=first, unit="epoch", dynamic_ncols=True)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:  # noqa: ARG002
        """Move the bar on."""
        self._bar.set_postfix_str(_figures(logs, 4), refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Leave the finished bar standing."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class EpochPrinter(Callback):
    """One printed line per epoch."""

    def on_train_begin(self, logs: Logs) -> None:
        """Note how many epochs there will be."""
        self._last = int(logs["last_epoch"])

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Print the epoch's figures."""
        print(f"epoch {epoch + 1}/{self._last}  {_figures(logs, 5)}  {logs['time']:.3g} s", flush=True)


def from_verbose(verbose: Any, operation: str) -> list[Callback]:
    """Callbacks that `verbose` stands for.

    0 shows nothing, 1 a bar, 2 a line per epoch; "auto" is 1 on a terminal or in a notebook
    (2 where tqdm is missing) and 0 elsewhere.
    """
    if isinstance(verbose, bool):
        verbose = int(verbose)
    if verbose == "auto":
        return _bar_if_possible() if _somebody_watches() else []
    if verbose not in (0, 1, 2):
        raise _check.not_allowed(operation, "verbose", verbose, '"auto", 0, 1 or 2')
    return [] if verbose == 0 else [ProgressBar()] if verbose == 1 else [EpochPrinter()]


def _bar_if_possible() -> list[Callback]:
    try:
        return [ProgressBar()]
    except ImportError:
        return [EpochPrinter()]


def _somebody_watches() -> bool:
    in_notebook = "ipykernel" in sys.modules and "JPY_PARENT_PID" in os.environ
    return in_notebook or (sys.stderr is not None and sys.stderr.isatty())


def _figures(logs: Logs, digits: int) -> str:
    return "  ".join(f"{k} {v:.{digits}g}" for k, v in logs.items() if k not in ("time", "learning_rate"))
