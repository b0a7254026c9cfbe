"""Turns the entries of the compiled catalogue into Python classes, signatures and docstrings.

Nothing is listed here: what exists, its parameters, defaults, ranges and formulas come from the C++
declarations.
"""

from collections.abc import Sequence
from inspect import Parameter, Signature
from typing import Any, Literal, TypeVar

from ._declaration import Declaration, Extra
from ._native import core
from ._types import Entry

CATALOG: dict[str, list[Entry]] = core.catalog()
_TYPES: dict[str, Any] = {
    "real": float,
    "integer": int,
    "boolean": bool,
    "real_list": float | Sequence[float],  # a number is a list of one
    "integer_list": int | Sequence[int],
}
_WORDS = {
    "real": "float",
    "integer": "int",
    "boolean": "bool",
    "real_list": "float or sequence of float",
    "integer_list": "int or sequence of int",
}
_D = TypeVar("_D", bound=Declaration)


def class_name(entry: Entry) -> str:
    """``LeakyRelu`` for the entry ``leaky_relu``, unless the entry names its class."""
    given: str = entry["class_name"]
    return given or "".join(part.capitalize() for part in entry["name"].split("_"))


def annotation(parameter: Entry) -> Any:
    """Python type of a parameter of the catalogue."""
    if parameter["kind"] == "choice":
        return Literal[tuple(parameter["choices"])]
    return _TYPES[parameter["kind"]]


def keywords(entry: Entry) -> list[Parameter]:
    """Parameters of an entry as keyword-only parameters of a Python signature."""
    return [
        Parameter(p["name"], Parameter.KEYWORD_ONLY, default=p["default"], annotation=annotation(p))
        for p in entry["parameters"]
    ]


def describe(entry: Entry) -> list[str]:
    """Lines of a numpydoc parameter section for the entry's own parameters."""
    return [line for p in entry["parameters"] for line in _describe(p)]


def _describe(p: Entry, required: bool = False) -> list[str]:
    kind = " or ".join(map(repr, p["choices"])) if p["kind"] == "choice" else _WORDS[p["kind"]]
    default = "" if required else f", default {p['default']!r}"
    lines = [f"{p['name']} : {kind}{default}", f"    {_sentence(p['meaning'])}"]
    if p["kind"] not in ("choice", "boolean"):
        lines.append(f"    Allowed: {p['range']}.")
    return lines


def notes(entry: Entry) -> list[str]:
    """Lines of the Notes and References sections: formulas, state arrays, aliases, source."""
    lines = []
    if entry["formula"]:
        lines += [".. math:: " + entry["formula"]]
    if entry["derivative"]:
        lines += [".. math:: " + entry["derivative"]]
    if entry["states"]:
        lines += ["State arrays beside each parameter: " + ", ".join(entry["states"]) + "."]
    lines += [f"Its name is {entry['name']!r}" + "".join(f", or {a!r}" for a in entry["aliases"]) + "."]
    text = section("Notes", [line for part in lines for line in (part, "")][:-1])
    return text + (section("References", [entry["source"]]) if entry["source"] else [])


def section(title: str, lines: list[str]) -> list[str]:
    """One numpydoc section."""
    return ["", title, "-" * len(title), *lines]


def classes(base: type[_D], namespace: dict[str, Any]) -> list[str]:
    """Make a subclass of `base` for every entry of its family, in `namespace`; return their names."""
    names = []
    for entry in CATALOG[base.family]:
        made = make_class((base,), entry, namespace["__name__"])
        namespace[made.__name__] = made
        names.append(made.__name__)
    return names


def make_class(bases: tuple[type[_D], ...], entry: Entry, module: str, **attributes: Any) -> type[_D]:
    """The subclass of the first of `bases` for one entry, found by its name from then on."""
    base = bases[0]
    extras = base.extras_of(entry)
    order = base.order_of(entry, extras)
    required = base.required_of(order) | {n for n, extra in extras.items() if extra.required}
    made: type[_D] = type(
        class_name(entry),
        bases,
        {
            "__doc__": _class_docstring(entry, extras, order, required),
            "__module__": module,
            "entry": entry,
            "extras": extras,
            "order": order,
            "required": required,
            "positional": min(base.positional_of(order), len([n for n in order if n != "name"])),
            **attributes,
        },
    )
    for name in (entry["name"], *entry["aliases"]):
        base.registry[base.family, name] = made
    return made


def class_signature(cls: type[Declaration]) -> Signature:
    """The signature of a generated class."""
    own = {p["name"]: p for p in cls.entry["parameters"]}
    parameters = []
    for position, name in enumerate(cls.order):
        if name in own:
            default, kind = own[name]["default"], annotation(own[name])
        else:
            default, kind = cls.extras[name].default, cls.extras[name].annotation
        if name in cls.required:
            default = Parameter.empty
        how = Parameter.POSITIONAL_OR_KEYWORD if position < cls.positional else Parameter.KEYWORD_ONLY
        parameters.append(Parameter(name, how, default=default, annotation=kind))
    return Signature(parameters)


def _class_docstring(
    entry: Entry, extras: dict[str, Extra], order: tuple[str, ...], required: frozenset[str]
) -> str:
    own = {p["name"]: p for p in entry["parameters"]}
    lines = []
    for name in order:
        if name in own:
            lines += _describe(own[name], name in required)
        else:
            extra = extras[name]
            default = "" if extra.required else f", default {extra.default!r}"
            lines += [f"{name} : {extra.kinds}{default}", f"    {extra.meaning}"]
    text = [entry["summary"]]
    if lines:
        text += section("Parameters", lines)
        text += section("Raises", ["ValueError", "    A parameter is outside its range."])
    return "\n".join(text + notes(entry)) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
