"""The contestants: each makes a model, trains it, and predicts labels or values."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .contest import Array, Contest
from .numpy_mlp import NumpyMLP


class Contestant(NamedTuple):
    """A library: its version, how it trains on ``(X, y)``, and what the trained model predicts."""

    version: str
    fit: Callable[[Array, Array], Any]
    predict: Callable[[Any, Array], Array]


def deltarule(contest: Contest) -> Contestant:
    """Set up this library."""
    import deltarule as dr

    dr.set_num_threads(contest.threads)

    def fit(X: Array, y: Array) -> dr.Sequential:
        hidden = [dr.Dense(units, activation="relu") for units in contest.hidden]
        network = dr.Sequential([*hidden, dr.Dense(contest.outputs)], seed=contest.seed)
        loss = "sparse_softmax_cross_entropy" if contest.task == "classification" else "mse"
        network.compile(dr.optimizers.Adam(learning_rate=contest.learning_rate), loss=loss)
        network.fit(X, y, batch_size=contest.batch_size, epochs=contest.epochs, verbose=0)
        return network

    def predict(network: dr.Sequential, X: Array) -> Array:
        return _decide(contest, network.predict(X))

    return Contestant(str(dr.__version__), fit, predict)


def numpy(contest: Contest) -> Contestant:
    """Set up the written-out NumPy network."""

    def fit(X: Array, y: Array) -> NumpyMLP:
        sizes = [X.shape[1], *contest.hidden, contest.outputs]
        model = NumpyMLP(
            sizes, contest.task == "classification", contest.batch_size, contest.learning_rate, contest.seed
        )
        model.fit(X, y, contest.epochs)
        return model

    return Contestant(np.__version__, fit, lambda model, X: _decide(contest, model.predict(X)))


def scikit_learn(contest: Contest) -> Contestant:
    """Set up scikit-learn's estimators, without regularisation and early stopping."""
    import sklearn
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    def fit(X: Array, y: Array) -> Any:
        kind = MLPClassifier if contest.task == "classification" else MLPRegressor
        model = kind(
            hidden_layer_sizes=contest.hidden,
            alpha=0.0,
            batch_size=contest.batch_size,
            learning_rate_init=contest.learning_rate,
            max_iter=contest.epochs,
            n_iter_no_change=contest.epochs + 1,
            random_state=contest.seed,
        )
        return model.fit(X, y.reshape(-1))

    return Contestant(sklearn.__version__, fit, lambda model, X: np.asarray(model.predict(X)))


def pytorch(contest: Contest) -> Contestant:
    """Set up PyTorch: no data loader, which would slow it down, and the fused Adam where there is one."""
    import torch

    torch.set_num_threads(contest.threads)
    torch.manual_seed(contest.seed)
    classes = contest.task == "classification"

    def fit(X: Array, y: Array) -> Any:
        sizes = [X.shape[1], *contest.hidden]
        layers: list[Any] = []
        for a, b in pairwise(sizes):
            layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], contest.outputs))
        try:
            rule = torch.optim.Adam(model.parameters(), lr=contest.learning_rate, fused=True)
        except (RuntimeError, TypeError):
            rule = torch.optim.Adam(model.parameters(), lr=contest.learning_rate)
        loss = torch.nn.CrossEntropyLoss() if classes else torch.nn.MSELoss()
        inputs = torch.from_numpy(X)
        targets = torch.from_numpy(y.astype(np.int64) if classes else y)
        for _ in range(contest.epochs):
            for rows in torch.randperm(len(inputs)).split(contest.batch_size):
                rule.zero_grad(set_to_none=True)
                loss(model(inputs[rows]), targets[rows]).backward()
                rule.step()
        return model

    def predict(model: Any, X: Array) -> Array:
        with torch.inference_mode():
            return _decide(contest, model(torch.from_numpy(X)).numpy())

    return Contestant(torch.__version__, fit, predict)


def _decide(contest: Contest, outputs: Array) -> Array:
    return outputs.argmax(axis=1) if contest.task == "classification" else outputs.reshape(-1)


CONTESTANTS: dict[str, Callable[[Contest], Contestant]] = {
    "deltarule": deltarule,
    "numpy": numpy,
    "scikit-learn": scikit_learn,
    "pytorch": pytorch,
}
