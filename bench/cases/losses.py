"""Every loss of the catalogue, value and gradient together, on rows of 10 and of 1000."""

from bench.case import Case

from .catalog import entries

_SHAPES = [[8192, 10], [4096, 1000]]


def cases() -> list[Case]:
    return [
        Case(
            "losses",
            f"{entry['name']} {rows}x{columns}",
            {key: entry[key] for key in ("target", "signs", "outputs_per_target")}
            | {"function": entry["name"], "shape": [rows, columns]},
            quick=entry["name"] == "sparse_softmax_cross_entropy" and columns == 10,
        )
        for entry in entries("loss")
        for rows, columns in _SHAPES
    ]
