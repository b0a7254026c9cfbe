"""Convolutions on images, forward, and backward with the forward pass before it."""

from bench.case import Case

_LAYERS = {
    "8x32x32x8 to 16": {"images": 8, "side": 32, "channels": 8, "filters": 16, "kernel": 3},
    "128x32x32x8 to 16": {"images": 128, "side": 32, "channels": 8, "filters": 16, "kernel": 3},
    "128x28x28x1 to 32": {"images": 128, "side": 28, "channels": 1, "filters": 32, "kernel": 5},
    "128x14x14x32 to 64": {"images": 128, "side": 14, "channels": 32, "filters": 64, "kernel": 3},
}


def cases() -> list[Case]:
    return [
        Case(
            "convolutions",
            f"{label} {direction}",
            {**layer, "direction": direction},
            quick=(layer["images"], direction) == (8, "forward"),
        )
        for label, layer in _LAYERS.items()
        for direction in ("forward", "backward")
    ]
