"""The JSON Schema of model files, made from the catalogue: ``python docs/schema.py`` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deltarule._from_catalog import CATALOG

VERSION = 1  # deltarule::format_version; a test compares it with what the library writes
PATH = Path(__file__).parent / "model-file" / f"schema-{VERSION}.json"
Schema = dict[str, Any]

COUNT: Schema = {"type": "integer", "minimum": 0}
INSIDE = {
    "layer": {"$ref": "#/$defs/layer"},
    "layers": {"$ref": "#/$defs/layers"},
    "branches": {"type": "array", "items": {"$ref": "#/$defs/layers"}},
}


def _number(parameter: dict[str, Any], kind: str) -> Schema:
    """A number in its range."""
    schema: Schema = {"type": kind}
    for bound, closed, open_ in (
        ("low", "minimum", "exclusiveMinimum"),
        ("high", "maximum", "exclusiveMaximum"),
    ):
        if parameter[bound] is not None:
            schema[open_ if parameter[f"{bound}_open"] else closed] = parameter[bound]
    return schema


def _value(parameter: dict[str, Any]) -> Schema:
    kind = parameter["kind"]
    if kind == "boolean":
        schema: Schema = {"type": "boolean"}
    elif kind == "choice":
        schema = {"enum": list(parameter["choices"])}
    elif kind.endswith("_list"):
        schema = {
            "type": "array",
            "items": _number(parameter, "integer" if kind == "integer_list" else "number"),
        }
    else:
        schema = _number(parameter, "integer" if kind == "integer" else "number")
        if kind == "real" and parameter["high"] is None:
            schema = {"anyOf": [schema, {"const": "inf"}]}
    return schema | ({"description": parameter["meaning"]} if parameter["meaning"] else {})


def _entry(entry: dict[str, Any], key: str) -> Schema:
    """One row of the catalogue; `key` holds its name."""
    properties: Schema = {key: {"const": entry["name"]}}
    for parameter in entry["parameters"]:
        properties[parameter["name"]] = _value(parameter)
    required = list(properties)
    for part in entry["parts"]:
        properties[part["name"]] = {"$ref": f"#/$defs/{part['family']}"}
    if entry["inner"]["name"]:
        properties[entry["inner"]["name"]] = INSIDE[entry["inner"]["kind"]]
        required.append(entry["inner"]["name"])
    if key == "type":
        properties["name"] = {"type": "string"}
    return {
        "type": "object",
        "description": entry["summary"],
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _family(family: str) -> Schema:
    key = "type" if family == "layer" else "name"
    entries = [_entry(entry, key) for entry in CATALOG[family]]
    if family == "activation":
        entries += [_entry(entry, key) for entry in CATALOG["row_op"]]
    if family == "initializer":
        auto = {
            "type": "object",
            "description": "what suits the activation that follows",
            "properties": {"name": {"const": "auto"}},
            "required": ["name"],
            "additionalProperties": False,
        }
        entries.insert(0, auto)
    return {"oneOf": entries}


def _list_of(family: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{family}"}}


def _group() -> Schema:
    numbers = ("learning_rate_factor", "weight_decay", "l1", "l2", "max_norm")
    return {
        "type": "object",
        "properties": {
            "match": {"type": "string", "minLength": 1},
            "as_vector": {"type": "boolean"},
            **{name: {"type": "number"} for name in numbers},
        },
        "required": ["match"],
        "additionalProperties": False,
    }


def _network() -> Schema:
    return {
        "type": "object",
        "description": "deltarule.network",
        "properties": {
            "version": {"const": VERSION},
            "seed": COUNT,
            "input_width": {"type": "integer", "minimum": 1},
            "layers": {"$ref": "#/$defs/layers"},
        },
        "required": ["version", "seed", "input_width", "layers"],
        "additionalProperties": False,
    }


def _trainer() -> Schema:
    optional = {"type": ["number", "null"]}
    control = {
        name: {"type": "number"}
        for name in (
            "l1", "l2", "mixup", "dp_noise_multiplier", "max_norm", "ema_decay", "dp_clip_norm",
        )
    }  # fmt: skip
    properties = {
        "loss": {"$ref": "#/$defs/loss"},
        "optimizer": {"$ref": "#/$defs/optimizer"},
        "schedule": _list_of("schedule"),
        "metrics": _list_of("metric"),
        "clip_norm": optional,
        "clip_value": optional,
        "seed": COUNT,
        "steps_done": COUNT,
    }
    return {
        "type": "object",
        "description": "deltarule.trainer",
        "properties": {
            **properties,
            "averaged": COUNT,
            "parameter_groups": {"type": "array", "items": _group()},
            "decay_exclude": {"const": "bias_and_norm"},
            "swa_start": COUNT,
            **control,
        },
        "required": list(properties),
        "additionalProperties": False,
    }


def schema() -> Schema:
    """`$defs/network` and `$defs/trainer` describe the two texts; the schema itself an object of both."""
    families = ("activation", "initializer", "layer", "loss", "optimizer", "schedule", "metric")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"deltarule model file, format version {VERSION}",
        "description": "The JSON texts under __metadata__ of a deltarule safetensors file",
        "type": "object",
        "properties": {"network": {"$ref": "#/$defs/network"}, "trainer": {"$ref": "#/$defs/trainer"}},
        "required": ["network"],
        "$defs": {
            "network": _network(),
            "trainer": _trainer(),
            "layers": {"type": "array", "items": {"$ref": "#/$defs/layer"}},
            **{family: _family(family) for family in families},
        },
    }


def text() -> str:
    """The file as it is written."""
    return json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
