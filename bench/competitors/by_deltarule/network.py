"""A workload as a `Sequential`."""

import deltarule as dr
from bench.workloads import EPSILON, Array, Workload

_OPTIMIZERS = {"sgd": dr.SGD, "adam": dr.Adam, "adamw": dr.AdamW}


def build(workload: Workload, parameters: list[Array]) -> dr.Sequential:
    """Make the network, compiled, with these parameters."""
    layers: list[dr.layers.Layer] = []
    stages = list(workload.stages)
    while stages:
        kind, *values = stages.pop(0)
        if kind == "dense":
            follows = stages and stages[0][0] == "activation"
            layers.append(dr.Dense(values[0], activation=stages.pop(0)[1] if follows else None))
        elif kind == "batch_norm":
            layers.append(dr.BatchNorm(epsilon=EPSILON))
        elif kind == "activation":
            layers.append(dr.Activation(values[0]))
        else:
            layers.append(dr.Dropout(values[0]))
    net = dr.Sequential(layers).build(workload.inputs)
    start_again(net, workload, parameters)
    return net


def start_again(net: dr.Sequential, workload: Workload, parameters: list[Array]) -> None:
    """Give the network these parameters and a fresh optimizer."""
    for array, value in zip(net.parameters().values(), parameters, strict=True):
        array[...] = value
    loss = "mse" if workload.loss == "mse" else "sparse_softmax_cross_entropy"
    net.compile(_OPTIMIZERS[workload.optimizer](**workload.settings), loss=loss)
