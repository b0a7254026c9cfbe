"""Units that do nothing: dead and saturated ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from deltarule import _check
from deltarule._families import ActivationFunction, Layer, RowOperation
from deltarule._types import Array, ArrayLike

from ._table import Table
from ._twin import outputs, rows

if TYPE_CHECKING:
    from deltarule.sequential import Sequential

_FAR = np.array([-100.0, -50.0, -30.0, -20.0, 20.0, 30.0, 50.0, 100.0])


class UnitReport(Table):
    """Units of every layer with an activation.

    Attributes
    ----------
    units : dict of {layer name: ndarray of bool}
        The units that are meant, one flag each.
    total : int
        Their number.
    """

    units: dict[str, Array]
    total: int


class _Slopes(NamedTuple):
    layer: str
    activation: ActivationFunction
    slopes: Array  # f'(z), (rows, units)


def dead_units(net: Sequential, X: ArrayLike) -> UnitReport:
    """Count units whose activation has the derivative 0 for every row: no gradient reaches their weights.

    A ReLU whose input is never positive is the common case.

    Parameters
    ----------
    net : Sequential
        A built network. It is not changed.
    X : array (N, columns)
        Rows that stand for the data.

    Returns
    -------
    UnitReport
    """
    found = [(s, (s.slopes == 0).all(axis=0)) for s in _slopes(net, rows(net, X, "dead_units"))]
    return _report("dead units: f'(z) = 0 for every row", "dead", found)


def saturation(net: Sequential, X: ArrayLike, *, threshold: float = 0.05, share: float = 0.9) -> UnitReport:
    """Count units that sit on a flat end of a squashing activation such as sigmoid or tanh.

    A unit is saturated where |f'(z)| < threshold · max |f'| for at least `share` of the rows. Activations
    that are steep at one end, such as ReLU, have no row here; see `dead_units`.

    Parameters
    ----------
    net : Sequential
        A built network. It is not changed.
    X : array (N, columns)
        Rows that stand for the data.
    threshold : float, default 0.05
        How flat is flat, from 0 to 1.
    share : float, default 0.9
        Share of the rows, from 0 to 1.

    Returns
    -------
    UnitReport
    """
    flat = _check.real(threshold, "saturation", "threshold", 0, 1)
    part = _check.real(share, "saturation", "share", 0, np.nextafter(1, 2))
    found = []
    for s in _slopes(net, rows(net, X, "saturation")):
        steepest = _steepest(s.activation)
        if steepest > 0:
            found.append((s, (np.abs(s.slopes) < flat * steepest).mean(axis=0) >= part))
    return _report(f"saturated units: |f'(z)| < {flat:g} max |f'|", "saturated", found)


def _report(title: str, word: str, found: list[tuple[_Slopes, Array]]) -> UnitReport:
    lines = [
        [s.layer, s.activation.entry["name"], len(flags), int(flags.sum()), f"{flags.mean():.0%}"]
        for s, flags in found
    ]
    report = UnitReport(title, ("layer", "activation", "units", word, "share"), lines)
    report.units = {s.layer: flags for s, flags in found}
    report.total = sum(int(flags.sum()) for flags in report.units.values())
    count = sum(len(flags) for flags in report.units.values())
    report.notes = [f"{report.total} of {count} units are {word}"]
    return report


def _slopes(net: Sequential, X: Array) -> Iterator[_Slopes]:
    """Derivative of every elementwise activation at what it sees."""
    return _slopes_of(net.layers, X, net.parameters(), iter(outputs(net, X)))


def _slopes_of(
    layers: Iterable[Layer],
    before: Array,
    parameters: Mapping[str, Array],
    found: Iterator[tuple[str, Array]],
) -> Iterator[_Slopes]:
    """Those of a chain that reads `before`; `found`: names and outputs of its layers and all after them."""
    for layer in layers:
        name, after = next(found)
        activation: Any = getattr(layer, "activation", None)
        known = layer.entry["name"] in ("dense", "activation")
        if known and activation is not None and not isinstance(activation, RowOperation):
            yield _Slopes(name, activation, _slope(activation, _product(layer, name, before, parameters)))
        if layer.entry["name"] == "weight_norm":
            parameters = {**parameters, **_effective(name, parameters)}
        for chain in layer.inside:
            yield from _slopes_of(chain, before, parameters, found)
        before = after


def _product(layer: Layer, name: str, x: Array, parameters: Mapping[str, Array]) -> Array:
    """What the activation of a layer sees."""
    if layer.entry["name"] != "dense":
        return x
    z: Array = x @ parameters[name + ".weight"] + parameters.get(name + ".bias", 0)
    return z


def _effective(name: str, parameters: Mapping[str, Array]) -> dict[str, Array]:
    """The weights that WeightNorm gives to its dense layer, by that one's name."""
    (weight,) = (n for n in parameters if n.startswith(name + ".") and n.endswith(".weight"))
    v = parameters[weight]
    length = np.linalg.norm(v, axis=0)
    return {weight: parameters[name + ".gain"] * np.divide(v, length, where=length > 0, out=np.zeros_like(v))}


def _slope(activation: ActivationFunction, z: Array) -> Array:
    return activation.backward(z, activation(z), np.ones_like(z))


def _steepest(activation: ActivationFunction) -> float:
    """Largest |f'| of an activation that is flat at both ends, else 0."""
    steepest = float(np.abs(_slope(activation, np.linspace(-10, 10, 2001))).max())
    return steepest if np.abs(_slope(activation, _FAR)).max() < 0.01 * steepest else 0.0
