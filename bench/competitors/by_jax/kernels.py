"""Compiled calls, waited for one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Work, repeat
from bench.probe import probe


def compiled(function: Callable[..., Any], *arrays: Any) -> Work:
    """Work of one function of arrays that are in place already."""
    call = jax.jit(function)
    given = [jnp.asarray(array) for array in arrays]

    def run() -> Any:
        return jax.block_until_ready(call(*given))

    return Work(repeat(run), check=lambda: probe(*map(np.asarray, jax.tree.leaves(run()))))
