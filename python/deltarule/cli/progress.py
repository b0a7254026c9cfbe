"""A progress bar over the epochs, drawn by rich."""

from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deltarule.callbacks import Callback

from .console import console


class EpochBar(Callback):
    """Shows the epoch with its validation loss and metric; nothing where output is a pipe."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: Any = None

    def on_train_begin(self, logs: dict[str, float]) -> None:
        """Open the bar."""
        shown = console()
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", style="dim"),
            TimeRemainingColumn(),
            console=shown,
            transient=True,
            disable=not shown.is_terminal,
        )
        self._task = self._progress.add_task("", total=int(logs["last_epoch"]), figures="")
        self._progress.start()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Move the bar on."""
        if self._progress is not None:
            figures = "  ".join(f"{name} {logs[name]:.4f}" for name in logs if name.startswith("val_"))
            self._progress.update(self._task, completed=epoch + 1, figures=figures)

    def close(self) -> None:
        """Take the bar away, however training ended."""
        if self._progress is not None:
            self._progress.stop()
