"""A workload as pure functions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from bench.workloads import EPSILON, Workload

_ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "gelu": lambda x: jax.nn.gelu(x, approximate=False)}


def forward(workload: Workload, parameters: list[Any], x: Any, key: Any = None, training: bool = True) -> Any:
    """Outputs. Running statistics are left out: inference takes those of a fresh layer, 0 and 1."""
    left = list(parameters)
    for kind, *values in workload.stages:
        if kind == "dense":
            x = x @ left.pop(0) + left.pop(0)
        elif kind == "batch_norm":
            centred = x - x.mean(axis=0) if training else x
            variance = (centred * centred).mean(axis=0) if training else jnp.ones(x.shape[1])
            x = centred * jax.lax.rsqrt(variance + EPSILON) * left.pop(0) + left.pop(0)
        elif kind == "activation":
            x = _ACTIVATIONS[values[0]](x)
        elif training:
            key, own = jax.random.split(key)
            keep = 1 - values[0]
            x = jnp.where(jax.random.bernoulli(own, keep, x.shape), x / keep, 0)
    return x


def loss(workload: Workload, parameters: list[Any], x: Any, y: Any, key: Any) -> Any:
    output = forward(workload, parameters, x, key)
    if workload.loss == "mse":
        return jnp.mean((output - y) ** 2)
    return jnp.mean(jax.nn.logsumexp(output, axis=1) - jnp.take_along_axis(output, y[:, None], 1)[:, 0])


def update(workload: Workload, state: tuple[Any, ...], gradients: list[Any]) -> tuple[Any, ...]:
    """One step of SGD with momentum, Adam or AdamW; `state` is (parameters, first, second, step)."""
    parameters, first, second, step = state
    rate = workload.settings["learning_rate"]
    step += 1
    if workload.optimizer == "sgd":
        first = jax.tree.map(lambda v, g: workload.settings["momentum"] * v + g, first, gradients)
        return jax.tree.map(lambda p, v: p - rate * v, parameters, first), first, second, step
    decay = workload.settings.get("weight_decay", 0.0)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    one, two = 1 - 0.9**step, 1 - 0.999**step
    parameters = jax.tree.map(
        lambda p, m, v: p * (1 - rate * decay) - rate * (m / one) / (jnp.sqrt(v / two) + 1e-8),
        parameters,
        first,
        second,
    )
    return parameters, first, second, step
