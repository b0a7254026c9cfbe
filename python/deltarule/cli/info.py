"""``deltarule info``: what is in a model file."""

import json
from typing import Annotated

import typer

from deltarule.data.target import ClassTarget

from . import options as o
from .console import pairs, say, size, table


def info(
    model: o.Model,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Describe a model: network, preprocessing, and how it was trained."""
    from . import model_file, outcome

    loaded = model_file.load(model)
    network, target, features = loaded.network, loaded.target, loaded.features
    if as_json:
        print(json.dumps(network.metadata[model_file.KEY], indent=2, ensure_ascii=False))
        return
    if isinstance(target, ClassTarget):
        shown = ", ".join(target.classes[:12]) + (" ..." if len(target.classes) > 12 else "")
        goal = f"{target.name}: {target.outputs} classes ({shown})"
    else:
        goal = f"{target.name}: a number, {target.mean:.4g} ± {target.deviation:.4g} in training"
    say((str(model), "bold"), f", {size(model.stat().st_size)}")
    say()
    pairs(
        {
            "predicts": goal,
            "from": f"{len(features.encoders)} columns, {len(features.names)} inputs",
            "network": f"{outcome.parameter_count(network):,} parameters, {network.dtype}",
            "written by": f"deltarule {loaded.summary.get('versions', {}).get('deltarule', '?')}",
        }
    )
    say()
    table(
        ["layer", "settings", "output", "parameters"], outcome.layer_table(network), left=2, title="Network"
    )
    most = 20
    columns = [[encoder.name, encoder.kind, encoder.summary()] for encoder in features.encoders[:most]]
    table(["column", "used as", "what was learnt"], columns, left=3, title="Preprocessing")
    if len(features.encoders) > most:
        say((f"  and {len(features.encoders) - most} more columns (--json shows all)", "dim"))
    for name, reason in list(features.ignored.items())[:most]:
        say(("  not used: ", "dim"), f"{name} ({reason})")
    summary = loaded.summary
    if summary:
        say()
        say(
            ("Training", "bold"),
            f" on {summary['source']}: {summary['epochs']} epochs, best {summary['best_epoch']}",
        )
        outcome.show_figures(summary["figures"])
        pairs(
            {name.replace("_", " "): str(value) for name, value in summary["recipe"].items()}
            | {"seed": summary["seed"]}
        )
