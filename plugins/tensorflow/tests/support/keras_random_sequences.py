"""Random networks over sequences: tokens or numbers, attention blocks and the layers behind them, recurrent layers that
hand states on, normalisations, functions of keras.ops, shared and nested parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as L

STEPS, TOKENS = 6, 11


class RandomSequenceNetwork:
    """Grows one network. Every tensor (steps, features) made so far may be read again.

    Attributes:
        rng: what decides: a generator of NumPy, or `random_draws.Drawn`.
        plain: whether it has one output, and nothing that LiteRT lacks.
        tokens: how many tokens its input takes; 0 for real numbers.
        features: of the input where it takes no tokens.
    """

    def __init__(self, rng: Any, plain: bool = False) -> None:
        self.rng = rng
        self.plain = plain
        self.tokens = 0 if self.rng.random() < 0.5 else TOKENS
        self.features = int(self.rng.integers(1, 5))
        self.shared: list[tuple[int, Callable[[Any], Any]]] = []

    def build(self) -> Any:
        inputs = keras.Input((STEPS,) if self.tokens else (STEPS, self.features))
        x = self._embedded(inputs) if self.tokens else L.Dense(self._width())(inputs)
        seen = [x]
        for _ in range(int(self.rng.integers(3, 9))):
            x = self._grown(x, seen)
            seen.append(x)
        outputs = [self._head(x)]
        if not self.plain and self.rng.random() < 0.3:
            outputs.append(self._pick(L.Dense(2), L.LSTM(3), L.Identity())(self._pick(*seen)))
        return keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])

    def examples(self, seed: int) -> np.ndarray:
        """Inputs (16, steps[, features]) for the network."""
        rng = np.random.default_rng(seed)
        if self.tokens:
            return rng.integers(0, self.tokens, (16, STEPS)).astype(keras.config.floatx())
        return rng.normal(size=(16, STEPS, self.features)).astype(keras.config.floatx())

    def _pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def _chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def _width(self) -> int:
        return int(self.rng.integers(2, 9))

    def _activation(self) -> str | None:
        return self._pick(None, "relu", "gelu", "sigmoid", "swish", "tanh")

    def _alike(self, x: Any, seen: list[Any]) -> list[Any]:
        return [t for t in seen if t.shape[1:] == x.shape[1:]]

    def _grown(self, x: Any, seen: list[Any]) -> Any:
        grow = self._pick(
            self._attended,
            self._attended,
            self._read_elsewhere,
            self._multiplied,
            self._behind,
            self._behind,
            self._recurrent,
            self._recurrent,
            self._handed_on,
            self._both_ways,
            self._projected,
            self._projected,
            self._normalised,
            self._gated,
            self._operated,
            self._operated,
            self._moved,
            self._mixed,
            self._merged,
            self._reused,
            self._nested,
            self._at_each_part,
        )
        return grow(x, seen)

    def _embedded(self, tokens: Any) -> Any:
        width = self._width()
        x = L.Embedding(self.tokens, width, mask_zero=self._chance(0.2))(tokens)
        if self._chance(0.4):
            places = keras.ops.cumsum(keras.ops.ones_like(tokens), axis=1) - 1
            x = L.Add()([x, L.Embedding(STEPS, width)(places)])
        return x

    def _norm(self, width: int) -> Any:
        blocks = self._pick(*(n for n in range(1, width + 1) if width % n == 0))
        return self._pick(
            L.LayerNormalization(),
            L.LayerNormalization(center=False),
            L.RMSNormalization(),
            L.UnitNormalization(),
            L.GroupNormalization(blocks),
            L.BatchNormalization(),
            L.Identity(),
        )

    def _attended(self, x: Any, seen: list[Any]) -> Any:
        """A block with the normalisation before, after or nowhere; over itself, causal or not."""
        y = self._norm(x.shape[-1])(x)
        y = self._attention(x.shape[-1], y, y)
        x = L.Add()([x, y]) if y.shape[-1] == x.shape[-1] else y
        return self._norm(x.shape[-1])(x) if self._chance(0.3) else x

    def _attention(self, width: int, query: Any, value: Any) -> Any:
        if self._chance(0.25):
            sources = self._pick(1, 2, 3)
            # with 6 heads of one feature over 6 steps Keras itself departs from the definition
            layer = L.GroupQueryAttention(self._pick(2, 3), sources * self._pick(1, 2), sources)
            return layer(
                query, value if value.shape[-1] == width else L.Dense(width)(value)
            )  # Keras wants equal widths
        heads, features = self._pick(1, 2, 3, 4), self._pick(2, 2, 3)
        layer = L.MultiHeadAttention(
            heads,
            features,
            value_dim=self._pick(None, 2, 3),
            use_bias=self._chance(0.7),
            output_shape=None if self._chance(0.8) else self._width(),
            use_gate=self._chance(0.2),
        )
        return layer(query, value, use_causal_mask=query.shape[1] == value.shape[1] and self._chance(0.3))

    def _read_elsewhere(self, x: Any, seen: list[Any]) -> Any:
        """Attention over another tensor, of another length and width."""
        return self._attention(x.shape[-1], x, self._pick(*seen))

    def _multiplied(self, x: Any, seen: list[Any]) -> Any:
        """Products without projections; keys must be as wide as queries."""
        value = L.Dense(x.shape[-1])(self._pick(*seen))
        layer = self._pick(
            L.Attention(), L.Attention(use_scale=True), L.Attention(score_mode="concat"), L.AdditiveAttention()
        )
        return layer([x, value, L.Dense(x.shape[-1])(value)] if self._chance(0.3) else [x, value])

    def _behind(self, x: Any, seen: list[Any]) -> Any:
        """The layers behind attention: wide, and back to the stream."""
        y = L.Dense(2 * self._width(), activation=self._activation())(self._norm(x.shape[-1])(x))
        y = L.Dense(x.shape[-1])(L.Dropout(0.1)(y))
        return L.Add()([x, y]) if self._chance(0.8) else y

    def _cell(self, units: int) -> Any:
        kind = self._pick(L.LSTMCell, L.GRUCell, L.SimpleRNNCell)
        return kind(units, use_bias=self._chance(0.8), activation=self._pick("tanh", "relu"))

    def _recurrent(self, x: Any, seen: list[Any]) -> Any:
        layer = self._pick(
            L.LSTM(self._width(), return_sequences=True, use_bias=self._chance(0.8)),
            L.GRU(self._width(), return_sequences=True, reset_after=self._chance(0.5)),
            L.SimpleRNN(self._width(), return_sequences=True, go_backwards=self._chance(0.5)),
            L.RNN([self._cell(self._width()) for _ in range(self._pick(1, 2))], return_sequences=True),
        )
        return layer(x)

    def _handed_on(self, x: Any, seen: list[Any]) -> Any:
        """The states of one layer start another over another tensor, as from an encoder to a decoder."""
        kind, units = self._pick(L.LSTM, L.GRU), self._width()
        _, *states = kind(units, return_state=True)(self._pick(*seen))
        return kind(units, return_sequences=True)(x, initial_state=states)

    def _both_ways(self, x: Any, seen: list[Any]) -> Any:
        layer = self._pick(L.LSTM, L.GRU, L.SimpleRNN)(self._width(), return_sequences=True)
        return L.Bidirectional(layer, merge_mode=self._pick("concat", "sum", "mul", "ave"))(x)

    def _projected(self, x: Any, seen: list[Any]) -> Any:
        width, activation, channels = self._width(), self._activation(), x.shape[-1]
        layer = self._pick(
            L.Dense(width, activation=activation),
            L.Conv1D(width, 3, padding=self._pick("same", "causal"), activation=activation),
            L.SeparableConv1D(width, 3, padding="same", activation=activation),
            L.DepthwiseConv1D(3, padding="same", depth_multiplier=self._pick(1, 2)),
            L.Conv1D(channels, 3, padding="same", groups=channels),
            L.EinsumDense("abc,cd->abd", (x.shape[1], width), bias_axes="d", activation=activation),
            L.TimeDistributed(L.Dense(width, activation=activation)),
            L.SpectralNormalization(L.Dense(width)),
            L.Conv1DTranspose(width, 2, strides=2) if x.shape[1] < 5 else L.AveragePooling1D(2, padding="same"),
            L.PReLU(shared_axes=[1]),
        )
        return layer(x)

    def _normalised(self, x: Any, seen: list[Any]) -> Any:
        return self._norm(x.shape[-1])(x)

    def _gated(self, x: Any, seen: list[Any]) -> Any:
        """A gated linear unit, by a layer or by hand; or channels weighed by what all steps hold."""
        width = self._width()
        value, gate = L.Dense(width)(x), L.Dense(width)(x)
        functions = (
            lambda: L.Multiply()([value, L.Activation("sigmoid")(gate)]),
            lambda: value * keras.ops.silu(gate),
            lambda: value * keras.ops.sigmoid(keras.ops.mean(gate, axis=1, keepdims=True)),
            lambda: L.Multiply()([value, L.Reshape((1, width))(L.GlobalAveragePooling1D()(gate))]),
        )
        return self._pick(*functions)()

    def _operated(self, x: Any, seen: list[Any]) -> Any:
        o, other = keras.ops, self._pick(*self._alike(x, seen))
        functions = (
            lambda: o.gelu(x),
            lambda: o.abs(x) * 0.5,
            lambda: 1.0 - o.sigmoid(other),
            lambda: o.sqrt(o.square(x) + 1.0) / 2.0,
            lambda: o.minimum(x, other),
            lambda: o.where(x > other, x, 0.1 * other),
            lambda: x * o.tanh(other),
            lambda: o.log(1.0 + o.exp(-o.abs(x))) + x,
            lambda: x / (1.0 + o.abs(other)),
            lambda: o.cumsum(x, axis=1) / STEPS,
            lambda: x - o.max(x, axis=1, keepdims=True),
            lambda: o.softmax(x, axis=1) * x,
            lambda: o.multiply(x, self.rng.normal(size=(x.shape[-1],))),
            lambda: o.subtract(x, self.rng.normal(size=(x.shape[1], 1))),
        )
        return self._pick(*functions)()

    def _moved(self, x: Any, seen: list[Any]) -> Any:
        o, (_, steps, width) = keras.ops, x.shape
        functions = (
            lambda: x[:, 1:] if steps > 3 else o.concatenate([x, x], axis=1),
            lambda: x[:, ::-1],
            lambda: L.MaxPooling1D(2, padding="same")(x),
            lambda: L.ZeroPadding1D(1)(x) if steps < 6 else L.Cropping1D((1, 0))(x),
            lambda: L.UpSampling1D(2)(x) if steps < 5 else L.Identity()(x),
            lambda: o.squeeze(o.transpose(o.expand_dims(x, 1), (0, 2, 1, 3)), axis=2),
            lambda: L.RepeatVector(4)(x[:, -1]),
            lambda: o.roll(x, 1, axis=1),
            lambda: L.Reshape((steps, width // 2, 2))(x)[:, :, 0] if width % 2 == 0 else x[:, :, 1:],
        )
        return self._pick(*functions)()

    def _mixed(self, x: Any, seen: list[Any]) -> Any:
        """A layer along the steps, as mixers have it."""
        y = L.Permute((2, 1))(x) if self._chance(0.5) else keras.ops.transpose(x, (0, 2, 1))
        y = L.Dense(self._width(), activation=self._activation())(y)
        return L.Permute((2, 1))(L.Dense(x.shape[1])(y) if self._chance(0.5) else y)

    def _merged(self, x: Any, seen: list[Any]) -> Any:
        merge = self._pick(L.Add, L.Subtract, L.Average, L.Maximum, L.Multiply, None)
        if merge is not None:
            return merge()([x, self._pick(*self._alike(x, seen))])
        others = [t for t in seen if t.shape[1] == x.shape[1] and t.shape[-1] + x.shape[-1] < 20]
        return L.Concatenate()([x, self._pick(*others)]) if others else L.ReLU()(x)

    def _reused(self, x: Any, seen: list[Any]) -> Any:
        """A layer that is called again, on other lengths too."""
        width = x.shape[-1]
        fitting = [call for made_for, call in self.shared if made_for == width]
        if not fitting:
            heads = L.MultiHeadAttention(self._pick(2, 3), 2)
            call = self._pick(L.Dense(width, "relu"), L.LSTM(width, return_sequences=True), lambda t: heads(t, t))
            self.shared.append((width, call))
            fitting = [call]
        return self._pick(*fitting)(x)

    def _nested(self, x: Any, seen: list[Any]) -> Any:
        """A block as a model inside, called once or twice."""
        inputs = keras.Input(x.shape[1:])
        y = self._behind(inputs, []) if self._chance(0.5) else self._attended(inputs, [])
        block = keras.Model(inputs, y)
        return block(block(x)) if y.shape == x.shape and self._chance(0.5) else block(x)

    def _at_each_part(self, x: Any, seen: list[Any]) -> Any:
        """A block as a model at each half of the sequence, or at each position."""
        steps, width = x.shape[1:]
        parts = 2 if steps % 2 == 0 else steps
        inputs = keras.Input((steps // parts, width))
        y = self._behind(inputs, []) if self._chance(0.5) else self._recurrent(inputs, [])
        block = keras.Model(inputs, L.Dense(self._width())(L.Flatten()(y)))
        x = L.TimeDistributed(block)(L.Reshape((parts, steps // parts, width))(x))
        return L.LSTM(self._width(), return_sequences=True)(x) if self._chance(0.3) else x

    def _head(self, x: Any) -> Any:
        pooled = self._pick(
            L.GlobalAveragePooling1D(), L.GlobalMaxPooling1D(), L.Flatten(), L.LSTM(self._width()), L.GRU(self._width())
        )
        x = pooled(x) if self._chance(0.8) else x[:, -1]
        return L.Dense(3)(L.Dense(self._width(), activation=self._activation())(x) if self._chance(0.3) else x)
