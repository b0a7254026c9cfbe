"""Update rules in NumPy on flat arrays, piece by piece so that each piece stays in the cache."""

from __future__ import annotations

import numpy as np

from bench.workloads import Array

PIECE = 16384
STATES = {"sgd": 1, "adam": 2, "adamw": 2, "rmsprop": 1}


class Rule:
    """`update` changes w by the gradient g, both flat."""

    def __init__(self, name: str, settings: dict[str, float], count: int) -> None:
        self.name, self.settings, self.step = name, settings, 0
        self.states = list(np.zeros((STATES[name], count), np.float32))
        self.scratch = np.empty(min(PIECE, count), np.float32)
        self._piece = {"sgd": self._sgd, "rmsprop": self._rmsprop}.get(name, self._adam)

    def update(self, w: Array, g: Array) -> None:
        self.step += 1
        if len(w) <= PIECE:
            self._piece(w, g, self.scratch, *self.states)
            return
        for start in range(0, len(w), PIECE):
            part = slice(start, start + PIECE)
            states = [state[part] for state in self.states]
            self._piece(w[part], g[part], self.scratch[: len(w) - start], *states)

    def _sgd(self, w: Array, g: Array, scratch: Array, velocity: Array) -> None:
        momentum = self.settings.get("momentum", 0.0)
        if momentum:
            velocity *= np.float32(momentum)
            velocity += g
            g = velocity
        np.multiply(g, np.float32(self.settings["learning_rate"]), out=scratch)
        w -= scratch

    def _rmsprop(self, w: Array, g: Array, scratch: Array, average: Array) -> None:
        beta = self.settings.get("beta", 0.99)
        np.multiply(g, g, out=scratch)
        scratch -= average
        scratch *= np.float32(1 - beta)
        average += scratch
        np.sqrt(average, out=scratch)
        scratch += np.float32(1e-8)
        np.divide(g, scratch, out=scratch)
        scratch *= np.float32(self.settings["learning_rate"])
        w -= scratch

    def _adam(self, w: Array, g: Array, scratch: Array, first: Array, second: Array) -> None:
        rate, decay = self.settings["learning_rate"], self.settings.get("weight_decay", 0.0)
        root = (1 - 0.999**self.step) ** 0.5
        if decay:  # AdamW; Adam is only used without decay here
            w *= np.float32(1 - rate * decay)
        np.subtract(g, first, out=scratch)
        scratch *= np.float32(0.1)
        first += scratch
        np.multiply(g, g, out=scratch)
        scratch -= second
        scratch *= np.float32(0.001)
        second += scratch
        np.sqrt(second, out=scratch)
        scratch += np.float32(1e-8 * root)
        np.divide(first, scratch, out=scratch)
        scratch *= np.float32(rate * root / (1 - 0.9**self.step))
        w -= scratch
