"""Drawings of the model: the roofline of a training step, and its speed-up on more cores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import limits, scaling

_CORES = (1, 2, 4, 8, 16, 32, 64)


def draw(results: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
    """Both drawings, where the result holds what they need; the files written."""
    found = limits.rates(results, 1)
    if "GFLOP/s" not in found or not limits.copies(found) or not scaling.measured(results):
        return []
    written = [_roofline(results, folder / f"roofline.{suffix}")]
    if limits.phase(results) == limits.phase(results):  # measured on two threads
        written.append(_cores(results, folder / f"cores.{suffix}"))
    return written


def _roofline(results: dict[str, Any], path: Path) -> Path:
    """GFLOP/s of the steps on one thread over FLOP for each byte that an update has to move."""
    figure, axes = _axes((5.6, 3.8))
    constants = scaling.Constants.of(results)
    reach = [10 ** (step / 50 - 0.5) for step in range(176)]
    for size, speed in sorted(constants.copies.items()):
        axes.plot(
            reach,
            [min(constants.flops, speed * x) for x in reach],
            linewidth=0.9,
            label=f"copy, {size >> 10} KiB: {speed:.0f} GB/s",
        )
    axes.axhline(
        constants.flops, color="#222222", linewidth=0.9, label=f"products: {constants.flops:.0f} GFLOP/s"
    )
    for place, (name, (workload, times)) in enumerate(scaling.measured(results).items()):
        flops = workload.product_flops()
        traffic = limits.update_bytes(workload)[1]
        axes.plot(flops / traffic, flops / times[1] / 1e3, "o", color="#d55e00", markersize=4)
        axes.annotate(name, (flops / traffic, flops / times[1] / 1e3), xytext=(4, -9 if place % 2 else 4),
                      textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("FLOP of the products for each byte of weights and state that the update moves")
    axes.set_ylabel("GFLOP/s, one thread")
    axes.grid(which="both", linewidth=0.2)
    axes.legend(frameon=False, fontsize=7)
    return save(figure, path)


def _cores(results: dict[str, Any], path: Path) -> Path:
    """Predicted speed-up, and what two threads gave."""
    figure, axes = _axes((5.6, 3.8))
    constants = scaling.Constants.of(results)
    axes.plot(_CORES, _CORES, "--", color="#bbbbbb", label="ideal")
    for name, (workload, times) in scaling.measured(results).items():
        gain = [times[1] / scaling.step(workload, constants, n, times[1]).all for n in _CORES]
        (line,) = axes.plot(_CORES, gain, "-", label=name)
        if 2 in times:
            axes.plot([2], [times[1] / times[2]], "o", color=line.get_color(), markersize=4)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(_CORES, [str(n) for n in _CORES])
    axes.set_yticks(_CORES, [str(n) for n in _CORES])
    axes.set_xlabel("cores (lines: model; points: measured)")
    axes.set_ylabel("times as fast as one")
    axes.grid(linewidth=0.3)
    axes.legend(frameon=False, fontsize=8)
    return save(figure, path)


def _axes(size: tuple[float, float]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def save(figure: Any, path: Path) -> Path:
    """Without dates inside, so that the same result gives the same file."""
    figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path
