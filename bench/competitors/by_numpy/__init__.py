"""NumPy written well: arrays made once, operations in place, optimizers in pieces that fit the cache."""

import numpy as np


def start(threads: int) -> dict[str, str]:
    versions = {"numpy": np.__version__}
    try:
        import threadpoolctl
    except ImportError:
        return versions
    threadpoolctl.threadpool_limits(threads)
    for pool in threadpoolctl.threadpool_info():
        versions[pool["internal_api"]] = f"{pool['version']} {pool.get('architecture', '')}".strip()
    return versions
