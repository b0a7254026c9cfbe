"""A small network, compiled and built, for every row of the catalogue: what a model file can hold."""

import numpy as np

import deltarule as dr
from deltarule import _families
from deltarule._from_catalog import CATALOG

WIDTH = 4
LAYERS = {
    "dense": {"units": 3, "activation": dr.activations.LeakyRelu(0.2), "initializer": "orthogonal"},
    "activation": {"activation": "swiglu"},
    "rbf": {"units": 3},
    "embedding": {"columns": (0,), "cardinalities": (3,), "dimension": 2},
    "residual": {"block": [dr.Dense(4, "tanh"), dr.Residual([dr.Dropout(0.1), dr.PReLU()])]},
    "weight_norm": {"layer": dr.Dense(3, "gelu")},
    "branches": {"branches": [[dr.Dense(2)], [dr.BatchNorm()], []], "merge": "concat"},
    "reshape": {"shape": (2, 2, 1)},
    "conv_2d": {"filters": 2, "kernel_size": (2, 1), "activation": "relu"},
    "max_pool_2d": {"pool_size": (2, 1)},
}
ON_IMAGES = ("conv_2d", "max_pool_2d")


def made(family, entry, **arguments):
    return getattr(_families, family).find(entry["name"])(**arguments)


def layers_with(entry):
    before = [dr.Reshape((2, 2, 1))] if entry["name"] in ON_IMAGES else []
    return [*before, made("Layer", entry, **LAYERS.get(entry["name"], {})), dr.Dense(2)]


def data(rng, rows=12):
    X = rng.normal(size=(rows, WIDTH)).astype(np.float32)
    X[:, 0] = np.arange(rows) % 3  # an index, for embeddings
    return X


def _network(layers=None, **compiled):
    net = dr.Sequential(layers or [dr.Dense(3, "tanh"), dr.Dense(2)], seed=3)
    net.compile(**({"optimizer": "sgd", "loss": "mse"} | compiled))
    return net


def _network_with(family, entry):
    name = entry["name"]
    if family == "layer":
        return _network(layers_with(entry))
    if family == "activation":
        steps = any(p["name"] == "straight_through" for p in entry["parameters"])
        function = made("ActivationFunction", entry, **({"straight_through": True} if steps else {}))
        return _network([dr.Dense(3, function), dr.Dense(2)])
    if family == "row_op":
        return _network([dr.Dense(4), dr.Activation(name), dr.Dense(2)])
    if family == "initializer":
        return _network([dr.Dense(3, initializer=name), dr.Dense(2)])
    if family == "loss":
        return _network(loss=name)
    if family == "optimizer":
        linear = [dr.Dense(2)] if name == "delta_rule" else None
        return _network(linear, optimizer=name, loss="quadratic")
    if family == "schedule":
        return _network(optimizer=dr.SGD(0.01, schedule=dr.Warmup(2, then=name)))
    loss = "mse" if entry["target"] == "values" else "sparse_softmax_cross_entropy"
    return _network(loss=loss, metrics=[name])


def networks():
    """Names and networks, compiled but not built; without the losses that nothing can be trained on."""
    return {
        f"{family}-{entry['name']}": _network_with(family, entry)
        for family, entries in CATALOG.items()
        for entry in entries
        if family != "loss" or entry["trainable"]
    }
