"""Convolutions: `predict` of a network of one layer, or the two passes of a training step."""

from __future__ import annotations

import numpy as np

import deltarule as dr
from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import Array


def prepare(case: Case, _variant: str) -> Work:
    s = case.settings
    shape = (s["side"], s["side"], s["channels"])
    layers = [dr.Reshape(shape), dr.Conv2D(s["filters"], s["kernel"], padding="same")]
    net = dr.Sequential(layers).build(int(np.prod(shape)))
    core = net._network
    kernel = normal((s["kernel"], s["kernel"], s["channels"], s["filters"]), 2)
    weight = next(v for k, v in core.parameters().items() if k.endswith("weight"))
    weight[...] = kernel.reshape(weight.shape)
    x = normal((s["images"], *shape), 0).reshape(s["images"], -1)
    if s["direction"] == "forward":
        return Work(repeat(lambda: net.predict(x)), check=lambda: probe(net.predict(x)))
    dy = normal((s["images"], s["side"], s["side"], s["filters"]), 1).reshape(s["images"], -1)

    def both() -> Array:
        core.forward(x, True)
        dx: Array = core.backward(dy)
        return dx

    return Work(repeat(both), check=lambda: probe(both()))
