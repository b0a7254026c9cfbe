"""Oracles of the layers, in training mode: name -> (forward, backward).

forward(x, arrays, **parameters) -> (y, memory); backward(memory, dy) -> (dx, gradients by name). `arrays`
holds the layer's parameters and statistics by name, and "mask" for dropout.
"""

import numpy as np

from .activations import ORACLES as ACTIVATIONS
from .images import ORACLES as IMAGES
from .row_ops import ORACLES as ROW_OPS
from .wide import PI, WIDE, logistic, wide


def apply(activation, x):
    """(y, what turns dy into dx) of a chosen activation, {"name": ..., parameters}, or None."""
    if activation is None:
        return x, lambda dy: dy
    settings = {k: v for k, v in activation.items() if k != "name"}
    if activation["name"] in ROW_OPS:
        oracle = ROW_OPS[activation["name"]]
        y = oracle.forward(x, **settings)
        return y, lambda dy: oracle.backward(x, y, dy, **settings)[0]
    oracle = ACTIVATIONS[activation["name"]]
    y = oracle.forward(x, **settings)
    return y, lambda dy: dy * sum(oracle.slopes(x, y, **settings))


def normalise(x, axis, epsilon):
    """x with mean 0 and variance 1 along the axis, the mean, the inverse deviation."""
    x = wide(x)
    mean = x.mean(axis=axis, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=axis, keepdims=True)
    inverse = 1 / np.sqrt(variance + WIDE(epsilon))
    return (x - mean) * inverse, mean.squeeze(axis), inverse.squeeze(axis)


def normalise_backward(hat, inverse, axis, gain, dy):
    inverse = np.expand_dims(inverse, axis)
    dhat = wide(dy) * gain
    along = dhat.mean(axis=axis, keepdims=True), (dhat * hat).mean(axis=axis, keepdims=True)
    return inverse * (dhat - along[0] - hat * along[1]), (dy * hat).sum(axis=0), wide(dy).sum(axis=0)


def dense(x, arrays, units, activation=None, use_bias=True):
    z = x @ arrays["weight"] + (arrays["bias"] if use_bias else 0)
    y, slope = apply(activation, z)
    return y, (x, arrays["weight"], slope, use_bias)


def dense_backward(memory, dy):
    x, weight, slope, use_bias = memory
    dz = slope(dy)
    gradients = {"weight": x.T @ dz} | ({"bias": dz.sum(axis=0)} if use_bias else {})
    return dz @ weight.T, gradients


def activation(x, arrays, activation):
    return apply(activation, x)


def activation_backward(slope, dy):
    return slope(dy), {}


def prelu(x, arrays, alpha=0.25, shared=False):
    slope = np.where(x > 0, WIDE(1), arrays["alpha"])
    return slope * x, (slope, {"alpha": np.where(x > 0, WIDE(0), x)}, shared)


def learned_swish(x, arrays, beta=1.0, shared=False):
    z = arrays["beta"] * x
    s, t = logistic(z), logistic(z) * logistic(-z)
    return x * s, (s + z * t, {"beta": x * x * t}, shared)


def adaptive_relu(x, arrays, alpha=0.25):
    """The greater of alpha(x) x and x, by cases of that."""
    a, c = arrays["steepness"], arrays["offset"]
    slope = logistic(a * x + c)
    t = slope * logistic(-a * x - c)
    bent = slope * x > x
    derivatives = {"steepness": np.where(bent, x * x * t, WIDE(0)), "offset": np.where(bent, x * t, WIDE(0))}
    return np.maximum(slope * x, x), (np.where(bent, slope + x * t * a, WIDE(1)), derivatives, False)


def learned_backward(memory, dy):
    slope, derivatives, shared = memory
    sums = {name: (dy * d).sum(axis=0) for name, d in derivatives.items()}
    return dy * slope, {name: g.sum(keepdims=True) if shared else g for name, g in sums.items()}


def weight_norm(x, arrays, layer):
    """Of a described dense layer: its weight is V."""
    name, settings = layer["name"], {k: layer[k] for k in ("units", "use_bias") if k in layer}
    v = arrays[f"{name}.weight"]
    length = np.sqrt((v * v).sum(axis=0))
    effective = {"weight": arrays["gain"] * v / length}
    if settings["use_bias"]:
        effective["bias"] = arrays[f"{name}.bias"]
    y, memory = dense(x, effective, activation=layer.get("activation"), **settings)
    return y, (memory, name, v, length, arrays["gain"])


def weight_norm_backward(memory, dy):
    """By the product and quotient rules, without the unit vector of the library's form."""
    inner, name, v, length, gain = memory
    dx, gradients = dense_backward(inner, dy)
    dw = gradients.pop("weight")
    along = (dw * v).sum(axis=0)
    result = {f"{name}.weight": gain * dw / length - gain * along * v / length**3}
    return dx, result | {f"{name}.{k}": g for k, g in gradients.items()} | {"gain": along / length}


def dropout(x, arrays, rate):
    """The library's mask, taken from its output; `rate` is kept to the nearest 1/65536."""
    kept = 1 - WIDE(round(rate * 65536)) / 65536
    return x * arrays["mask"] / kept, arrays["mask"] / kept


def dropout_backward(factor, dy):
    return dy * factor, {}


def alpha_dropout(x, arrays, rate):
    """The same mask; what is dropped becomes -lambda alpha of SELU before the affine map."""
    limit = -WIDE("1.7580993408473768599")
    q = 1 - WIDE(round(rate * 65536)) / 65536
    a = 1 / np.sqrt(q + limit**2 * q * (1 - q))
    kept = arrays["mask"]
    return a * (x * kept + limit * (1 - kept)) - a * (1 - q) * limit, a * kept


def gaussian_noise(x, arrays, deviation):
    return x + WIDE(deviation) * arrays["noise"], WIDE(1)


def rms_norm(x, arrays, epsilon=1e-6):
    root = np.sqrt((x * x).mean(axis=1, keepdims=True) + WIDE(epsilon))
    return arrays["gain"] * x / root, (x, root, arrays["gain"])


def rms_norm_backward(memory, dy):
    """By the quotient rule, from the root: d root / dx_j = x_j / (n root)."""
    x, root, gain = memory
    inner = (dy * gain * x).sum(axis=1, keepdims=True)
    dx = dy * gain / root - x * inner / (x.shape[1] * root**3)
    return dx, {"gain": (dy * x / root).sum(axis=0)}


def embedding(x, arrays, columns, cardinalities, dimension):
    """One-hot products: the tables in place of look-ups."""
    others = [j for j in range(x.shape[1]) if j not in columns]
    hot = [np.eye(n)[x[:, c].astype(int)] for c, n in zip(columns, cardinalities, strict=True)]
    vectors = [h @ arrays[f"table_{c}"] for h, c in zip(hot, columns, strict=True)]
    return np.hstack([x[:, others], *vectors]), (x.shape, others, columns, hot)


def embedding_backward(memory, dy):
    shape, others, columns, hot = memory
    dx = np.zeros(shape, dtype=dy.dtype)
    dx[:, others] = dy[:, : len(others)]
    blocks = np.split(dy[:, len(others) :], len(columns), axis=1)
    return dx, {f"table_{c}": h.T @ g for c, h, g in zip(columns, hot, blocks, strict=True)}


def periodic_embedding(x, arrays, frequencies, deviation, columns):
    chosen = list(columns) or list(range(x.shape[1]))
    others = [j for j in range(x.shape[1]) if j not in chosen]
    v = 2 * PI * arrays["frequency"] * x[:, chosen, None]
    blocks = np.concatenate([np.sin(v), np.cos(v)], axis=2)
    y = np.hstack([x[:, others], blocks.reshape(len(x), -1)])
    return y, (x, chosen, others, v, arrays["frequency"])


def periodic_embedding_backward(memory, dy):
    x, chosen, others, v, frequency = memory
    dx = np.empty_like(x)
    dx[:, others] = dy[:, : len(others)]
    sines, cosines = np.split(dy[:, len(others) :].reshape(len(x), len(chosen), -1), 2, axis=2)
    dv = sines * np.cos(v) - cosines * np.sin(v)
    dx[:, chosen] = 2 * PI * (dv * frequency).sum(axis=2)
    return dx, {"frequency": 2 * PI * (dv * x[:, chosen, None]).sum(axis=0)}


def rbf(x, arrays, units, width=1.0, use_bias=True):
    sigma = WIDE(width) * np.exp(arrays["log_width"])
    u = (x[:, :, None] - arrays["centre"]) / sigma
    kernel = np.exp(-u * u / 2)
    return kernel.sum(axis=1) + (arrays["bias"] if use_bias else 0), (u, kernel, sigma, use_bias)


def rbf_backward(memory, dy):
    u, kernel, sigma, use_bias = memory
    slope = dy[:, None, :] * kernel * u / sigma
    gradients = {"centre": slope.sum(axis=0), "log_width": (slope * u * sigma).sum(axis=(0, 1))}
    return -slope.sum(axis=2), gradients | ({"bias": dy.sum(axis=0)} if use_bias else {})


def batch_norm(x, arrays, momentum=0.9, epsilon=1e-5, unbiased=False):
    return _norm(x, arrays, 0, epsilon)


def layer_norm(x, arrays, epsilon=1e-5):
    return _norm(x, arrays, 1, epsilon)


def _norm(x, arrays, axis, epsilon):
    hat, _, inverse = normalise(x, axis, epsilon)
    return hat * arrays["gain"] + arrays["shift"], (hat, inverse, axis, arrays["gain"])


def norm_backward(memory, dy):
    dx, gain, shift = normalise_backward(*memory, dy)
    return dx, {"gain": gain, "shift": shift}


def standardize(x, arrays):
    return (x - arrays["mean"]) / arrays["deviation"], arrays["deviation"]


def standardize_backward(deviation, dy):
    return dy / deviation, {}


def residual(x, outputs):
    return x + outputs[0], 1


def residual_backward(count, dy):
    return dy, [dy]


def branches(x, outputs, merge):
    if merge == "concat":
        return np.concatenate(outputs, axis=1), np.cumsum([o.shape[1] for o in outputs])[:-1]
    return sum(outputs) / (len(outputs) if merge == "mean" else 1), (merge, len(outputs))


def branches_backward(memory, dy):
    if isinstance(memory, np.ndarray):
        return 0, np.split(dy, memory, axis=1)
    merge, count = memory
    return 0, [dy / count if merge == "mean" else dy] * count


# Layers with others inside: forward(x, outputs of the chains, **parameters) -> (y, memory);
# backward(memory, dy) -> (the part of dx that goes past the chains, dy of every chain).
COMPOSITES = {
    "residual": (residual, residual_backward),
    "branches": (branches, branches_backward),
}

ORACLES = (
    COMPOSITES
    | {
        "dense": (dense, dense_backward),
        "activation": (activation, activation_backward),
        "prelu": (prelu, learned_backward),
        "adaptive_relu": (adaptive_relu, learned_backward),
        "learned_swish": (learned_swish, learned_backward),
        "weight_norm": (weight_norm, weight_norm_backward),
        "dropout": (dropout, dropout_backward),
        "alpha_dropout": (alpha_dropout, dropout_backward),
        "gaussian_noise": (gaussian_noise, dropout_backward),
        "embedding": (embedding, embedding_backward),
        "periodic_embedding": (periodic_embedding, periodic_embedding_backward),
        "rbf": (rbf, rbf_backward),
        "rms_norm": (rms_norm, rms_norm_backward),
        "batch_norm": (batch_norm, norm_backward),
        "layer_norm": (layer_norm, norm_backward),
        "standardize": (standardize, standardize_backward),
    }
    | IMAGES
)
