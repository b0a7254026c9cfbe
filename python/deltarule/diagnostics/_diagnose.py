"""All diagnostics at once, in plain words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from deltarule import _compiled
from deltarule._types import Array, ArrayLike

from ._activity import UnitReport, dead_units, saturation
from ._curvature import HessianSpectrum, hessian_spectrum
from ._flow import gradient_flow
from ._table import Table
from ._twin import twin

if TYPE_CHECKING:
    from deltarule.sequential import Sequential

_OPERATION = "diagnose"
_ROWS = 512  # are looked at; more say no more


class Finding(NamedTuple):
    """One thing that is wrong, and what helps."""

    kind: str
    what: str
    advice: str


class Diagnosis:
    """What `diagnose` found.

    Attributes
    ----------
    findings : list of Finding
        What is wrong: a kind ("inputs", "dead units", "saturated units", "vanishing gradients",
        "exploding gradients", "logits", "learning rate"), the fact and some advice.
    flow, dead, saturated : Table
        The figures behind it.
    spectrum : HessianSpectrum or None
        None where a layer has no R-operator, or the rule is not gradient descent.
    ok : bool
        Whether nothing was found.
    """

    def __init__(
        self,
        findings: list[Finding],
        flow: Table,
        dead: UnitReport,
        saturated: UnitReport,
        spectrum: HessianSpectrum | None,
    ) -> None:
        self.findings, self.flow, self.dead, self.saturated = findings, flow, dead, saturated
        self.spectrum = spectrum
        self.ok = not findings

    def kinds(self) -> list[str]:
        """What kinds of findings there are."""
        return [finding.kind for finding in self.findings]

    def __repr__(self) -> str:
        if self.ok:
            head = ["Diagnosis: nothing wrong was found."]
        else:
            head = [f"Diagnosis: {len(self.findings)} finding{'s' * (len(self.findings) > 1)}"]
            head += [f"{i}. {f.kind}: {f.what}\n   -> {f.advice}" for i, f in enumerate(self.findings, 1)]
        return "\n".join([*head, "", repr(self.flow)])

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li><b>{escape(f.kind)}</b>: {escape(f.what)}<br><i>{escape(f.advice)}</i></li>"
            for f in self.findings
        )
        body = f"<ol>{items}</ol>" if items else "<p>Nothing wrong was found.</p>"
        return f"<h4>Diagnosis</h4>{body}{self.flow._repr_html_()}"


def diagnose(
    net: Sequential, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Diagnosis:
    """Look for the common reasons why a network does not learn, and say in plain words what is wrong.

    Looks at unscaled inputs, dead and saturated units, vanishing and exploding gradients, an activation that
    the loss applies again and, for plain gradient descent, a learning rate above 2 (1 + momentum) / λ_max.
    Up to 512 rows are taken, evenly spread.

    Parameters
    ----------
    net : Sequential
        A compiled network. It is not changed.
    X, y, sample_weight : array
        As for `Sequential.fit`.

    Returns
    -------
    Diagnosis
    """
    whole = twin(net, X, y, sample_weight, _OPERATION, net.dtype)
    data = whole.data
    chosen = np.unique(np.linspace(0, len(data.X) - 1, min(_ROWS, len(data.X))).astype(int))
    weight = None if data.weight is None else data.weight[chosen]
    if weight is not None and not weight.any():
        weight = None
    rows, goal, copy = data.X[chosen], data.y[chosen], whole.net
    flow = gradient_flow(copy, rows, goal, sample_weight=weight)
    dead, saturated = dead_units(copy, rows), saturation(copy, rows)
    findings = [
        *_inputs(copy, data.X),
        *_units(dead, "dead units", "a smaller learning rate, leaky_relu or gelu, or he_normal weights"),
        *_units(
            saturated,
            "saturated units",
            "scaled inputs, smaller initial weights, or relu in hidden layers",
            but=dead,
        ),
        *_flow(flow),
        *_logits(copy),
    ]
    spectrum = _spectrum(copy, rows, goal, weight)
    findings += _rate(
        copy,
        copy._ready(whole.network).learning_rate if net._trainer is None else net.learning_rate,
        spectrum,
    )
    return Diagnosis(findings, flow, dead, saturated, spectrum)


def _inputs(net: Sequential, X: Array) -> list[Finding]:
    """Columns far from mean 0 and deviation 1, unless the first layer takes care of them."""
    if net.layers[0].entry["name"] not in ("dense", "weight_norm", "activation"):
        return []
    mean, deviation = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    constant = deviation <= 1e-7 * np.abs(mean)
    wide = ~constant & (
        (deviation > 10) | (deviation < 0.1) | (np.abs(mean) > 10 * np.maximum(deviation, 0.1))
    )
    findings = []
    if wide.any():
        at = np.flatnonzero(wide)
        worst = int(
            at[np.argmax(np.abs(np.log10(deviation[at])) + np.log10(1 + np.abs(mean[at]) / deviation[at]))]
        )
        what = (
            f"{_count(len(at), 'input column')} not scaled ({_named(at)}); column {worst} has "
            f"mean {mean[worst]:.3g} and deviation {deviation[worst]:.3g}"
        )
        findings.append(
            Finding("inputs", what, "put dr.Standardize() first, or scale the columns to mean 0, deviation 1")
        )
    if constant.any():
        at = np.flatnonzero(constant)
        what = f"{_count(len(at), 'input column')} constant ({_named(at)})"
        findings.append(Finding("inputs", what, "leave out what says nothing"))
    return findings


def _units(report: UnitReport, kind: str, advice: str, but: UnitReport | None = None) -> list[Finding]:
    """Layers where at least a tenth of the units are meant, and not only because they are in `but`."""
    word = kind.split(maxsplit=1)[0]
    return [
        Finding(kind, f"layer {name}: {flags.sum()} of {len(flags)} units are {word}", advice)
        for name, flags in report.units.items()
        if (flags & ~but.units[name] if but is not None else flags).mean() >= 0.1
    ]


def _flow(flow: Table) -> list[Finding]:
    """Gradients of the first layer against those of the last."""
    trained = [row for row in flow if row["weights"] > 0 or row["gradient"] > 0]
    if not trained:
        return []
    first, last = trained[0], trained[-1]
    a, b = first["gradient"], last["gradient"]
    if not np.isfinite([row["gradient"] for row in trained]).all() or a > 1000 * b > 0 or a > 1e4:
        what = f"gradients of size {a:.2g} in {first['layer']}, {b:.2g} in {last['layer']}"
        return [
            Finding(
                "exploding gradients", what, "clip_norm=1, smaller initial weights, or a normalisation layer"
            )
        ]
    if a < 1e-3 * b:
        what = f"gradients of size {a:.2g} in {first['layer']}, but {b:.2g} in {last['layer']}"
        advice = "relu or gelu instead of sigmoid or tanh, he_normal weights, BatchNorm, or fewer layers"
        return [Finding("vanishing gradients", what, advice)]
    return []


def _logits(net: Sequential) -> list[Finding]:
    """A softmax or sigmoid before a loss that applies it again, or that is of margins."""
    loss = net._require_compiled(_OPERATION).loss
    last = _compiled.squashed(net.layers, loss)
    if last is None:
        return []
    does = "applies it again" if loss.squashing else "takes margins of any size"
    what = f"the last layer has the activation {last!r}, and the loss {loss.entry['name']!r} {does}"
    return [Finding("logits", what, "leave the activation of the last layer away")]


def _spectrum(net: Sequential, X: Array, y: Array, weight: Array | None) -> HessianSpectrum | None:
    """For gradient descent only: other rules scale the gradient, and the limit says nothing about them."""
    if net._require_compiled(_OPERATION).optimizer.entry["name"] != "sgd":
        return None
    try:
        return hessian_spectrum(net, X, y, sample_weight=weight, tolerance=1e-3, max_iterations=30)
    except ValueError:  # no R-operator
        return None


def _rate(net: Sequential, rate: float, spectrum: HessianSpectrum | None) -> list[Finding]:
    """A step that overshoots along the steepest direction."""
    rule = net._require_compiled(_OPERATION).optimizer
    if spectrum is None or rule._settings["nesterov"] or rule._settings["dampening"]:
        return []
    limit = spectrum.largest_stable_rate * (1 + rule._settings["momentum"])
    if rate <= limit:
        return []
    steepest = f"lambda_max {spectrum.lambda_max:.3g}"
    what = f"the learning rate {rate:.3g} is above the stable limit {limit:.3g} ({steepest})"
    return [
        Finding("learning rate", what, f"a learning rate below {limit:.2g}; lr_range_test helps to choose")
    ]


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'s are' if n > 1 else ' is'}"


def _named(at: Any) -> str:
    shown = ", ".join(str(int(i)) for i in at[:8])
    return shown + (", ..." if len(at) > 8 else "")
