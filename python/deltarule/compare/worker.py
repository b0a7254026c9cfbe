"""One run: ``python -m deltarule.compare.worker NAME CONTEST ROWS`` prints the result as JSON."""

import json
import sys
import warnings
from dataclasses import asdict, replace
from statistics import median
from time import perf_counter

import numpy as np

from .contest import Array, Contest, Result
from .contestants import CONTESTANTS

_WARM_ROWS = 1000
_PREDICTION_SECONDS = 0.3


def work(name: str, contest: Contest, X: Array, y: Array, X_test: Array, y_test: Array) -> Result:
    """Warm up on a few rows, then time training and prediction."""
    warnings.simplefilter("ignore")
    warm = CONTESTANTS[name](replace(contest, epochs=1))
    warm.predict(warm.fit(X[:_WARM_ROWS], y[:_WARM_ROWS]), X_test)

    contestant = CONTESTANTS[name](contest)
    started = perf_counter()
    model = contestant.fit(X, y)
    seconds = perf_counter() - started

    predicted = contestant.predict(model, X_test)
    times: list[float] = []
    while len(times) < 5 or sum(times) < _PREDICTION_SECONDS:
        started = perf_counter()
        contestant.predict(model, X_test)
        times.append(perf_counter() - started)
    return Result(
        contestant.version,
        seconds,
        score(contest, predicted, y_test),
        median(times) / len(X_test),
        contest.threads,
    )


def score(contest: Contest, predicted: Array, truth: Array) -> float:
    """Return the accuracy, or R²."""
    if contest.task == "classification":
        return float((predicted == truth).mean())
    truth = truth.reshape(-1).astype(np.float64)
    return 1 - float(((predicted - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def main() -> None:
    """Read the arguments, run, print."""
    name, settings, path = sys.argv[1:]
    given = json.loads(settings)
    contest = Contest(**{**given, "hidden": tuple(given["hidden"])})
    with np.load(path, allow_pickle=False) as rows:
        result = work(name, contest, rows["X"], rows["y"], rows["X_test"], rows["y_test"])
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
