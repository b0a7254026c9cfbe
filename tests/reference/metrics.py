"""Oracles of the metrics: name -> f(prediction, target, weight, **parameters).

`target` is an array of labels or of the prediction's shape; `weight` has one number per row.
"""

import numpy as np


def _labels(prediction, target):
    return target if target.ndim == 1 else target.argmax(axis=1)


def _mean(per_row, weight):
    return (weight * per_row).sum() / weight.sum()


def accuracy(prediction, target, weight, threshold):
    if prediction.shape[1] == 1:
        truth = target.reshape(-1) > 0.5
        return _mean((prediction[:, 0] > threshold) == truth, weight)
    return _mean(prediction.argmax(axis=1) == _labels(prediction, target), weight)


def binary_accuracy(prediction, target, weight, threshold):
    return _mean(((prediction > threshold) == (target > 0.5)).mean(axis=1), weight)


def top_k(prediction, target, weight, k):
    own = prediction[np.arange(len(prediction)), _labels(prediction, target)]
    return _mean((prediction > own[:, None]).sum(axis=1) < k, weight)


def mse(prediction, target, weight):
    return _mean(((prediction - target) ** 2).mean(axis=1), weight)


def mae(prediction, target, weight):
    return _mean(abs(prediction - target).mean(axis=1), weight)


def r2(prediction, target, weight):
    w = weight[:, None]
    mean = (w * target).sum(axis=0) / w.sum()
    spread = (w * (target - mean) ** 2).sum(axis=0)
    rest = (w * (target - prediction) ** 2).sum(axis=0)
    alike = np.ptp(target[weight > 0], axis=0) == 0
    return np.where(alike, 0, 1 - rest / np.where(alike, 1, spread)).mean()


ORACLES = {f.__name__: f for f in (accuracy, binary_accuracy, top_k, mse, mae, r2)}
