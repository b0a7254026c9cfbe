"""Oracles of the losses: name -> f(prediction, target, **parameters) -> (loss per row, gradient, size of it).

Everything is long double. `size` is the larger of |gradient| and of the terms it is the difference of, where
these are independent (soft targets, say): an error is asked for relative to it.
"""

import numpy as np

from .wide import log_sum_exp, logistic, softmax, softplus, wide


def mse(y, t):
    r = y - t
    return (r * r).mean(axis=1), 2 * r / y.shape[1], abs(2 * r / y.shape[1])


def quadratic(y, t):
    r = y - t
    return (r * r).sum(axis=1) / 2, r, abs(r)


def sigmoid_cross_entropy(z, t, pos_weight):
    value = (1 - t) * softplus(z) + pos_weight * t * softplus(-z)
    negative, positive = (1 - t) * logistic(z), pos_weight * t * logistic(-z)
    return value.sum(axis=1), negative - positive, np.maximum(negative, positive)


def softmax_cross_entropy(z, t, label_smoothing):
    t = (1 - label_smoothing) * t + label_smoothing / wide(z.shape[1])
    mass = t.sum(axis=1)
    value = _cross_entropy(z, t)
    p = softmax(z)
    one_hot = (t.max(axis=1) == mass)[:, None]
    gradient = np.where(one_hot, np.where(t > 0, -_others(p) * t, p * mass[:, None]), p * mass[:, None] - t)
    size = np.where(one_hot, abs(gradient), np.maximum(p * mass[:, None], t))
    return value, gradient, size


def sparse_softmax_cross_entropy(z, label, label_smoothing):
    t = np.zeros_like(z)
    t[np.arange(len(z)), label] = 1
    return softmax_cross_entropy(z, t, label_smoothing)


def _cross_entropy(z, t):
    """Sum of t (log_sum_exp(z) - z): no term is negative, and log1p keeps a loss near zero."""
    m = z.max(axis=1, keepdims=True)
    e = np.exp(z - m)
    first = z.argmax(axis=1)
    e[np.arange(len(z)), first] = 0
    log_sum = np.log1p(e.sum(axis=1))  # log_sum_exp(z) - m
    assert np.allclose(log_sum + m[:, 0], log_sum_exp(z))
    return (t * (m - z)).sum(axis=1) + t.sum(axis=1) * log_sum


def _others(p):
    """1 - p, as the sum of the rest of the row."""
    result = np.empty_like(p)
    for j in range(p.shape[1]):
        result[:, j] = p[:, :j].sum(axis=1) + p[:, j + 1 :].sum(axis=1)
    return result


ORACLES = {
    "mse": mse,
    "quadratic": quadratic,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "sparse_softmax_cross_entropy": sparse_softmax_cross_entropy,
}
