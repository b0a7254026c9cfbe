"""What the tests of the kernels share: settings to try, errors in ulp, messages that show the worst case."""

import itertools

import numpy as np

from .wide import WIDE

REAL_TRIALS = (0.3, 1.7, 0.0, -0.6, 12.0, 0.8)
WHOLE_TRIALS = (1, 2, 3, 7, 40)


def legal(parameter, value):
    above = value > parameter["low"] if parameter["low_open"] else value >= parameter["low"]
    below = value < parameter["high"] if parameter["high_open"] else value <= parameter["high"]
    return above and below


def trials(parameter, most=3):
    """The default and some other legal values of a parameter."""
    bounded = dict(parameter)
    bounded["low"] = -np.inf if parameter["low"] is None else parameter["low"]
    bounded["high"] = np.inf if parameter["high"] is None else parameter["high"]
    if parameter["kind"] == "choice":
        return sorted(parameter["choices"], key=lambda choice: choice != parameter["default"])
    if parameter["kind"] == "boolean":
        return [parameter["default"], not parameter["default"]]
    if parameter["kind"].endswith("list"):
        return [parameter["default"], tuple(v + 1 for v in parameter["default"]) or (2,)]
    values = WHOLE_TRIALS if parameter["kind"] == "integer" else REAL_TRIALS
    others = [v for v in values if legal(bounded, v) and v != parameter["default"]]
    return [parameter["default"], *others[:most]]


def settings(entry, most=3):
    """All defaults, then every parameter changed alone, then all changed together."""
    defaults = {p["name"]: p["default"] for p in entry["parameters"]}
    result = [defaults]
    for p in entry["parameters"]:
        result += [defaults | {p["name"]: value} for value in trials(p, most)[1:]]
    if len(entry["parameters"]) > 1:
        result.append({p["name"]: trials(p, most)[1] for p in entry["parameters"]})
    return result


def rounded(values, dtype):
    """Parameters as the kernels of this type see them."""
    return {
        k: v if isinstance(v, (str, bool)) else WIDE(np.dtype(dtype).type(v).item())
        for k, v in values.items()
    }


def cases(entries, most=3):
    """pytest arguments (entry, settings) with readable ids."""
    import pytest

    result = []
    for entry, chosen in itertools.chain.from_iterable(
        zip(itertools.repeat(e), settings(e, most)) for e in entries
    ):
        changed = [f"{p['name']}={chosen[p['name']]}" for p in entry["parameters"]]
        changed = [
            c for c, p in zip(changed, entry["parameters"], strict=True) if chosen[p["name"]] != p["default"]
        ]
        result.append(pytest.param(entry, chosen, id="-".join([entry["name"], *changed])))
    return result


def ulp_errors(got, expected, scale=None):
    """|got - expected| in units in the last place of `scale` (of the result by default), of got's type."""
    dtype = got.dtype
    size = np.abs(expected if scale is None else np.maximum(np.abs(scale), np.abs(expected)))
    largest = np.finfo(dtype).max
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        unit = np.spacing(np.minimum(size, largest / 2).astype(dtype)).astype(WIDE)
        unit = np.where(size >= largest / 2, 2 * unit, unit)
        limit = WIDE(largest) * (1 + WIDE(np.finfo(dtype).eps) / 4)  # what rounds to infinity
        expected = np.where(np.abs(expected) >= limit, np.copysign(WIDE(np.inf), expected), expected)
        wrong = np.abs(got.astype(WIDE) - expected) / unit
    same = (np.isnan(got) & np.isnan(expected)) | (got.astype(WIDE) == expected)
    return np.where(same, 0, np.where(np.isnan(wrong), np.inf, wrong))


def assert_ulp(got, expected, most, inputs, what, scale=None):
    """Every element within `most` ulp; the message shows the worst one and how it was made."""
    errors = ulp_errors(got, expected, scale)
    worst = int(np.argmax(errors))
    at = np.unravel_index(worst, errors.shape)
    shown = {name: repr(values[at].item()) for name, values in inputs.items()}
    assert errors[at] <= most, (
        f"{what}: {float(errors[at]):.4g} ulp, promised {most:g}, for {shown}: "
        f"expected {float(expected[at])!r}, got {got[at].item()!r} ({int((errors > most).sum())} of "
        f"{errors.size} over the promise)"
    )


def assert_near(got, expected, tolerance, what, size=None):
    """|got - expected| <= tolerance * size, element by element; size is |expected| by default."""
    got, expected = np.asarray(got).astype(WIDE), np.asarray(expected).astype(WIDE)
    size = np.abs(expected) if size is None else np.broadcast_to(np.asarray(size, WIDE), expected.shape)
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    tiny = np.finfo(np.float32 if tolerance > 1e-9 else np.float64).tiny
    with np.errstate(invalid="ignore"):
        error = np.abs(got - expected) / np.maximum(size, tiny)
    error = np.where(np.isnan(error), np.inf, error)
    if not error.size:
        return
    at = np.unravel_index(int(np.argmax(error)), error.shape)
    assert error[at] <= tolerance, (
        f"{what}: relative error {float(error[at]):.3g} at {tuple(map(int, at))}, allowed {tolerance:g}: "
        f"expected {float(expected[at])!r}, got {float(got[at])!r} (size {float(size[at]):.3g})"
    )
