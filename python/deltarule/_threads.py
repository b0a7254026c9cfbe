"""How many threads the core may use."""

from . import _check
from ._native import core


def set_num_threads(n: int | None) -> None:
    """Use at most `n` threads from now on.

    The results do not depend on it: every number of threads gives the same bits. Small networks run on one
    thread whatever is allowed.

    Parameters
    ----------
    n : int or None
        Number of threads, of which at most 512 are used; None or 0 goes back to the default: the CPUs this
        process may use, or ``OMP_NUM_THREADS``.
    """
    count = 0 if n is None else _check.whole(n, "set_num_threads", "n", 0, "None")
    core.set_num_threads(min(count, 2**31 - 1))


def get_num_threads() -> int:
    """Threads that a large job would use now."""
    return core.get_num_threads()
