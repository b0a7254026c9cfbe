"""The README's table of figures, made from a kept result."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .figures import figure, ratio
from .tables import OWN, peer_ratio

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- begin of generated figures -->", "<!-- end of generated figures -->"
NETWORKS = {
    "T1": "8-32-32-1, batch 32, Adam",
    "T2": "64-128-64-10, batch 64, Adam",
    "T3-sgdm": "784-256-128-10, batch 128, SGD with momentum",
    "T3-adam": "784-256-128-10, batch 128, Adam",
    "T4": "784-512-256-10, batch norm, dropout, batch 128, AdamW",
    "T5": "1024-2048-2048-1000, GELU, batch 256, AdamW",
    "T6": "32 layers of 64, tanh, batch 128, Adam",
}
PEERS = {"numpy": "NumPy", "sklearn": "scikit-learn", "torch-fused": "PyTorch", "jax-scan": "JAX"}


def block(results: dict[str, Any]) -> str:
    """Markdown: the machine, then a table of training steps for each number of threads."""
    machine, versions = results["machine"], results["versions"]
    processor = machine["processor"]
    head = (
        "Microseconds per training step (forward, loss, backward, update), float32, medians of interleaved "
        f"rounds on {machine['processors']} cores of an {processor['name']} (family {processor['family']}, "
        f"model {processor['model']}), {machine['date'][:10]}; deltarule {versions['deltarule']} "
        f"({machine['core']['isa']}), NumPy {versions['numpy']}, scikit-learn {versions['sklearn']}, PyTorch "
        f"{versions['torch'].split('+')[0]} (fused optimizer, eager), JAX {versions['jax']} (whole epochs "
        "compiled with `scan`).\n"
    )
    parts = [head]
    for threads in sorted({r["threads"] for r in results["records"]}):
        records = [r for r in results["records"] if r["group"] == "training" and r["threads"] == threads]
        if not records:
            continue
        title = f"{threads} thread{'s' * (threads > 1)}"
        parts += [
            f"| {title} | {OWN} | {' | '.join(PEERS.values())} | best peer / {OWN} |",
            "|---|" + "--:|" * (len(PEERS) + 2),
        ]
        for r in records:
            times = [r["competitors"].get(name, {}).get("time") for name in PEERS]
            peers = " | ".join("-" if t is None else figure(t) for t in times)
            own, found = r["competitors"][OWN]["time"], peer_ratio(r)
            last = "-" if found is None else ratio(found[0])
            parts.append(f"| {NETWORKS[r['name']]} | **{figure(own)}** | {peers} | {last} |")
        parts.append("")
    return "\n".join(parts)


def write(results: dict[str, Any]) -> None:
    """Put the figures into the README."""
    replace(README, block(results))


def replace(page: Path, text: str) -> None:
    """Put a generated text between the marks of a page."""
    old = page.read_text()
    if BEGIN not in old:
        raise SystemExit(f"{page.name}: no line {BEGIN!r}")
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    page.write_text(re.sub(pattern, lambda _: f"{BEGIN}\n{text}{END}", old, flags=re.DOTALL))
