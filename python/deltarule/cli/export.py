"""``deltarule export``: a model as one C file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deltarule.data.encoders import NumberEncoder
from deltarule.data.target import ClassTarget

from . import files
from . import options as o
from .console import say, size

if TYPE_CHECKING:
    from .model_file import Model


def export(
    model: o.Model,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The C file to write.", show_default="MODEL.h"),
    ] = None,
    prefix: Annotated[
        str, typer.Option(metavar="NAME", help="What every name in the file begins with.")
    ] = "model",
) -> None:
    """Write a model as one C99 file that needs no library, for microcontrollers and other programs.

    The file is the network. Which inputs it wants, and how they are made of the table's columns, is in the
    comment at its top.
    """
    from . import model_file

    path = output or Path(f"{model.stem}.h")
    files.check({"MODEL": model}, {"--output": path})
    network = model_file.load_network(model)
    comment = str(model.name)
    if model_file.KEY in network.metadata:
        comment += _preprocessing(model_file.load(model))
    network.export_c(path, prefix=prefix, comment=comment)
    say(("wrote ", "bold"), f"{path} ({size(path.stat().st_size)} of C; its first lines say how to use it)")


def _preprocessing(loaded: "Model") -> str:
    """Say how the inputs are made and what the outputs mean."""
    lines = ["", "", "Inputs:"]
    for encoder in loaded.features.encoders:
        for name in encoder.outputs:
            lines.append(f"  {len(lines) - 3}: {name}")
        if isinstance(encoder, NumberEncoder):
            limit = f", held within ±{encoder.limit:g}" if encoder.limit is not None else ""
            lines[-len(encoder.outputs)] += f" = (value - {encoder.mean!r}) / {encoder.deviation!r}{limit}"
            if encoder.indicator:
                lines[-1] += f" = 1 where there is none, and {encoder.fill!r} is the value; else 0"
    lines.append("Outputs:")
    target = loaded.target
    if isinstance(target, ClassTarget):
        lines += [f"  {k}: {target.name} = {name}" for k, name in enumerate(target.classes)]
        lines.append("  (logits: the largest is the class, their softmax the probabilities)")
    else:
        lines.append(f"  0: {target.name} = output * {target.deviation!r} + {target.mean!r}")
    return "\n".join(lines)
