"""Random networks: chains, branches, residuals, concatenations, shared and nested parts, several inputs and outputs,
functions of keras.ops, layers that are not known, and at the end attention and recurrent layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers as L


@keras.saving.register_keras_serializable("reds-tests")
class Swirl(L.Layer):
    """A layer that nobody knows: it mixes channels with a layer inside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = L.Dense(3, activation="tanh")

    def build(self, shape: Any) -> None:
        self.inner.build(shape)
        self.factor = self.add_weight(shape=(shape[-1],))

    def call(self, x: Any) -> Any:
        return x * self.factor + keras.ops.sum(self.inner(x), axis=-1, keepdims=True)


class RandomNetwork:
    """Grows one network. Every tensor that is still an image may be read again.

    Attributes:
        rng: what decides: a generator of NumPy, or `random_draws.Drawn`.
        plain: whether it has one input and one output, and nothing that LiteRT lacks.
    """

    def __init__(self, rng: Any, plain: bool = False) -> None:
        self.rng = rng
        self.shared: list[Any] = []
        self.inputs: list[Any] = []
        self.plain = plain

    def build(self) -> Any:
        image = keras.Input((12, 10, int(self.rng.integers(1, 4))))
        self.inputs = [image]
        seen = [image]
        x = self._convolution()(image)
        for _ in range(int(self.rng.integers(4, 12))):
            seen.append(x)
            x = self._grown(x, seen)
        outputs = [self._head(x)]
        if not self.plain and self.rng.random() < 0.2:
            outputs.append(self._head(seen[-1]))
        if not self.plain and self.rng.random() < 0.1:
            outputs.append(seen[-1])  # an inner feature map
        ends = outputs if len(outputs) > 1 else outputs[0]
        return keras.Model(self.inputs if len(self.inputs) > 1 else image, ends)

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
            self._operated,
            self._operated,
            self._moved,
            self._further_input,
            self._unknown,
        )
        return grow(x, seen)

    def _operated(self, x: Any, seen: list[Any]) -> Any:
        """A function of keras.ops that treats each element by itself, or channels apart."""
        o, other = keras.ops, self._pick(*(self._alike(x, seen, channels=True) or [x]))
        joined = self._alike(x, seen, channels=False)
        functions = (
            lambda: o.relu(x),
            lambda: x * 0.5 + 1.0,
            lambda: 1.0 - o.sigmoid(x),
            lambda: o.exp(-o.square(x)),
            lambda: o.clip(x, -1.0, 2.0) / 2.0,
            lambda: o.maximum(x, other),
            lambda: o.where(x > 0, x, 0.1 * other),
            lambda: x - o.mean(x, axis=(1, 2), keepdims=True),
            lambda: x * o.expand_dims(o.expand_dims(o.tanh(o.max(x, axis=(1, 2))), 1), 1),
            lambda: o.concatenate([x, self._pick(*joined)], axis=-1) if joined and x.shape[-1] < 12 else o.abs(x),
            lambda: x + self.rng.normal(size=(x.shape[-1],)),
        )
        return self._pick(*functions)()

    def _moved(self, x: Any, seen: list[Any]) -> Any:
        """A function of keras.ops that moves elements; the last ones move channels."""
        o, (_, height, width, channels) = keras.ops, x.shape
        functions = (
            lambda: o.transpose(x, (0, 2, 1, 3)),
            lambda: x[:, 1:] if height > 4 else x[..., :, :],
            lambda: x[:, :, : max(width // 2, 3)],
            lambda: o.concatenate([x, x], axis=1) if height < 8 else o.squeeze(o.expand_dims(x, 1), 1),
            lambda: o.softmax(x, axis=1),
            lambda: o.reshape(o.reshape(x, (-1, height * width, channels)), (-1, height, width, channels)),
            lambda: o.flip(x, axis=-1),
            lambda: o.concatenate(o.split(x, [1], axis=-1)[::-1], axis=-1) if channels > 1 else o.negative(x),
        )
        return self._pick(*functions[: 5 if self.rng.random() < 0.7 else None])()

    def _further_input(self, x: Any, seen: list[Any]) -> Any:
        """A second input joins in, once."""
        if self.plain or len(self.inputs) > 1:
            return L.ReLU()(x)
        self.inputs.append(keras.Input((5,)))
        gate = L.Dense(x.shape[-1], activation="sigmoid")(L.Dense(self._filters(), "relu")(self.inputs[1]))
        return self._pick(L.Multiply(), L.Add())([x, L.Reshape((1, 1, x.shape[-1]))(gate)])

    def _unknown(self, x: Any, seen: list[Any]) -> Any:
        return Swirl()(x) if self.rng.random() < 0.3 else L.LeakyReLU()(x)

    def _chain(self, x: Any, seen: list[Any]) -> Any:
        layer = self._pick(
            self._convolution(),
            L.BatchNormalization(),
            L.ReLU(),
            L.PReLU(shared_axes=[1, 2]),
            L.DepthwiseConv2D(3, padding="same", depth_multiplier=self._pick(1, 1, 2)),
            L.Conv2D(2 * x.shape[-1], 3, padding="same", groups=x.shape[-1]),
            L.Conv2D(3 * self._divisor(x.shape[-1]), 3, padding="same", groups=self._divisor(x.shape[-1])),
            L.Dense(self._filters(), activation=self._activation()),
            L.Dropout(0.1),
            L.LayerNormalization() if self.rng.random() < 0.3 else L.Identity(),
            L.Resizing(6, 5),
            L.Activation(self._activation() or "gelu"),
            L.Permute((2, 1, 3)),
            L.UpSampling2D(2) if x.shape[1] < 8 else L.MaxPooling2D(2, padding="same"),
            L.AveragePooling2D(2, strides=1, padding="same"),
            L.ZeroPadding2D(((0, 1), (1, 0))) if x.shape[1] < 12 else L.Cropping2D(1),
        )
        return layer(x)

    def _divisor(self, channels: int) -> int:
        return max(n for n in (1, 2, 3) if channels % n == 0)

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
            x = self._pick(self._convolved, self._convolved, self._attended, self._remembered)(x)
        if self.rng.random() < 0.5:
            x = L.BatchNormalization()(L.Dense(self._filters(), activation="relu")(x))
        return L.Dense(3)(x)

    def _convolved(self, x: Any) -> Any:
        return L.GlobalMaxPooling1D()(L.Conv1D(self._filters(), 3, padding="same", activation="relu")(x))

    def _attended(self, x: Any) -> Any:
        x = L.Dense(self._filters())(x)
        return L.GlobalAveragePooling1D()(L.Add()([x, L.MultiHeadAttention(3, 2)(x, x)]))

    def _remembered(self, x: Any) -> Any:
        kind = self._pick(L.LSTM, L.GRU, L.SimpleRNN)
        return kind(self._filters())(L.AveragePooling1D(4)(x) if x.shape[1] > 12 else x)
