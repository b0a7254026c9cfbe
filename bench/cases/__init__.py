"""Every case, by group. A case says what is done; `competitors/` says how each library does it."""

from __future__ import annotations

from fnmatch import fnmatch

from bench.case import Case

from . import (
    activations,
    convolutions,
    fits,
    inference,
    limits,
    losses,
    many,
    norms,
    optimizers,
    products,
    startup,
    training,
)

_MODULES = (
    training,
    inference,
    fits,
    many,
    startup,
    activations,
    losses,
    norms,
    optimizers,
    convolutions,
    products,
    limits,
)


def all_cases() -> list[Case]:
    return [case for module in _MODULES for case in module.cases()]


def select(patterns: list[str], quick: bool = False) -> list[Case]:
    """Cases whose "group/name" matches a pattern: shell wildcards, a group's name, or a case's first word."""
    chosen = [case for case in all_cases() if not quick or case.quick]
    if not patterns:
        return chosen
    found = [case for case in chosen if any(_matches(case, pattern) for pattern in patterns)]
    if not found:
        raise SystemExit(f"no case matches {' '.join(patterns)}; see: python -m bench list")
    return found


def _matches(case: Case, pattern: str) -> bool:
    if case.group == pattern or fnmatch(case.key, pattern) or fnmatch(case.name, pattern):
        return True
    group, _, name = pattern.rpartition("/")
    first = case.name.split()[0]
    return group in ("", case.group) and name in (first, first.split("-")[0])
