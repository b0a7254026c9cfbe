"""Oracles of the layers on images, by plain loops over the places of the window.

They are told the shape of the image they read, `image`, by `mark`: a description holds the shapes only where
the user gave them.
"""

import numpy as np

from .activations import ORACLES as ACTIVATIONS


def mark(layers, shape=None):
    """Write into the described layers the shape (height, width, channels) of the image that each reads."""
    for layer in layers:
        if layer["type"] == "reshape":
            shape = tuple(layer["shape"])
        elif layer["type"] in ("conv_2d", "max_pool_2d"):
            layer["image"] = shape
            size = layer["kernel_size"] if layer["type"] == "conv_2d" else layer["pool_size"]
            places = window(shape, size, layer["strides"], layer["padding"])[0]
            shape = (*places, layer.get("filters", shape[2]))
        for chain in [layer["block"]] if "block" in layer else layer.get("branches", []):
            mark(chain, shape)


def window(shape, size, strides, padding):
    """(places down and right, lines and columns missing before the image, window, steps)."""
    size = (size[0], size[-1])
    strides = (strides[0], strides[-1]) if strides else size
    places, before = [], []
    for n, k, s in zip(shape[:2], size, strides, strict=True):
        count = -(-n // s) if padding == "same" else (n - k) // s + 1
        places.append(count)
        before.append(max(0, (count - 1) * s + k - n) // 2 if padding == "same" else 0)
    return places, before, size, strides


def patches(x, shape, geometry, fill):
    """What every window sees (rows, down, right, place, channel), and the pixels' numbers or -1."""
    places, before, size, strides = geometry
    image = x.reshape(len(x), *shape)
    seen = np.full((len(x), *places, size[0] * size[1], shape[2]), fill, dtype=x.dtype)
    pixel = np.full((*places, size[0] * size[1]), -1)
    for u, v in np.ndindex(*places):
        for a, b in np.ndindex(*size):
            i, j = u * strides[0] + a - before[0], v * strides[1] + b - before[1]
            if 0 <= i < shape[0] and 0 <= j < shape[1]:
                seen[:, u, v, a * size[1] + b] = image[:, i, j]
                pixel[u, v, a * size[1] + b] = i * shape[1] + j
    return seen, pixel


def scatter(gradient, pixel, shape):
    """Adds what every window gives back to its pixels."""
    dx = np.zeros((len(gradient), shape[0] * shape[1], shape[2]), dtype=gradient.dtype)
    for at in np.ndindex(pixel.shape):
        if pixel[at] >= 0:
            dx[:, pixel[at]] += gradient[(slice(None), *at)]
    return dx.reshape(len(gradient), -1)


def reshape(x, arrays, shape):
    return x, None


def reshape_backward(memory, dy):
    return dy, {}


def before_activation(x, arrays, image, filters, kernel_size, strides, padding, use_bias=True):
    """(what the activation sees (rows, down, right, filter), what the windows see, the pixels' numbers)."""
    seen, pixel = patches(x, image, window(image, kernel_size, strides, padding), 0)
    z = np.tensordot(seen, arrays["weight"].reshape(*seen.shape[3:], filters), 2)
    return z + (arrays["bias"] if use_bias else 0), seen, pixel


def conv_2d(x, arrays, image, activation=None, **settings):
    z, seen, pixel = before_activation(x, arrays, image, **settings)
    slope = 1
    y = z
    if activation is not None:
        oracle = ACTIVATIONS[activation["name"]]
        chosen = {k: v for k, v in activation.items() if k != "name"}
        y = oracle.forward(z, **chosen)
        slope = sum(oracle.slopes(z, y, **chosen))
    return y.reshape(len(x), -1), (seen, pixel, slope, arrays["weight"], image, "bias" in arrays)


def conv_2d_backward(memory, dy):
    seen, pixel, slope, weight, image, use_bias = memory
    dz = dy.reshape(*seen.shape[:3], -1) * slope
    dweight = np.tensordot(seen, dz, ([0, 1, 2], [0, 1, 2])).reshape(weight.shape)
    back = (dz @ weight.T).reshape(seen.shape)
    gradients = {"weight": dweight} | ({"bias": dz.sum(axis=(0, 1, 2))} if use_bias else {})
    return scatter(back, pixel, image), gradients


def max_pool_2d(x, arrays, image, pool_size, strides, padding):
    seen, pixel = patches(x, image, window(image, pool_size, strides, padding), -np.inf)
    first = seen.argmax(axis=3)[:, :, :, None]  # the first of equals
    return np.take_along_axis(seen, first, 3).reshape(len(x), -1), (seen, pixel, first, image)


def max_pool_2d_backward(memory, dy):
    seen, pixel, first, image = memory
    back = np.zeros_like(seen)
    np.put_along_axis(back, first, dy.reshape(first.shape), 3)
    return scatter(back, pixel, image), {}


ORACLES = {
    "reshape": (reshape, reshape_backward),
    "conv_2d": (conv_2d, conv_2d_backward),
    "max_pool_2d": (max_pool_2d, max_pool_2d_backward),
}
