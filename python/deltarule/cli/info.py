"""``deltarule info``: what is in a model file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deltarule.data.target import ClassTarget, Target
from deltarule.report.figures import json_values

from . import options as o
from .console import pairs, say, size, table

if TYPE_CHECKING:
    import deltarule as dr

    from .model_file import Model

_MOST_SHOWN = 20


def info(
    model: o.Model,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print preprocessing and training as JSON.")
    ] = False,
) -> None:
    """Describe a model: network, preprocessing, and how it was trained."""
    from . import model_file

    network = model_file.load_network(model)
    if as_json:
        known = json_values(network.metadata.get(model_file.KEY))  # files of 0.1.0 may hold NaN
        print(json.dumps(known, indent=2, ensure_ascii=False, allow_nan=False))
        return
    if model_file.KEY not in network.metadata:
        _network(model, network, {})
        say("\nno preprocessing: the network was not written by `deltarule train`")
        return
    loaded = model_file.load(model)
    features = loaded.features
    facts = {
        "predicts": _goal(loaded.target),
        "from": f"{len(features.encoders)} columns, {len(features.names)} inputs",
        "written by": f"deltarule {loaded.summary.get('versions', {}).get('deltarule', '?')}",
    }
    _network(model, network, facts)
    _preprocessing(loaded)
    if loaded.summary:
        _training(loaded)


def _goal(target: Target) -> str:
    if not isinstance(target, ClassTarget):
        return f"{target.name}: a number, {target.mean:.4g} ± {target.deviation:.4g} in training"
    shown = ", ".join(target.classes[:12]) + (" ..." if len(target.classes) > 12 else "")
    return f"{target.name}: {target.outputs} classes ({shown})"


def _network(path: Path, network: "dr.Sequential", facts: dict[str, str]) -> None:
    from . import outcome

    say((str(path), "bold"), f", {size(path.stat().st_size)}\n")
    pairs({**facts, "network": f"{outcome.parameter_count(network):,} parameters, {network.dtype}"})
    say()
    rows = outcome.layer_table(network)
    table(["layer", "settings", "output", "parameters"], rows, left=2, title="Network")


def _preprocessing(loaded: "Model") -> None:
    features = loaded.features
    columns = [(encoder.name, encoder.kind, encoder.summary()) for encoder in features.encoders]
    table(["column", "used as", "what was learnt"], columns[:_MOST_SHOWN], left=3, title="Preprocessing")
    if len(columns) > _MOST_SHOWN:
        say((f"  and {len(columns) - _MOST_SHOWN} more columns (--json shows all)", "dim"))
    for name, reason in list(features.ignored.items())[:_MOST_SHOWN]:
        say(("  not used: ", "dim"), f"{name} ({reason})")


def _training(loaded: "Model") -> None:
    from . import outcome
    from .recipe import Recipe

    summary = loaded.summary
    say()
    say(
        ("Training", "bold"),
        f" on {summary['source']}: {summary['epochs']} epochs, best {summary['best_epoch']}",
    )
    outcome.show_figures(summary["figures"])
    pairs({**Recipe(**summary["recipe"]).show(), "seed": summary["seed"]})
