"""Whole networks in long double, from the library's own description of them."""

import functools
import itertools
import json

import numpy as np

from . import images
from .activations import places
from .initializers import philox_4x32, philox_key
from .layers import COMPOSITES, ORACLES, weight_norm
from .wide import PI, WIDE, wide

DROPOUT, NOISE = 3, 4  # deltarule::engine::Stream
_32 = (1 << 32) - 1


@functools.lru_cache(maxsize=64)
def dropout_mask(seed, layer, step, rows, width, rate):
    """1 where a value is kept. 128 columns share 16 Philox blocks; a word's halves serve 16 columns each."""
    key = philox_key(seed, DROPOUT, layer)
    blocks = (width + 127) // 128
    mask = np.empty((rows, blocks, 4, 2, 16))
    for row in range(rows):
        for block in range(blocks):
            for lane in range(16):
                low = (row * blocks + block) * 16 + lane
                x = philox_4x32((low & _32, low >> 32, step & _32, step >> 32), key)
                mask[row, block, :, :, lane] = [[word & 0xFFFF, word >> 16] for word in x]
    return (mask.reshape(rows, -1)[:, :width] >= round(rate * 65536)).astype(float)


@functools.lru_cache(maxsize=64)
def normal_noise(seed, layer, step, rows, width):
    """Normal numbers by Box & Muller. 64 columns share 16 Philox blocks; two words make two numbers."""
    key = philox_key(seed, NOISE, layer)
    blocks = (width + 63) // 64
    noise = np.empty((rows, blocks, 2, 2, 16), dtype=WIDE)
    for row in range(rows):
        for block in range(blocks):
            for lane in range(16):
                low = (row * blocks + block) * 16 + lane
                x = philox_4x32((low & _32, low >> 32, step & _32, step >> 32), key)
                for pair in range(2):
                    uniform = (WIDE(x[2 * pair] >> 9) + WIDE(0.5)) / 2**23
                    word = x[2 * pair + 1]
                    angle = WIDE((word - (1 << 32) if word >> 31 else word) >> 8) / 2**23 * PI
                    radius = np.sqrt(-2 * np.log(uniform))
                    noise[row, block, pair, :, lane] = radius * np.cos(angle), radius * np.sin(angle)
    return noise.reshape(rows, -1)[:, :width]


INSIDE = ("block", "branches")  # arguments that take layers


def chains(layer):
    """The chains of layers inside a described layer."""
    if "layer" in layer:
        return [[layer["layer"]]]
    return [layer["block"]] if "block" in layer else layer.get("branches", [])


def kinks(layer):
    """Where what a layer computes from its product, or from its input, is not smooth."""
    if layer["type"] in ("prelu", "adaptive_relu"):
        return [0.0]
    chosen = layer.get("activation")
    return places(chosen["name"], chosen) if chosen else []


def unfolded(layers):
    for layer in layers:
        yield layer
        for chain in chains(layer):
            yield from unfolded(chain)


class Reference:
    """The network that `core.Network.description()` describes, in training mode.

    `kinked` holds, after forward, where every value with a kink in its activation lies, and which pixel every
    window took: another pattern means that a kink was crossed.
    """

    def __init__(self, description):
        self.description = json.loads(description)
        images.mark(self.description["layers"])
        self.pools = any(layer["type"] == "max_pool_2d" for layer in self.layers())
        self.memories = []
        self.kinked = []
        self.numbers = itertools.count()

    def forward(self, x, arrays, step=0):
        self.kinked, self.numbers = [], itertools.count()
        x, self.memories = self._chain_forward(self.description["layers"], wide(x), arrays, step)
        return x

    def layers(self):
        """All layers, those inside others after them: in the order in which the library numbers them."""
        return unfolded(self.description["layers"])

    def _chain_forward(self, layers, x, arrays, step):
        memories = []
        for layer in layers:
            number = next(self.numbers)
            own = {
                k.partition(".")[2]: wide(v) for k, v in arrays.items() if k.startswith(layer["name"] + ".")
            }
            settings = {
                k: v
                for k, v in layer.items()
                if k not in ("type", "name", *INSIDE) and "initializer" not in k
            }
            if layer["type"] == "gaussian_noise":
                own["noise"] = normal_noise(self.description["seed"], number, step, *x.shape)
            if layer["type"] in ("dropout", "alpha_dropout"):
                own["mask"] = dropout_mask(self.description["seed"], number, step, *x.shape, layer["rate"])
            self._note_kinks(layer, x, own)
            forward = ORACLES[layer["type"]][0]
            if layer["type"] in COMPOSITES:
                ends = [self._chain_forward(chain, x, own, step) for chain in chains(layer)]
                x, memory = forward(x, [y for y, _ in ends], **settings)
                memories.append((memory, [inner for _, inner in ends]))
            else:
                x, memory = forward(x, own, **settings)
                if layer["type"] == "max_pool_2d":
                    self.kinked.append(memory[2])
                memories.append(memory)
        return x, memories

    def _note_kinks(self, layer, x, own):
        for kink in kinks(layer.get("layer", layer)):
            z = x
            if layer["type"] == "weight_norm":
                z = weight_norm(x, own, layer["layer"] | {"activation": None})[0]
            elif layer["type"] == "conv_2d":
                given = ("image", "filters", "kernel_size", "strides", "padding", "use_bias")
                z = images.before_activation(x, own, **{k: layer[k] for k in given})[0]
            elif layer["type"] == "dense":
                z = x @ own["weight"] + own.get("bias", 0)
            self.kinked.append(z > kink)

    def backward(self, dy):
        """(dx, gradients by array name)."""
        return self._chain_backward(self.description["layers"], self.memories, wide(dy))

    def _chain_backward(self, layers, memories, dy):
        gradients = {}
        for layer, memory in zip(reversed(layers), reversed(memories), strict=True):
            backward = ORACLES[layer["type"]][1]
            if layer["type"] in COMPOSITES:
                dx, parts = backward(memory[0], dy)
                own = {}
                for chain, inner, part in zip(chains(layer), memory[1], parts, strict=True):
                    through, found = self._chain_backward(chain, inner, part)
                    dx, own = dx + through, own | found
                dy = dx
            else:
                dy, own = backward(memory, dy)
            gradients |= {f"{layer['name']}.{name}": value for name, value in own.items()}
        return dy, gradients
