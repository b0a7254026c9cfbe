"""Every loss of the catalogue, value and gradient, on rows of 10 and of 1000, also beyond the caches."""

from bench.case import Case

from .catalog import entries

_SHAPES = [(count // columns, columns) for count in (1 << 16, 1 << 20, 1 << 24) for columns in (10, 1000)]


def cases() -> list[Case]:
    return [
        Case(
            "losses",
            f"{entry['name']} {rows}x{columns}",
            {key: entry[key] for key in ("target", "signs", "outputs_per_target")}
            | {"function": entry["name"], "shape": [rows, columns]},
            quick=entry["name"] == "sparse_softmax_cross_entropy" and (rows, columns) == _SHAPES[0],
        )
        for entry in entries("loss")
        for rows, columns in _SHAPES
    ]
