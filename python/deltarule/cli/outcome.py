"""What came out of a training run: for the terminal, for the report and for the model file."""

import platform
import re
from dataclasses import asdict
from typing import Any

import numpy as np

import deltarule as dr
from deltarule import _summary
from deltarule.data import FeatureOptions, Prepared
from deltarule.data.target import ClassTarget, NumberTarget
from deltarule.report import Story, show
from deltarule.report.figures import Figures, json_values

from .console import duration, rate, say, table
from .training import Trained, baseline

_NAME = re.compile(r"(, )?name='[^']*'")  # which has its own column


def show_network(trained: Trained, inputs: int, outputs: int) -> None:
    """Print the network and its recipe in two lines."""
    recipe = trained.recipe
    widths = [inputs, *recipe.hidden, outputs]
    extras = [recipe.activation] if recipe.hidden else []
    extras += ["batch norm"] * recipe.batch_norm + [f"dropout {recipe.dropout:g}"] * bool(recipe.dropout)
    extras += [f"{recipe.input_dropout:g} on the input"] * bool(recipe.input_dropout)
    say()
    say(
        ("network ", "dim"), " → ".join(map(str, widths)), *(f", {extra}" for extra in extras),
        f", {parameter_count(trained.network):,} parameters",
    )  # fmt: skip
    say(
        ("trained ", "dim"),
        f"{trained.epochs} of at most {recipe.epochs} epochs, best {trained.best_epoch}; ",
        f"{recipe.optimizer} at {recipe.learning_rate:g} ({recipe.schedule}), batches of {recipe.batch_size}",
    )  # fmt: skip


def show_figures(figures: dict[str, Figures]) -> None:
    """Print the figures of all parts."""
    names = [name for name in next(iter(figures.values())) if name != "rows"]
    rows = [
        [part, f"{int(values['rows']):,}", *(show(values.get(name, float("nan"))) for name in names)]
        for part, values in figures.items()
    ]
    table(["", "rows", *names], rows, chief="test")


def times(prepared: Prepared, trained: Trained, preparing: float) -> dict[str, str]:
    """Return the run's times by name."""
    epoch = (
        float(np.median(trained.history["time"])) if "time" in trained.history else trained.seconds_training
    )
    rows = len(prepared.training)
    return {
        "Preparing": duration(preparing),
        "Training": duration(trained.seconds_training),
        "One epoch": f"{duration(epoch)} ({rate(rows, epoch)}, validation included)",
        "Predicting": rate(1, trained.seconds_predicting),
    }


def story(
    prepared: Prepared, trained: Trained, timing: dict[str, str], seed: int, treatment: FeatureOptions
) -> Story:
    """Collect what the report tells."""
    features, target = prepared.features, prepared.target
    columns = [(encoder.name, encoder.kind, encoder.summary()) for encoder in features.encoders]
    columns += [(name, "not used", reason) for name, reason in features.ignored.items()]
    data = {
        "Source": prepared.source,
        "Target": f"{target.name} ({_goal(prepared)})",
        "Columns in use": f"{len(features.encoders)}, {len(features.names)} inputs",
        "Rows to train on": f"{len(prepared.training):,}",
        "Rows to validate, to test": f"{len(prepared.validation):,}, {len(prepared.test):,}",
        "Missing numbers": f"{treatment.impute} of the training rows",
        "Scaling": "one deviation in common" if features.scaling == "common" else "by column",
    }
    return Story(
        source=prepared.source,
        target=target.name,
        task=target.task,
        figures=trained.figures,
        baseline=baseline(prepared),
        history=trained.history,
        best_epoch=trained.best_epoch,
        truth=trained.truth,
        predicted=trained.predicted,
        classes=target.classes if isinstance(target, ClassTarget) else [],
        settings={**trained.recipe.show(), "seed": str(seed)},
        layers=layer_table(trained.network),
        columns=columns,
        data=data,
        notices=prepared.notices,
        times=timing,
        versions=versions(),
    )


def parameter_count(network: dr.Sequential) -> int:
    """Return how many numbers are trained."""
    return sum(array.size for array in network.parameters().values())


def layer_table(network: dr.Sequential) -> list[tuple[str, str, str, str]]:
    """Return name, settings, output width and parameters of each layer, as texts."""
    shown = _summary.rows(network)
    return [(name, _NAME.sub("", text), output, count) for name, text, output, count in shown]


def _goal(prepared: Prepared) -> str:
    target = prepared.target
    if isinstance(target, NumberTarget):
        return f"{target.mean:.4g} ± {target.deviation:.4g}"
    return f"{target.outputs} classes"


def versions() -> dict[str, str]:
    """Return what the run was made with."""
    return {
        "deltarule": str(dr.__version__),
        "NumPy": np.__version__,
        "Python": platform.python_version(),
        "Threads": str(dr.get_num_threads()),
        "Machine": f"{platform.machine()}, {platform.system()}",
    }


def summary(trained: Trained, told: Story, treatment: FeatureOptions) -> dict[str, Any]:
    """Return the training summary that the model file keeps."""
    return {
        "source": told.source,
        "recipe": trained.recipe.to_json(),
        "seed": told.settings["seed"],
        "treatment": {
            name: value if not isinstance(value, (list, tuple)) else list(value)
            for name, value in asdict(treatment).items()
        },
        "figures": json_values(trained.figures),
        "baseline": told.baseline,
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "times": told.times,
        "versions": told.versions,
    }
