"""Oracles of the losses: name -> f(prediction, target, **parameters) -> (loss per row, gradient, size of it).

Everything is long double. `size` is the larger of |gradient| and of the terms it is the difference of, where
these are independent (soft targets, say): an error is asked for relative to it. A loss that is itself such a
difference gives the size of its value as a fourth result.
"""

import numpy as np

from .wide import PI, log_sum_exp, logistic, softmax, softplus, wide


def mse(y, t):
    r = y - t
    return (r * r).mean(axis=1), 2 * r / y.shape[1], abs(2 * r / y.shape[1])


def quadratic(y, t):
    r = y - t
    return (r * r).sum(axis=1) / 2, r, abs(r)


def mae(y, t):
    r = y - t
    return _mean(abs(r)), np.sign(r) / y.shape[1], 1 / wide(y.shape[1])


def huber(y, t, delta):
    r = y - t
    near = abs(r) <= delta
    value = np.where(near, r * r / 2, delta * (abs(r) - delta / 2))
    slope = np.where(near, r, delta * np.sign(r))
    return _mean(value), slope / y.shape[1], abs(slope) / y.shape[1]


def log_cosh(y, t):
    """ln cosh r = log1p(sinh(r)^2) / 2 near 0."""
    r = y - t
    far = abs(r) + softplus(-2 * abs(r)) - np.log(wide(2))
    value = np.where(abs(r) < 1, np.log1p(np.sinh(np.clip(r, -1, 1)) ** 2) / 2, far)
    return _mean(value), np.tanh(r) / y.shape[1], abs(np.tanh(r)) / y.shape[1]


def quantile(y, t, tau):
    r = t - y
    slope = np.where(r >= 0, -tau, 1 - tau) / y.shape[1]
    return _mean(np.maximum(tau * r, (tau - 1) * r)), slope, abs(slope)


def poisson_nll(y, t, log_input, full, epsilon):
    rate, log_rate = (np.exp(y), y) if log_input else (y, np.log(y + epsilon))
    counted = np.where(t > 1, t, 1)
    terms = [rate, -t * log_rate]
    if full:
        stirling = [counted * np.log(counted), -counted, np.log(2 * PI * counted) / 2]
        terms += [np.where(t > 1, term, 0) for term in stirling]
    positive, negative = (rate, t) if log_input else (np.ones_like(y), t / (y + epsilon))
    slope, size = (positive - negative) / y.shape[1], np.maximum(positive, negative) / y.shape[1]
    return _mean(sum(terms)), slope, size, _mean(sum(map(abs, terms)))


def binary_cross_entropy(y, t, epsilon):
    p, q = np.clip(y, epsilon, 1 - epsilon), np.clip(1 - y, epsilon, 1 - epsilon)
    value = -t * np.where(p < 0.5, np.log(p), np.log1p(-q)) - (1 - t) * np.where(
        q < 0.5, np.log(q), np.log1p(-p)
    )
    inside = (y > epsilon) & (1 - y >= epsilon)
    positive, negative = t / p / y.shape[1], (1 - t) / q / y.shape[1]
    return _mean(value), np.where(inside, negative - positive, 0), np.maximum(positive, negative)


def logistic_quadratic(z, t):
    up, down = logistic(z), logistic(-z)
    r, slope = (1 - t) * up - t * down, up * down
    size = np.maximum((1 - t) * up, t * down) * slope / z.shape[1]
    value_size = _mean(np.maximum((1 - t) * up, t * down) ** 2)
    return _mean(r * r) / 2, r * slope / z.shape[1], size, value_size


def categorical_cross_entropy(p, t, epsilon):
    slope = np.where(p <= epsilon, 0, -t / np.maximum(p, epsilon))
    return -(t * np.log(np.maximum(p, epsilon))).sum(axis=1), slope, abs(slope)


def log_likelihood(p, label, epsilon):
    t = np.zeros_like(p)
    t[np.arange(len(p)), label] = 1
    return categorical_cross_entropy(p, t, epsilon)


def kl_divergence(y, t, log_probabilities, epsilon):
    log_q = y if log_probabilities else np.log(np.maximum(y, epsilon))
    own = t * np.log(np.where(t > 0, t, 1))
    slope = -t if log_probabilities else np.where(y <= epsilon, 0, -t / np.maximum(y, epsilon))
    size = (abs(own) + abs(t * log_q)).sum(axis=1)
    return (own - t * log_q).sum(axis=1), slope, abs(slope), size


def _hinge(y, t, margin, power, outputs):
    """max(0, margin - t y)^power, averaged over `outputs`."""
    m = np.maximum(margin - t * y, 0)
    slope = -t * np.where(m > 0, power * m ** (power - 1), 0) / outputs
    # The margin itself is a difference.
    terms = np.maximum(margin, abs(t * y))
    size = np.where(m > 0, abs(t) * power * terms ** (power - 1) / outputs, 0)
    value_size = np.where(m > 0, terms**power, 0).sum(axis=1) / outputs
    return (m**power).sum(axis=1) / outputs, slope, size, value_size


def hinge(y, t):
    return _hinge(y, t, wide(1), 1, y.shape[1])


def squared_hinge(y, t):
    return _hinge(y, t, wide(1), 2, y.shape[1])


def cubed_hinge(y, t):
    return _hinge(y, t, wide(1), 3, y.shape[1])


def half_margin_hinge(y, t):
    return _hinge(y, 2 * t - 1, wide(0.5), 1, 1)


def perceptron(y, t):
    return _hinge(y, t, wide(0), 1, y.shape[1])


def multiclass_hinge(z, label):
    rows = np.arange(len(z))
    own = z[rows, label][:, None]
    m = np.maximum(1 + z - own, 0)
    m[rows, label] = 0
    slope = np.where(m > 0, wide(1), 0)
    slope[rows, label] = -slope.sum(axis=1)
    size = np.where(m > 0, 1 + abs(z) + abs(own), 0).sum(axis=1)
    return m.sum(axis=1), slope, abs(slope), size


def smooth_zero_one(y, t, k):
    x = k * t * y
    slope = -k * t * logistic(x) * logistic(-x) / y.shape[1]
    return _mean(logistic(-x)), slope, abs(slope)


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


def _mean(values):
    return values.sum(axis=1) / wide(values.shape[1])


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
    "mae": mae,
    "huber": huber,
    "log_cosh": log_cosh,
    "quantile": quantile,
    "poisson_nll": poisson_nll,
    "binary_cross_entropy": binary_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "categorical_cross_entropy": categorical_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "sparse_softmax_cross_entropy": sparse_softmax_cross_entropy,
    "log_likelihood": log_likelihood,
    "kl_divergence": kl_divergence,
    "logistic_quadratic": logistic_quadratic,
    "hinge": hinge,
    "squared_hinge": squared_hinge,
    "cubed_hinge": cubed_hinge,
    "half_margin_hinge": half_margin_hinge,
    "multiclass_hinge": multiclass_hinge,
    "perceptron": perceptron,
    "smooth_zero_one": smooth_zero_one,
}
