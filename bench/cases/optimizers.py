"""Every update rule of the catalogue on 64K, 1M and 10M parameters."""

from bench.case import Case

from .catalog import entries

_SIZES = {"64K": 1 << 16, "1M": 1 << 20, "10M": 10_000_000}
_PARAMETERS = {"sgd": {"momentum": 0.9}}
"""Where the default is not the form in use."""


def cases() -> list[Case]:
    return [
        Case(
            "optimizers",
            f"{entry['name']} {size}",
            {"function": entry["name"], "count": count, "parameters": _PARAMETERS.get(entry["name"], {})},
            quick=(entry["name"], size) == ("adam", "64K"),
        )
        for size, count in _SIZES.items()
        for entry in entries("optimizer")
        if entry["reach"] == "element"
    ]
