"""Random networks: chains, branches, residuals, concatenations, shared and nested parts, several outputs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers as L


class RandomNetwork:
    """Grows one network from a seed. Every tensor that is still an image may be read again."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.shared: list[Any] = []

    def build(self) -> Any:
        image = keras.Input((12, 10, int(self.rng.integers(1, 4))))
        seen = [image]
        x = self._convolution()(image)
        for _ in range(int(self.rng.integers(4, 12))):
            seen.append(x)
            x = self._grown(x, seen)
        outputs = [self._head(x)]
        if self.rng.random() < 0.2:
            outputs.append(self._head(seen[-1]))
        return keras.Model(image, outputs if len(outputs) > 1 else outputs[0])

    def _pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def _filters(self) -> int:
        return int(self.rng.integers(2, 9))

    def _activation(self) -> str | None:
        return self._pick(None, "relu", "sigmoid", "swish", "tanh")

    def _convolution(self, filters: int | None = None) -> Any:
        kind = self._pick(L.Conv2D, L.Conv2D, L.SeparableConv2D, L.Conv2DTranspose)
        return kind(filters or self._filters(), self._pick(1, 3), padding="same", activation=self._activation())

    def _grown(self, x: Any, seen: list[Any]) -> Any:
        grow = self._pick(
            self._chain,
            self._chain,
            self._chain,
            self._residual,
            self._joined,
            self._excited,
            self._reused,
            self._nested,
        )
        return grow(x, seen)

    def _chain(self, x: Any, seen: list[Any]) -> Any:
        layer = self._pick(
            self._convolution(),
            L.BatchNormalization(),
            L.ReLU(),
            L.PReLU(shared_axes=[1, 2]),
            L.DepthwiseConv2D(3, padding="same", depth_multiplier=self._pick(1, 1, 2)),
            L.Conv2D(2 * x.shape[-1], 3, padding="same", groups=x.shape[-1]),
            L.Dense(self._filters(), activation=self._activation()),
            L.Dropout(0.1),
            L.Activation(self._activation() or "gelu"),
            L.Permute((2, 1, 3)),
            L.UpSampling2D(2) if x.shape[1] < 8 else L.MaxPooling2D(2, padding="same"),
            L.AveragePooling2D(2, strides=1, padding="same"),
            L.ZeroPadding2D(((0, 1), (1, 0))) if x.shape[1] < 12 else L.Cropping2D(1),
        )
        return layer(x)

    def _alike(self, x: Any, seen: list[Any], channels: bool) -> list[Any]:
        wanted = slice(1, None) if channels else slice(1, 3)
        return [t for t in seen if t.shape[wanted] == x.shape[wanted]]

    def _residual(self, x: Any, seen: list[Any]) -> Any:
        others = self._alike(x, seen, channels=True) or [self._convolution(x.shape[-1])(x)]
        merge = self._pick(L.Add, L.Add, L.Subtract, L.Average, L.Maximum, L.Multiply)
        return merge()([x, self._pick(*others)])

    def _joined(self, x: Any, seen: list[Any]) -> Any:
        others = [t for t in self._alike(x, seen, channels=False) if t.shape[-1] + x.shape[-1] < 24]
        return L.Concatenate()([self._pick(*others), x]) if others else self._convolution()(x)

    def _excited(self, x: Any, seen: list[Any]) -> Any:
        gate = L.GlobalAveragePooling2D(keepdims=True)(x)
        gate = L.Conv2D(self._filters(), 1, activation="relu")(gate)
        return L.Multiply()([x, L.Conv2D(x.shape[-1], 1, activation="sigmoid")(gate)])

    def _reused(self, x: Any, seen: list[Any]) -> Any:
        fitting = [layer for layer in self.shared if layer.input_spec.axes == {-1: x.shape[-1]}]
        if fitting:
            return self._pick(*fitting)(x)
        self.shared.append(L.Conv2D(x.shape[-1], 3, padding="same", activation=self._activation()))
        return self.shared[-1](x)

    def _nested(self, x: Any, seen: list[Any]) -> Any:
        inputs = keras.Input((self._pick(None, x.shape[1]), self._pick(None, x.shape[2]), x.shape[3]))
        y = self._convolution(x.shape[3])(L.BatchNormalization()(inputs))
        block = keras.Model(inputs, L.Add()([inputs, y]) if self.rng.random() < 0.5 else y)
        return block(block(x)) if self.rng.random() < 0.5 else block(x)

    def _head(self, x: Any) -> Any:
        x = self._pick(L.Flatten(), L.GlobalAveragePooling2D(), L.Reshape((x.shape[1] * x.shape[2], -1)))(x)
        if len(x.shape) == 3:
            x = L.GlobalMaxPooling1D()(L.Conv1D(self._filters(), 3, padding="same", activation="relu")(x))
        if self.rng.random() < 0.5:
            x = L.BatchNormalization()(L.Dense(self._filters(), activation="relu")(x))
        return L.Dense(3)(x)
