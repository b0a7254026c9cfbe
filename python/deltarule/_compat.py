"""What ``compat=`` means: the settings that make an update rule the one of another library."""

from typing import Any

from ._types import Entry

Settings = dict[str, Any]

# PyTorch 2 and Keras 3; the tests run against them where they are installed. What a library does not say is
# our default.
_TORCH: dict[str, Settings] = {
    "sgd": {"learning_rate": 1e-3, "dampen_first_step": False},
    "adagrad": {},
    "rmsprop": {},
    "adadelta": {},
    "adam": {},
    "adamw": {},
    "nadam": {},
    "adamax": {},
    "radam": {},
    "rprop": {},
    "muon": {"learning_rate": 1e-3, "weight_decay": 0.1, "adamw_factor": 1.0},  # AdamW is a rule apart
}
# Keras decouples weight decay in every rule.
_APART: Settings = {"decoupled_weight_decay": True}
_KERAS: dict[str, Settings] = {
    "sgd": {"rate_in_buffer": True} | _APART,
    "adagrad": {"learning_rate": 1e-3, "epsilon": 1e-7, "eps_inside": True, "initial_accumulator": 0.1}
    | _APART,
    "rmsprop": {
        "learning_rate": 1e-3,
        "beta": 0.9,
        "epsilon": 1e-7,
        "eps_inside": True,
        "rate_in_buffer": True,
    }
    | _APART,
    "adadelta": {"learning_rate": 1e-3, "rho": 0.95, "epsilon": 1e-7} | _APART,
    "adam": {"epsilon": 1e-7, "epsilon_hat": True} | _APART,
    "adamw": {"epsilon": 1e-7, "epsilon_hat": True, "weight_decay": 4e-3},
    "nadam": {"learning_rate": 1e-3, "epsilon": 1e-7, "momentum_decay": 1.0} | _APART,
    "adamax": {"learning_rate": 1e-3, "epsilon": 1e-7, "epsilon_in_maximum": False} | _APART,
    "lion": {"learning_rate": 1e-3},
}
LIBRARIES = {"torch": _TORCH, "keras": _KERAS}


def known(entry: Entry) -> dict[str, Settings]:
    """Settings of one update rule by library."""
    return {name: rules[entry["name"]] for name, rules in LIBRARIES.items() if entry["name"] in rules}


def meaning(entry: Entry) -> str:
    """What the argument means, for a docstring."""
    parts = []
    for library, settings in known(entry).items():
        text = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        parts.append(f"{library!r} sets {text}" if text else f"{library!r} is what the defaults are")
    return "Defaults and variant of another library; arguments given beside it win: " + "; ".join(parts) + "."


def resolve(entry: Entry, given: Settings, operation: str) -> Settings:
    """Arguments of an update rule with ``compat`` replaced by what it means."""
    settings = dict(given)
    library = settings.pop("compat", None)
    if library is None:
        return settings
    libraries = known(entry)
    if not isinstance(library, str) or library not in libraries:
        allowed = ", ".join(map(repr, libraries))
        raise ValueError(f"{operation}: compat = {library!r} is not allowed; allowed: {allowed} or None")
    return libraries[library] | settings
