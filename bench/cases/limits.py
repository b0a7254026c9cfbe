"""What the machine allows: large products, copies in each level of the memory, and what threads wait for."""

from bench.case import Case

_FOOTPRINTS = {"24 KiB": 24 << 10, "384 KiB": 384 << 10, "6 MiB": 6 << 20, "384 MiB": 384 << 20}
_PRODUCTS = [(128, 784, 256), (256, 512, 512), (512, 512, 512)]


def cases() -> list[Case]:
    """A copy's footprint counts source and result; so does its traffic, as bytes read and bytes written."""
    copies = [
        Case("limits", f"copy {label}", {"kind": "copy", "footprint": footprint}, quick=label == "24 KiB")
        for label, footprint in _FOOTPRINTS.items()
    ]
    products = [
        Case(
            "limits",
            f"product {rows}x{inner}x{outer}",
            {"kind": "product", "form": "NN", "rows": rows, "inner": inner, "outer": outer,
             "flops": 2 * rows * inner * outer},
            quick=rows == 128,
        )
        for rows, inner, outer in _PRODUCTS
    ]  # fmt: skip
    return [
        *copies,
        *products,
        Case("limits", "phase", {"kind": "phase"}),
        Case("limits", "rewrite 64 KiB", {"kind": "rewrite", "bytes": 64 << 10}),
    ]
