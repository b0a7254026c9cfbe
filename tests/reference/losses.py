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


def sparse_softmax_cross_entropy(z, label, label_smoothing, ignore_index):
    t = np.zeros_like(z)
    t[np.arange(len(z)), label] = 1
    value, gradient, size = softmax_cross_entropy(z, t, label_smoothing)
    counts = label != ignore_index
    return np.where(counts, value, 0), np.where(counts[:, None], gradient, 0), size


def gaussian_nll(y, t, log_variance, full, epsilon):
    half = y.shape[1] // 2
    mean, given = y[:, :half], y[:, half:]
    v = np.maximum(np.exp(given) if log_variance else given, epsilon)
    log_v = np.maximum(given, np.log(wide(epsilon))) if log_variance else np.log(v)
    clipped = given <= np.log(wide(epsilon)) if log_variance else given <= epsilon
    r = mean - t
    constant = np.log(2 * PI) / 2 if full else 0
    inner = 1 if log_variance else 1 / v
    pull = r / v / half
    spread = np.where(clipped, 0, (1 - r * r / v) * inner / 2 / half)
    size = np.where(clipped, 0, np.maximum(1, r * r / v) * inner / 2 / half)
    return (
        _mean(log_v + r * r / v) / 2 + constant,
        np.hstack([pull, spread]),
        np.hstack([abs(pull), size]),
        _mean(abs(log_v) + r * r / v) / 2 + constant,
    )


def binary_focal(z, t, gamma, alpha):
    def f(z):
        down, loss = logistic(-z), softplus(-z)
        power = np.exp(-gamma * softplus(z))
        return power * loss, power * (down + gamma * logistic(z) * loss)  # value, minus the slope

    (own, slope), (other, opposite) = f(z), f(-z)
    positive, negative = alpha * t, (1 - alpha) * (1 - t)
    up, down = positive * slope / z.shape[1], negative * opposite / z.shape[1]
    return _mean(positive * own + negative * other), down - up, np.maximum(up, down)


def _softmax_parts(z):
    """p, 1 - p and ln p, each with all its digits."""
    p = softmax(z)
    m = z.max(axis=1, keepdims=True)
    e = np.exp(z - m)
    e[np.arange(len(z)), z.argmax(axis=1)] = 0
    return p, _others(p), (z - m) - np.log1p(e.sum(axis=1, keepdims=True))


def _of_label(z, label, value_and_slope):
    """Losses of l = -ln p_t: the gradient is dL/dl (p_c - [c = t])."""
    p, q, log_p = _softmax_parts(z)
    rows = np.arange(len(z))
    value, slope = value_and_slope(-log_p[rows, label], q[rows, label])
    p[rows, label] = -q[rows, label]
    gradient = slope[:, None] * p
    return value, gradient, abs(gradient)


def focal(z, label, gamma):
    def f(loss, q):
        ratio = np.where(q > 0, loss / np.where(q > 0, q, 1), 1)
        return q**gamma * loss, q**gamma * (1 + gamma * (1 - q) * ratio)

    return _of_label(z, label, f)


def alpha_loss(z, label, alpha):
    k = 1 - 1 / wide(alpha)
    return _of_label(
        z, label, lambda loss, q: (loss if k == 0 else -np.expm1(-k * loss) / k, np.exp(-k * loss))
    )


def zero_one(y, label):
    return (y.argmax(axis=1) != label) * wide(1), np.zeros_like(y), np.ones_like(y)


def _estimate(z, probability):
    if probability == "softmax":
        return _softmax_parts(z)
    return logistic(z), logistic(-z), -softplus(-z)


def _excess(p, q, t):
    """p - t, from 1 - p where p is the larger one."""
    return np.where(p > 0.5, (1 - t) - q, p - t)


def _back(p, q, g, size, probability):
    """Gradient of the logits from that of p, and the size of the terms it is made of."""
    if probability == "sigmoid":
        return g * p * q, size * p * q
    rows, first = np.arange(len(p)), p.argmax(axis=1)
    terms = g * p
    terms[rows, first] = 0
    others = terms.sum(axis=1)
    result = p * (g - others[:, None] - (g * p)[rows, first][:, None])
    result[rows, first] = (p * (g * q))[rows, first] - p[rows, first] * others
    return result, p * (size * q + _others(size * p))


def expectation(z, t, probability):
    p, q, _ = _estimate(z, probability)
    r = _excess(p, q, t)
    return abs(r).sum(axis=1), *_back(p, q, np.sign(r), np.ones_like(r), probability)


def regularized_expectation(z, t, probability):
    p, q, _ = _estimate(z, probability)
    r = _excess(p, q, t)
    size = np.maximum(abs(r), np.where((t == 0) | (t == 1), 0, t))
    return (r * r).sum(axis=1), *_back(p, q, 2 * r, 2 * size, probability), (size * size).sum(axis=1)


def chebyshev(z, t, probability):
    p, q, _ = _estimate(z, probability)
    r = _excess(p, q, t)
    # What is equal in double precision is a tie, of which the first counts.
    rows, k = np.arange(len(z)), abs(r).astype(np.float64).argmax(axis=1)
    g = np.zeros_like(r)
    g[rows, k] = np.sign(r[rows, k])
    return abs(r)[rows, k], *_back(p, q, g, abs(g), probability), np.maximum(p, t).max(axis=1)


def squared_log(z, t, probability):
    p, q, log_p = _estimate(z, probability)
    g = 2 * t * t * log_p
    value = ((t * log_p) ** 2).sum(axis=1)
    if probability == "sigmoid":
        return value, g * q, abs(g * q)
    gradient = g * q - p * _others(g)
    return value, gradient, abs(g) * q + p * _others(abs(g))


def tanimoto(z, t, probability):
    p, q, _ = _estimate(z, probability)
    s = (p * t).sum(axis=1, keepdims=True)
    squares = (p * p + t * t).sum(axis=1, keepdims=True)
    union = np.where(squares > s, squares - s, 1)
    terms = [2 * s * p / union**2, t * squares / union**2]
    return -(s / union)[:, 0], *_back(p, q, terms[0] - terms[1], sum(terms), probability)


def cauchy_schwarz(z, t):
    with np.errstate(divide="ignore"):
        log_t = np.log(t)
    v, _, log_v = _softmax_parts(2 * z)
    w, other, _ = _softmax_parts(z + log_t)
    terms = [log_sum_exp(2 * z) / 2, log_sum_exp(z + log_t), np.log((t * t).sum(axis=1)) / 2]
    one_hot = (t > 0).sum(axis=1) == 1
    own = np.where(t > 0, log_v, 0).sum(axis=1)
    value = np.where(one_hot, -own / 2, terms[0] - terms[1] + terms[2])
    size = np.where(one_hot, -own / 2, abs(terms[0]) + abs(terms[1]) + abs(terms[2]))
    both = (v > 0.5) & (w > 0.5)
    gradient = np.where(both, other - _others(v), v - w)
    return value, gradient, np.where(both, np.maximum(other, _others(v)), np.maximum(v, w)), size


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
    "gaussian_nll": gaussian_nll,
    "binary_focal": binary_focal,
    "focal": focal,
    "alpha_loss": alpha_loss,
    "zero_one": zero_one,
    "expectation": expectation,
    "regularized_expectation": regularized_expectation,
    "chebyshev": chebyshev,
    "squared_log": squared_log,
    "tanimoto": tanimoto,
    "cauchy_schwarz": cauchy_schwarz,
}
