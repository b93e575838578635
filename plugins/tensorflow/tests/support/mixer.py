"""The layer, its handler, and a small network that holds it."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers as L
from reds_tensorflow.calls import Call

from reds_core.network import Dims, WeightKind


@keras.saving.register_keras_serializable("mixers")
class Mixer(L.Layer):
    """1 x 1 mixing of channels and a factor for each: a layer that Keras does not have."""

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = channels

    def build(self, shape: Any) -> None:
        self.mix = self.add_weight(name="mix", shape=(shape[-1], self.channels))
        self.factor = self.add_weight(name="factor", shape=(self.channels,))

    def call(self, x: Any) -> Any:
        return keras.ops.matmul(x, self.mix) * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "channels": self.channels}


def mixed(call: Call) -> tuple[Dims, ...]:
    inner, outer = call.dims[-1], call.fresh(call.layer.channels)
    call.kernel(call.layer.mix, (inner, outer), 1)
    call.weight(call.layer.factor, WeightKind.SCALE, (outer,), 0)
    call.count(call.output_shape[0] * call.output_shape[1], inner, outer)
    call.resize(channels=outer)
    return ((*call.dims[:-1], outer),)


def mixing() -> Any:
    """conv - mixer - conv - mean - dense."""
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(6, 3, activation="relu", name="a")(inputs)
    x = L.ReLU(name="relu")(Mixer(7, name="mine")(x))
    x = L.Conv2D(5, 3, activation="relu", name="b")(x)
    return keras.Model(inputs, L.Dense(3, name="out")(L.GlobalAveragePooling2D(name="mean")(x)))
