"""Batch and layer normalisation, forward and backward, in cache and beyond it."""

from bench.case import Case

_SHAPES = [(128, 512), (2048, 512), (4096, 512), (32768, 512), (65536, 16)]


def cases() -> list[Case]:
    return [
        Case(
            "norms",
            f"{function} {direction} {rows}x{columns}",
            {"function": function, "direction": direction, "shape": [rows, columns]},
            quick=(function, direction, rows) == ("layer_norm", "backward", 128),
        )
        for function in ("batch_norm", "layer_norm")
        for direction in ("forward", "backward")
        for rows, columns in _SHAPES
    ]
