"""The C++ kernels on NumPy arrays.

For every activation of the catalogue ``f(x)`` and ``f_backward(x, y, dy)``, for every loss
``f(prediction, target) -> (loss, gradient)``, for every optimizer ``f_update(w, g, ..., step=...)`` in
place; besides those, products and the layers with learned arrays. Arrays are float32 or float64; C-contiguous
ones are used without a copy. ``silu`` and the other aliases work as well.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from . import _kernels, _layer_kernels
from ._from_catalog import CATALOG
from ._layer_kernels import *  # noqa: F403


def _makers() -> dict[str, Callable[[], Any]]:
    """Everything that can be made, by name and alias; made when first asked for."""
    makers: dict[str, Callable[[], Any]] = {}

    def add(entry: dict[str, Any], suffix: str, maker: Callable[..., Any], *arguments: Any) -> None:
        make = partial(maker, *arguments, entry)
        for name in (entry["name"], *entry["aliases"]):
            makers[name + suffix] = make

    for family in ("activation", "row_op"):
        for index, entry in enumerate(CATALOG[family]):
            add(entry, "", _kernels.activation, family, index)
            add(entry, "_backward", _kernels.activation_backward, family, index)
    for index, entry in enumerate(CATALOG["loss"]):
        add(entry, "", _kernels.loss, index)
    for index, entry in enumerate(CATALOG["optimizer"]):
        if entry["reach"] not in ("element", "tensor"):
            continue  # such a rule needs a network
        add(entry, "_update", _kernels.update, index)
    return makers


_MAKERS = _makers()
__all__ = [*_layer_kernels.__all__, *_MAKERS]  # noqa: PLE0604 - made from the catalogue


def __getattr__(name: str) -> Any:
    make = _MAKERS.get(name)
    if make is None:
        raise AttributeError(f"module 'deltarule.kernels' has no attribute {name!r}")
    kernel = make()
    globals().update({n: kernel for n, m in _MAKERS.items() if m is make})
    return kernel


def __dir__() -> list[str]:
    return sorted(__all__)
