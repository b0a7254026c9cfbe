# ruff: noqa: ARG005 - all functions of a kind take the same arguments
"""Activations of PyTorch by deltarule's names, and the kernels that take a tensor for the result."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional

_aten: Any = torch.ops.aten
Call = Callable[..., torch.Tensor]
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@lru_cache(maxsize=1)
def _exponentials(x: torch.Tensor) -> torch.Tensor:
    """What `log_sigmoid` keeps for its backward pass."""
    kept: torch.Tensor = _aten.log_sigmoid_forward(x)[1]
    return kept


def _gated(function: Call, x: torch.Tensor) -> torch.Tensor:
    value, gate = x.chunk(2, dim=1)
    return value * function(gate)


FORWARD: dict[str, Call] = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "gelu[tanh]": lambda x: functional.gelu(x, approximate="tanh"),
    "swish": functional.silu,
    "softplus": functional.softplus,
    "sin": torch.sin,
    "sign": torch.sign,
    "binary_step": lambda x: (x > 0).float(),
    "threshold": lambda x: functional.threshold(x, 0, 0),
    "piecewise_linear": lambda x: torch.clamp(x + 0.5, 0, 1),
    "squared_relu": lambda x: torch.relu(x) ** 2,
    "softmax": lambda x: torch.softmax(x, 1),
    "log_softmax": lambda x: torch.log_softmax(x, 1),
    "glu": functional.glu,
    "swiglu": lambda x: _gated(functional.silu, x),
    "geglu": lambda x: _gated(functional.gelu, x),
    "reglu": lambda x: _gated(torch.relu, x),
}
"""Allocate their result, as eager code does; others are looked for in `torch.nn.functional`."""

FORWARD_OUT: dict[str, Call] = {
    "relu": _aten.relu.out,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": _aten.leaky_relu.out,
    "elu": _aten.elu.out,
    "gelu": _aten.gelu.out,
    "gelu[tanh]": lambda x, out: _aten.gelu.out(x, approximate="tanh", out=out),
    "swish": _aten.silu.out,
    "softplus": _aten.softplus.out,
    "hard_tanh": _aten.hardtanh.out,
    "hard_sigmoid": _aten.hardsigmoid.out,
    "hard_swish": _aten.hardswish.out,
    "relu6": lambda x, out: _aten.hardtanh.out(x, 0, 6, out=out),
    "threshold": lambda x, out: _aten.threshold.out(x, 0, 0, out=out),
    "mish": _aten.mish.out,
    "celu": _aten.celu.out,
    "selu": lambda x, out: _aten.elu.out(x, _SELU_ALPHA, _SELU_SCALE, 1.0, out=out),
    "log_sigmoid": _aten.log_sigmoid.out,
    "softshrink": _aten.softshrink.out,
    "hardshrink": _aten.hardshrink.out,
    "sin": torch.sin,
    "sign": torch.sign,
    "glu": lambda x, out: _aten.glu.out(x, 1, out=out),
    "softmax": lambda x, out: torch.softmax(x, 1, out=out),
    "log_softmax": lambda x, out: torch.log_softmax(x, 1, out=out),
}

BACKWARD: dict[str, Call] = {
    "relu": lambda x, y, dy: _aten.threshold_backward(dy, y, 0),
    "sigmoid": lambda x, y, dy: _aten.sigmoid_backward(dy, y),
    "tanh": lambda x, y, dy: _aten.tanh_backward(dy, y),
    "leaky_relu": lambda x, y, dy: _aten.leaky_relu_backward(dy, x, 0.01, False),
    "elu": lambda x, y, dy: _aten.elu_backward(dy, 1.0, 1.0, 1.0, True, y),
    "gelu": lambda x, y, dy: _aten.gelu_backward(dy, x),
    "gelu[tanh]": lambda x, y, dy: _aten.gelu_backward(dy, x, approximate="tanh"),
    "swish": lambda x, y, dy: _aten.silu_backward(dy, x),
    "softplus": lambda x, y, dy: _aten.softplus_backward(dy, x, 1.0, 20.0),
    "hard_tanh": lambda x, y, dy: _aten.hardtanh_backward(dy, x, -1, 1),
    "hard_sigmoid": lambda x, y, dy: _aten.hardsigmoid_backward(dy, x),
    "hard_swish": lambda x, y, dy: _aten.hardswish_backward(dy, x),
    "relu6": lambda x, y, dy: _aten.hardtanh_backward(dy, x, 0, 6),
    "threshold": lambda x, y, dy: _aten.threshold_backward(dy, x, 0),
    "mish": lambda x, y, dy: _aten.mish_backward(dy, x),
    "celu": lambda x, y, dy: _aten.elu_backward(dy, 1.0, 1.0, 1.0, False, x),
    "selu": lambda x, y, dy: _aten.elu_backward(dy, _SELU_ALPHA, _SELU_SCALE, 1.0, True, y),
    "log_sigmoid": lambda x, y, dy: _aten.log_sigmoid_backward(dy, x, _exponentials(x)),
    "softshrink": lambda x, y, dy: _aten.softshrink_backward(dy, x, 0.5),
    "hardshrink": lambda x, y, dy: _aten.hardshrink_backward(dy, x, 0.5),
    "glu": lambda x, y, dy: _aten.glu_backward(dy, x, 1),
    "softmax": lambda x, y, dy: _aten._softmax_backward_data(dy, y, 1, torch.float32),
    "log_softmax": lambda x, y, dy: _aten._log_softmax_backward_data(dy, y, 1, torch.float32),
}
"""Kernels that autograd calls; where one is not listed, autograd itself is called."""

BACKWARD_OUT: dict[str, Call] = {
    "relu": lambda x, y, dy, out: _aten.threshold_backward(dy, y, 0, grad_input=out),
    "sigmoid": lambda x, y, dy, out: _aten.sigmoid_backward(dy, y, grad_input=out),
    "tanh": lambda x, y, dy, out: _aten.tanh_backward(dy, y, grad_input=out),
    "leaky_relu": lambda x, y, dy, out: _aten.leaky_relu_backward(dy, x, 0.01, False, grad_input=out),
    "elu": lambda x, y, dy, out: _aten.elu_backward(dy, 1.0, 1.0, 1.0, True, y, grad_input=out),
    "gelu": lambda x, y, dy, out: _aten.gelu_backward(dy, x, grad_input=out),
    "gelu[tanh]": lambda x, y, dy, out: _aten.gelu_backward(dy, x, approximate="tanh", grad_input=out),
    "swish": lambda x, y, dy, out: _aten.silu_backward(dy, x, grad_input=out),
    "softplus": lambda x, y, dy, out: _aten.softplus_backward(dy, x, 1.0, 20.0, grad_input=out),
    "hard_tanh": lambda x, y, dy, out: _aten.hardtanh_backward(dy, x, -1, 1, grad_input=out),
    "hard_sigmoid": lambda x, y, dy, out: _aten.hardsigmoid_backward(dy, x, grad_input=out),
    "hard_swish": lambda x, y, dy, out: _aten.hardswish_backward(dy, x, out=out),
    "relu6": lambda x, y, dy, out: _aten.hardtanh_backward(dy, x, 0, 6, grad_input=out),
    "threshold": lambda x, y, dy, out: _aten.threshold_backward(dy, x, 0, grad_input=out),
    "celu": lambda x, y, dy, out: _aten.elu_backward(dy, 1.0, 1.0, 1.0, False, x, grad_input=out),
    "selu": lambda x, y, dy, out: _aten.elu_backward(
        dy, _SELU_ALPHA, _SELU_SCALE, 1.0, True, y, grad_input=out
    ),
    "log_sigmoid": lambda x, y, dy, out: _aten.log_sigmoid_backward(dy, x, _exponentials(x), grad_input=out),
    "softshrink": lambda x, y, dy, out: _aten.softshrink_backward(dy, x, 0.5, grad_input=out),
    "hardshrink": lambda x, y, dy, out: _aten.hardshrink_backward(dy, x, 0.5, grad_input=out),
    "softmax": lambda x, y, dy, out: _aten._softmax_backward_data(dy, y, 1, torch.float32, grad_input=out),
    "log_softmax": lambda x, y, dy, out: _aten._log_softmax_backward_data(dy, y, 1, torch.float32, out=out),
}


_OTHER_NAMES = {"hard_tanh": "hardtanh", "hard_sigmoid": "hardsigmoid", "hard_swish": "hardswish",
                "log_sigmoid": "logsigmoid"}  # fmt: skip


def forward_of(label: str) -> Call | None:
    """The function that allocates its result."""
    if label in FORWARD:
        return FORWARD[label]
    found: Call | None = getattr(functional, _OTHER_NAMES.get(label, label), None)
    return found
