"""Two results side by side: what became faster or slower by more than the noise."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from .figures import figure
from .noise import ALLOWED
from .tables import OWN


@dataclass
class Change:
    """One competitor in one case, before and after."""

    case: str
    threads: int
    name: str
    before: dict[str, Any]
    after: dict[str, Any]
    machine: float
    """How the other competitors of the same case changed, by median: what the machine, not the code, did."""

    @property
    def factor(self) -> float:
        """Above one is slower, freed from what the machine did."""
        return float(self.after["time"] / self.before["time"] / self.machine)

    @property
    def is_noisy(self) -> bool:
        return max(self.before["others"], self.after["others"]) > ALLOWED

    def verdict(self, tolerance: float) -> str:
        """Slower or faster only if the ranges of the rounds do not meet and the medians differ enough."""
        after_low, after_high = (self.after[key] / self.machine for key in ("low", "high"))
        if self.factor > 1 + tolerance and after_low > self.before["high"]:
            return "slower?" if self.is_noisy else "SLOWER"
        if self.factor < 1 / (1 + tolerance) and after_high < self.before["low"]:
            return "faster?" if self.is_noisy else "faster"
        return ""


def changes(before: dict[str, Any], after: dict[str, Any], everyone: bool = False) -> list[Change]:
    """Cases that both results have; deltarule's only, or all competitors'."""
    earlier = {(r["case"], r["threads"]): r["competitors"] for r in before["records"]}
    found = []
    for record in after["records"]:
        old = earlier.get((record["case"], record["threads"]), {})
        new = record["competitors"]
        common = [name for name in new if "time" in new[name] and "time" in old.get(name, {})]
        peers = {n: new[n]["time"] / old[n]["time"] for n in common if not n.startswith(OWN)}
        for name in common:
            if everyone or name.startswith(OWN):
                others = [factor for peer, factor in peers.items() if peer != name]
                found.append(
                    Change(
                        record["case"], record["threads"], name, old[name], new[name],
                        median(others) if others and record["group"] != "sizes" else 1.0,
                    )
                )  # fmt: skip
    return found


def report(found: list[Change], tolerance: float) -> str:
    """Markdown table, the largest slow-down first."""
    lines = [
        "| case | threads | competitor | before | after | machine | change | |",
        "|---|--:|---|--:|--:|--:|--:|---|",
    ]
    lines += [
        f"| {change.case} | {change.threads} | {change.name} | {figure(change.before['time'])} "
        f"| {figure(change.after['time'])} | {change.machine - 1:+.0%} | {change.factor - 1:+.1%} "
        f"| {change.verdict(tolerance)} |"
        for change in sorted(found, key=lambda c: -c.factor)
    ]
    verdicts = [change.verdict(tolerance) for change in found]
    lines.append(
        f"\n{len(found)} compared: {verdicts.count('SLOWER')} slower, {verdicts.count('faster')} faster, "
        f"{sum(v.endswith('?') for v in verdicts)} uncertain because other programs were busy. "
        "'machine' is the change of the peers in the same case; it is taken out of 'change'."
    )
    return "\n".join(lines)


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What else differs between the two runs: processor, versions, instruction set."""
    one, two = before["machine"], after["machine"]
    pairs = [(key, one.get(key), two.get(key)) for key in ("processor", "processors", "python", "core")]
    versions = sorted(before["versions"].keys() & after["versions"].keys())
    pairs += [(name, before["versions"][name], after["versions"][name]) for name in versions]
    return [f"{name}: {old} -> {new}" for name, old, new in pairs if old != new]
