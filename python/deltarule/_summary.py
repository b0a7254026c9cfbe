"""Tables and one-liners that describe a network."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._families import Layer
    from ._stack import Stack

_HEAD = ("layer", "kind", "output", "parameters")


def text(model: "Stack") -> str:
    """Plain-text table."""
    lines = [_HEAD, *rows(model)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
    shown = [
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}" for a, b, c, d in lines
    ]
    rule = "-" * len(shown[0])
    return "\n".join([_title(model), rule, shown[0], rule, *shown[1:], rule, _total(model)])


def html(model: "Stack") -> str:
    """HTML table for notebooks."""
    from html import escape

    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in rows(model)
    )
    return (
        f"<table><caption>{escape(_title(model))}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><p>{_total(model)}</p>"
    )


def brief(model: "Stack") -> str:
    """One line per layer, as code that makes the network."""
    inner = "".join(f"\n    {layer!r}," for layer in model.layers)
    options = [f"seed={model.seed}"]
    if model.dtype != "float32":
        options.append(f"dtype={model.dtype!r}")
    if model.name is not None:
        options.append(f"name={model.name!r}")
    return f"Sequential([{inner}{chr(10) if inner else ''}], {', '.join(options)})"


def _title(model: "Stack") -> str:
    network = model._network
    state = "not built" if network is None else f"{network.input_width} inputs"
    return f"{model.name or type(model).__name__}: {state}, {model.dtype}, seed {model.seed}"


def rows(model: "Stack") -> list[tuple[str, str, str, str]]:
    """A layer with others inside is followed by those, indented; their parameters count in both."""
    network, layers = model._network, list(_unfolded(model.layers, 0))
    if network is None:
        return [("  " * depth + (layer.name or ""), _kind(layer), "?", "?") for depth, layer in layers]
    return [
        (
            "  " * depth + built["name"].rpartition(".")[2],
            _kind(layer),
            str(built["output_width"]),
            f"{built['parameters']:,}",
        )
        for (depth, layer), built in zip(layers, network.layers(), strict=True)
    ]


def _unfolded(layers: "Iterable[Layer]", depth: int) -> "Iterator[tuple[int, Layer]]":
    for layer in layers:
        yield depth, layer
        for chain in layer.inside:
            yield from _unfolded(chain, depth + 1)


def _kind(layer: "Layer") -> str:
    """The layer as code; of one with others inside, which have their own lines, only how they are merged."""
    if not layer.inside:
        return repr(layer)
    own = [f"{p['name']}={getattr(layer, p['name'])!r}" for p in layer.entry["parameters"]]
    return f"{type(layer).__name__}({', '.join(['...', *own])})"


def _total(model: "Stack") -> str:
    network = model._network
    if network is None:
        return "The first data, or build(input_width), makes the weights."
    count = network.parameter_count
    size = count * model._real.itemsize
    unit, divisor = ("MB", 1e6) if size >= 1e6 else ("KB", 1e3)
    return f"{count:,} parameters, {size / divisor:.3g} {unit}"
