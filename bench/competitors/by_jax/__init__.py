"""JAX, compiled by XLA for the CPU."""

import jax


def start(_threads: int) -> dict[str, str]:
    """XLA takes its threads from the processors that the process may use, which the parent has set."""
    return {"jax": jax.__version__}
