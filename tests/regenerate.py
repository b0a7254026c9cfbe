"""Writes the type stubs of the modules that are made from the catalogue: ``python tests/regenerate.py``.

With ``--check`` nothing is written; the exit status says whether the stubs in the tree are up to date.
"""

import argparse
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import deltarule
from deltarule import _families, _layer_kernels
from deltarule._declaration import Declaration
from deltarule._from_catalog import class_signature

PACKAGE = Path(__file__).parent.parent / "python" / "deltarule"
MODULES = ("activations", "initializers", "kernels", "layers", "losses", "metrics", "optimizers", "schedules")
WIDTH = 110
SHORT_NAMES = {
    r"numpy\.ndarray\[typing\.Any, numpy\.dtype\[typing\.Any\]\]": "Array",
    r"numpy\.ndarray": "Array",
    r"(typing|collections\.abc|deltarule\.\w+)\.": "",
    r"\bNoneType\b": "None",
    "'": '"',
}


def text_of(annotation: Any) -> str:
    """An annotation as it is written in a stub."""
    if annotation is inspect.Parameter.empty:
        return "ArrayLike"
    text = inspect.formatannotation(annotation)
    for pattern, short in SHORT_NAMES.items():
        text = re.sub(pattern, short, text)
    return text


def definition(name: str, parameters: list[str], result: str, indent: str = "") -> str:
    """A function's stub, on one line if it fits, else as ruff format breaks it."""
    line = f"{indent}def {name}({', '.join(parameters)}) -> {result}: ..."
    if len(line) <= WIDTH:
        return line
    inner = f"{indent}    {', '.join(parameters)}"
    if len(inner) <= WIDTH:
        return f"{indent}def {name}(\n{inner}\n{indent}) -> {result}: ..."
    body = "".join(f"{indent}    {p},\n" for p in parameters)
    return f"{indent}def {name}(\n{body}{indent}) -> {result}: ..."


def parameters_of(signature: inspect.Signature) -> list[str]:
    """The parameters of a signature with their annotations."""
    written, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            written.append("*")
            starred = True
        empty = parameter.annotation is inspect.Parameter.empty
        text = text_of(parameter.annotation) + (" | None" if empty and parameter.default is None else "")
        default = "" if parameter.default is inspect.Parameter.empty else f" = {literal(parameter.default)}"
        written.append(f"{parameter.name}: {text}{default}")
    return written


def literal(value: Any) -> str:
    """A default value as source text."""
    return '"' + value + '"' if isinstance(value, str) else repr(value)


def class_stub(name: str, cls: type[Declaration]) -> str:
    """Stub of a generated class."""
    signature = class_signature(cls)
    lines = [f"class {name}({cls.__mro__[1].__name__}):"]
    for parameter in signature.parameters.values():
        if parameter.name in cls.extras and not cls.extras[parameter.name].kept:
            continue
        kept = re.sub(r"^Sequence\[(\w+)\]$", r"tuple[\1, ...]", text_of(parameter.annotation))
        if isinstance(parameter.annotation, type(int | str)):  # a name or config has become an object
            given = ("str", "dict[str, Any]", "Callable[[int], float]")
            kept = " | ".join(p for p in kept.split(" | ") if p not in given)
            kept += " | str" if parameter.default == "auto" or parameter.name == "name" else ""
            kept = kept.removeprefix("None | str") or "str | None"
        lines.append(f"    {parameter.name}: Final[{kept}]")
    lines.append(definition("__init__", ["self", *parameters_of(signature)], "None", "    "))
    return "\n".join(lines)


def function_stub(name: str, function: Callable[..., Any]) -> str:
    """Stub of a function."""
    signature = inspect.signature(function)
    return definition(name, parameters_of(signature), text_of(signature.return_annotation))


def stub(module: ModuleType) -> str:
    """The whole stub of one module."""
    blocks, imported = [], {"_families": set[str](), "_layer_kernels": set[str]()}
    for name in sorted(module.__all__, key=rank):
        thing = getattr(module, name)
        if thing is getattr(_layer_kernels, name, None):
            imported["_layer_kernels"].add(name)
        elif thing is getattr(_families, name, None):
            imported["_families"].add(name)
        elif isinstance(thing, type):
            blocks.append(class_stub(name, thing))
        else:
            blocks.append(function_stub(name, thing))
    body = "\n".join(blocks).replace("\nclass ", "\n\nclass ")
    exported = "".join(f'    "{name}",\n' for name in sorted(module.__all__, key=rank))
    typing = [n for n in ("Any", "Final", "Literal") if re.search(rf"\b{n}\b", body)]
    imported["_families"] |= {n for n in families() if re.search(rf"\b{n}\b", body)}
    imported["_types"] = {n for n in ("Array", "ArrayLike") if re.search(rf"\b{n}\b", body)}
    lines = ["# Generated by tests/regenerate.py from the catalogue: do not edit."]
    collections = [n for n in ("Callable", "Sequence") if re.search(rf"\b{n}\b", body)]
    if collections or typing:
        lines.append("")
    if collections:
        lines.append(f"from collections.abc import {', '.join(collections)}")
    if typing:
        lines.append(f"from typing import {', '.join(typing)}")
    lines.append("")
    for source, names in sorted(imported.items()):
        if names:
            lines.append(definition_import(source, sorted(names)))
    return "\n".join(lines) + f"\n\n__all__ = [\n{exported}]\n\n{body}\n"


def families() -> list[str]:
    """Names of the base classes."""
    return [n for n, v in vars(_families).items() if isinstance(v, type) and issubclass(v, Declaration)]


def rank(name: str) -> tuple[int, str]:
    """Sorting key: capitals, classes, functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def definition_import(source: str, names: list[str]) -> str:
    """An import line, broken if it is too long."""
    line = f"from .{source} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from .{source} import (\n" + "".join(f"    {n},\n" for n in names) + ")"


def generated() -> dict[Path, str]:
    """All stubs by path."""
    return {PACKAGE / f"{name}.pyi": stub(getattr(deltarule, name)) for name in MODULES}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a stub is out of date")
    check = parser.parse_args().check
    stale = [p for p, text in generated().items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    for path in stale:
        print(("out of date: " if check else "written: ") + path.name)
        if not check:
            path.write_text(generated()[path], encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
