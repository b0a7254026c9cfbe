"""Oracles of the layers on images, by plain loops over the places of the window."""

import numpy as np


def window(shape, size, strides, padding):
    """(places down, places right, rows missing above, columns missing at the left, window, steps)."""
    size = (size[0], size[-1])
    strides = (strides[0], strides[-1]) if strides else size
    places, before = [], []
    for n, k, s in zip(shape, size, strides, strict=False):
        count = -(-n // s) if padding == "same" else (n - k) // s + 1
        places.append(count)
        before.append(max(0, (count - 1) * s + k - n) // 2 if padding == "same" else 0)
    return places, before, size, strides


def patches(x, shape, geometry, fill):
    """Array (rows, down, right, place, channel) of what every window sees, and the pixel's number or -1."""
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
