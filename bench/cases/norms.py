"""Batch and layer normalisation, forward and backward."""

from bench.case import Case

_SHAPE = [4096, 512]


def cases() -> list[Case]:
    return [
        Case(
            "norms",
            f"{function} {direction} 4096x512",
            {"function": function, "direction": direction, "shape": _SHAPE},
            quick=(function, direction) == ("layer_norm", "backward"),
        )
        for function in ("batch_norm", "layer_norm")
        for direction in ("forward", "backward")
    ]
