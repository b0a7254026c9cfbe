import time

started = time.perf_counter()
from functools import partial

import jax
import jax.numpy as jnp

from bench.competitors.by_jax.network import loss, update
from bench.workloads import WORKLOADS

work = WORKLOADS["T2"]
X, y = jnp.ones((64, 64)), jnp.arange(64) % 10
parameters = [jnp.asarray(p) for p in work.initial_parameters()]


@jax.jit
def step(state, x, target):
    gradients = jax.grad(partial(loss, work))(state[0], x, target, None)
    return update(work, state, gradients)


zeros = [jnp.zeros_like(p) for p in parameters]
jax.block_until_ready(step((parameters, zeros, zeros, jnp.zeros(())), X, y))
print(time.perf_counter() - started)
