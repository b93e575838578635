"""Random networks of residual blocks, of all the kinds that can be skipped and of some that cannot."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers as L


class ResidualNetwork:
    """Grows one network of a stem, a few residual blocks and a head.

    Attributes:
        rng: A generator of NumPy.
    """

    def __init__(self, rng: Any) -> None:
        self.rng = rng

    def build(self) -> Any:
        """Return the model, without weights that mean anything."""
        image = keras.Input((8, 6, 2))
        x = self._maybe(L.ReLU(), self._normed(L.Conv2D(4, 3, padding="same", use_bias=self._flip())(image)))
        seen = []
        for _ in range(int(self.rng.integers(1, 4))):
            seen.append(x)
            x = self._pick(self._plain, self._plain, self._projected, self._inverted, self._before, self._padded)(x)
            x = self._maybe(L.ReLU(), x)
        if self._flip(0.3):
            x = L.Concatenate()([x, self._pick(*seen)])
        if self._flip(0.2):
            x = self._nested(x)
        return keras.Model(image, L.Dense(3)(L.GlobalAveragePooling2D()(x)))

    def _pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def _flip(self, share: float = 0.5) -> bool:
        return bool(self.rng.random() < share)

    def _maybe(self, layer: Any, x: Any) -> Any:
        return layer(x) if self._flip() else x

    def _normed(self, x: Any) -> Any:
        return L.BatchNormalization(center=self._flip(0.8))(x) if self._flip(0.7) else x

    def _conv(self, channels: int, size: int = 3) -> Any:
        return L.Conv2D(channels, size, padding="same", use_bias=self._flip())

    def _inside(self, x: Any) -> Any:
        """The first half of a block, whose channels are those that may all be gone."""
        x = self._normed(self._conv(int(self.rng.integers(2, 6)))(x))
        return self._pick(L.ReLU(), L.Activation("sigmoid"), L.Activation("softplus"))(x)

    def _ending(self, x: Any, channels: int) -> Any:
        x = self._normed(self._conv(channels)(x))
        return self._pick(lambda x: x, L.Dropout(0.2), L.Activation("tanh"), lambda x: x * 0.5 + 0.25)(x)

    def _sum(self, x: Any, y: Any) -> Any:
        return self._pick(lambda: L.Add()([x, y]), lambda: L.Add()([y, x]), lambda: x + y, lambda: y + x)()

    def _plain(self, x: Any) -> Any:
        return self._sum(x, self._ending(self._inside(x), x.shape[-1]))

    def _projected(self, x: Any) -> Any:
        channels = int(self.rng.integers(3, 6))
        shortcut, branch = self._normed(self._conv(channels, 1)(x)), self._ending(self._inside(x), channels)
        return self._sum(shortcut, branch)

    def _inverted(self, x: Any) -> Any:
        y = L.ReLU(6.0)(self._normed(self._conv(5, 1)(x)))
        y = L.ReLU(6.0)(self._normed(L.DepthwiseConv2D(3, padding="same")(y)))
        return self._sum(x, self._normed(self._conv(x.shape[-1], 1)(y)))

    def _before(self, x: Any) -> Any:
        y = self._inside(L.ReLU()(L.BatchNormalization()(x)))
        return self._sum(x, self._conv(x.shape[-1])(y))

    def _padded(self, x: Any) -> Any:
        """A branch whose constant is not the same everywhere."""
        y = L.Conv2D(x.shape[-1], 3, bias_initializer="ones")(self._inside(x))
        return self._sum(x, L.ZeroPadding2D(1)(y))

    def _nested(self, x: Any) -> Any:
        inputs = keras.Input(x.shape[1:])
        return keras.Model(inputs, self._plain(inputs))(x)
