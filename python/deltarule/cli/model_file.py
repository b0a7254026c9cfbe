"""Model files: the network with, in its metadata, the preprocessing and how it was trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deltarule as dr
from deltarule.data import DataError, FeatureOptions, Features, Prepared, Target, restore
from deltarule.report import Story

from .outcome import summary
from .training import Trained

KEY = "table"


@dataclass
class Model:
    """A loaded model."""

    path: Path
    network: dr.Sequential
    features: Features
    target: Target
    summary: dict[str, Any]


def metadata(prepared: Prepared, trained: Trained, told: Story, treatment: FeatureOptions) -> dict[str, Any]:
    """Describe preprocessing and training with JSON's own types."""
    return {**prepared.to_json(), "training": summary(trained, told, treatment)}


def save(path: Path, network: dr.Sequential, description: dict[str, Any]) -> None:
    """Write the weights without the state of the optimizer, which early stopping has made useless."""
    plain = dr.Sequential(network.layers, seed=network.seed, dtype=network.dtype)
    plain.build(len(next(iter(network.parameters().values()))))
    plain.set_weights(network.get_weights())
    plain.metadata[KEY] = description
    plain.save(path)


def load_network(path: Path) -> dr.Sequential:
    """Read any network."""
    if path.is_dir():
        raise DataError(f"{path}: this is a directory, not a model file")
    if not path.exists():
        raise DataError(f"{path}: there is no such file")
    return dr.load(path)


def load(path: Path) -> Model:
    """Read a model that `save` wrote; a network without preprocessing is refused."""
    network = load_network(path)
    description = network.metadata.get(KEY)
    if not isinstance(description, dict):
        raise DataError(
            f"{path}: a network without preprocessing, not written by `deltarule train`; "
            "use it from Python: deltarule.load(path).predict(X)"
        )
    features, target = restore(description)
    arrays = list(network.parameters().values())
    if len(features.names) != arrays[0].shape[0] or target.outputs != arrays[-1].shape[-1]:
        raise DataError(f"{path}: the preprocessing does not fit the network ({len(features.names)} inputs)")
    return Model(path, network, features, target, dict(description.get("training", {})))
