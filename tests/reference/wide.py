"""Elementary functions in long double (64-bit mantissa on x86-64), in branches that lose no digits."""

import numpy as np

WIDE = np.longdouble
PI = WIDE("3.14159265358979323846264338327950288")


def wide(x):
    return np.asarray(x).astype(WIDE)


def logistic(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def times(x, weight):
    """x * weight, where a weight of zero wins over an infinite x."""
    with np.errstate(invalid="ignore"):
        return np.where((weight == 0) & ~np.isnan(x), 0, x * weight)


def normal_pdf(x):
    with np.errstate(over="ignore"):
        return np.exp(-x * x / 2) / np.sqrt(2 * PI)


def normal_cdf(x):
    """Phi(x): a series of positive terms near the middle, Laplace's continued fraction in the tails."""
    x = wide(x)
    a = np.minimum(np.abs(x), 200)
    near = np.minimum(a, 3)
    term = total = near
    for k in range(1, 80):
        term = term * near * near / (2 * k + 1)
        total = total + term
    inner = WIDE(0.5) - normal_pdf(near) * total
    far = np.maximum(a, 3)
    fraction = far
    for k in range(160, 0, -1):
        fraction = far + k / fraction
    upper = np.where(a < 3, inner, normal_pdf(far) / fraction)  # 1 - Phi(|x|)
    return np.where(np.isnan(x), x, np.where(x > 0, 1 - upper, upper))


def log_sum_exp(z):
    """Of every row."""
    m = z.max(axis=1, keepdims=True)
    return (m + np.log(np.exp(z - m).sum(axis=1, keepdims=True)))[:, 0]


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
