"""Who is measured. Each library is one package here, with one module for each group of cases it can do.

A package has `start(threads) -> versions`; a module has `prepare(case, variant) -> Work or None`.
"""

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Competitor:
    name: str
    package: str
    needs: str
    groups: tuple[str, ...]
    variant: str = ""
    also_needs: str = "numpy"

    @property
    def installed(self) -> bool:
        return all(find_spec(name) is not None for name in (self.needs, self.also_needs))


_KERNELS = ("activations", "losses", "norms")
_WHOLE = ("inference", "startup", "sizes")
_LIST = [
    Competitor("deltarule", "by_deltarule", "deltarule",
               (*_KERNELS, *_WHOLE, "convolutions", "optimizers", "products", "limits", "training", "fits",
                "many")),
    Competitor("deltarule-new", "by_deltarule", "deltarule", ("activations", "norms"), "new"),
    Competitor("deltarule-alone", "by_deltarule", "deltarule", ("many",), "alone"),
    Competitor("deltarule-bfloat16", "by_deltarule", "deltarule", ("inference",), "bfloat16"),
    Competitor("deltarule-shuffle", "by_deltarule", "deltarule", ("training",), "shuffle"),
    Competitor("numpy", "by_numpy", "numpy",
               (*_KERNELS, *_WHOLE, "optimizers", "products", "limits", "training", "fits")),
    Competitor("sklearn", "by_sklearn", "sklearn", ("training", "fits", "many", *_WHOLE)),
    Competitor("torch", "by_torch", "torch", (*_KERNELS, *_WHOLE, "convolutions", "products")),
    Competitor("torch-out", "by_torch", "torch", ("activations", "norms"), "out"),
    Competitor("torch-foreach", "by_torch", "torch", ("training", "optimizers"), "foreach"),
    Competitor("torch-fused", "by_torch", "torch", ("training", "optimizers", "fits"), "fused"),
    Competitor("torch-loader", "by_torch", "torch", ("training", "fits"), "loader"),
    Competitor("jax", "by_jax", "jax", (*_KERNELS, *_WHOLE, "products")),
    Competitor("jax-scan", "by_jax", "jax", ("training",), "scan"),
    Competitor("onnxruntime", "by_onnxruntime", "onnxruntime", _WHOLE, also_needs="onnx"),
]  # fmt: skip
COMPETITORS = {competitor.name: competitor for competitor in _LIST}


def for_group(group: str, wanted: list[str] | None = None) -> list[Competitor]:
    """Installed competitors that can do the cases of a group; deltarule first."""
    return [c for c in _LIST if group in c.groups and c.installed and (not wanted or c.name in wanted)]
