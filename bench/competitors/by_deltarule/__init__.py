"""deltarule itself, through its Python package."""

import deltarule as dr


def start(threads: int) -> dict[str, str]:
    dr.set_num_threads(threads)
    return {"deltarule": dr.__version__}
