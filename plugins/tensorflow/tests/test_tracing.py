"""What the description says beyond groups and costs, and what is refused, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from reds_tensorflow.calls import Call, Handler
from reds_tensorflow.handlers import HANDLERS
from reds_tensorflow.reading import Reading
from reds_tensorflow.tracing import inspect, trace

from reds_core.errors import UnsupportedError
from reds_core.network import Axis, Channels, Fixed, WeightKind


class Doubled(L.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x


class OwnCall(keras.Model):
    def call(self, x: Any) -> Any:
        return 2 * super().call(x)


class OwnTraining(keras.Model):
    def train_step(self, data: Any) -> dict[str, Any]:
        return {}


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="subclassed")
        self.dense = L.Dense(3)

    def call(self, x: Any) -> Any:
        return self.dense(x)


def functional(shape: tuple[int | None, ...], layer: Callable[[Any], Any], **kwargs: Any) -> Any:
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs), **kwargs)


def called_subclass() -> Any:
    model = Subclassed()
    model(np.ones((1, 4)))
    return model


def with_lora() -> Any:
    model = functional((4,), L.Dense(3, name="dense"))
    model.get_layer("dense").enable_lora(2)
    return model


def quantised() -> Any:
    model = functional((4,), L.Dense(3, name="dense"))
    model.get_layer("dense").quantize("int8")
    return model


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "lookup": (
        lambda: functional(
            (4,), lambda x: L.IntegerLookup(vocabulary=[1, 2], name="words")(keras.ops.cast(x, "int64"))
        ),
        "layer 'words' of type IntegerLookup cannot be copied",
    ),
    "no fixed shape": (lambda: functional((None, 4), L.Dense(3)), r"has no fixed shape.*keras.Model\(x, model\(x\)\)"),
    "unbuilt": (lambda: keras.Sequential([L.Dense(3)], name="unbuilt"), "'unbuilt' .*; begin it with a keras.Input"),
    "subclassed": (called_subclass, "'subclassed' of type Subclassed has no graph"),
    "own call": (
        lambda: OwnCall(x := keras.Input((4,)), L.Dense(3)(x), name="own"),
        "'own' of type OwnCall has a call method of its own",
    ),
    "lora": (with_lora, "layer 'dense' of type Dense computes a weight from others"),
    "quantised": (quantised, "weight 'dense/kernel_scale' .* is not one that reds knows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_refused_by_name(name: str) -> None:
    build, message = REFUSED[name]
    with pytest.raises(UnsupportedError, match=message):
        inspect(build())


def test_a_model_with_a_training_step_of_its_own_is_no_obstacle() -> None:
    inputs = keras.Input((4,))
    assert inspect(OwnTraining(inputs, L.Dense(3)(L.Dense(5, name="a")(inputs)))).channels == {"a": 5}


def small_chain() -> Any:
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            L.Conv2D(4, 3, name="conv"),
            L.BatchNormalization(name="norm"),
            L.ReLU(name="relu"),
            L.MaxPooling2D(2, name="pool"),
            L.Flatten(name="flat"),
            L.Dense(2, name="out"),
        ],
        name="chain",
    )


def test_layers_are_in_execution_order_with_shapes_and_tensors() -> None:
    network = inspect(small_chain())
    assert network.name == "chain"
    assert [(layer.name, layer.kind, layer.output_shape) for layer in network.layers] == [
        ("conv", "Conv2D", (4, 4, 4)),
        ("norm", "BatchNormalization", (4, 4, 4)),
        ("relu", "ReLU", (4, 4, 4)),
        ("pool", "MaxPooling2D", (2, 2, 4)),
        ("flat", "Flatten", (16,)),
        ("out", "Dense", (2,)),
    ]
    assert [(layer.inputs, layer.outputs) for layer in network.layers] == [((i,), (i + 1,)) for i in range(6)]
    assert (network.inputs, network.outputs) == ((0,), (6,))


def test_normalisation_activation_and_flatten_work_in_place_and_pooling_does_not() -> None:
    storages = [t.storage for t in inspect(small_chain()).tensors]
    assert [storages.index(s) for s in storages] == [0, 1, 1, 1, 4, 4, 6]


def test_weights_say_what_they_are_for() -> None:
    weights = {w.name: w for w in inspect(small_chain()).weights}
    conv: Axis = Channels("conv")
    assert weights["conv/kernel"].axes == (Fixed(3), Fixed(3), Fixed(3), conv)
    assert {name: (w.kind, w.output_axis, w.trainable) for name, w in weights.items()} == {
        "conv/kernel": (WeightKind.KERNEL, 3, True),
        "conv/bias": (WeightKind.BIAS, 0, True),
        "norm/gamma": (WeightKind.SCALE, 0, True),
        "norm/beta": (WeightKind.OFFSET, 0, True),
        "norm/moving_mean": (WeightKind.STATISTIC, 0, False),
        "norm/moving_variance": (WeightKind.STATISTIC, 0, False),
        "out/kernel": (WeightKind.KERNEL, 1, True),
        "out/bias": (WeightKind.BIAS, 0, True),
    }


def test_layers_that_are_not_trained_have_weights_that_are_not() -> None:
    model = small_chain()
    model.get_layer("conv").trainable = False
    assert not any(w.trainable for w in inspect(model).weights if w.layer == "conv")


def test_a_shared_layer_keeps_its_name_and_weights_in_every_call() -> None:
    shared, inputs = L.Dense(4, name="shared"), keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), shared], name="inner")
    network = inspect(keras.Model(inputs, L.Dense(2, name="out")(inner(shared(inputs)))))
    assert [layer.name for layer in network.layers] == ["shared", "shared", "out"]
    assert network.layers[0].weights == network.layers[1].weights == (0, 1)


def test_the_table_can_be_widened() -> None:
    def doubled(call: Call) -> Any:
        return call.inputs

    inputs = keras.Input((4,))
    model = keras.Model(inputs, L.Dense(2)(Doubled()(L.Dense(5, name="a")(inputs))))
    network = trace(model, Reading({**HANDLERS, Doubled: Handler(doubled, in_place=True)})).network
    assert network.groups[0].layers[0] == "a"
    assert network.tensors[1].storage == network.tensors[2].storage


def test_a_handler_that_tells_another_shape_is_found_out() -> None:
    def cut(call: Call) -> Any:
        return (call.dims[:-1],)

    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, L.Dense(2)(Doubled(name="mine")(L.Dense(6)(inputs))))
    network = trace(model, Reading({**HANDLERS, Doubled: Handler(cut)})).network
    assert network.groups == ()
    assert "'mine' of type Doubled gives another shape" in network.warnings[0]


def test_a_model_of_any_size_is_followed_behind_an_input_of_fixed_shape() -> None:
    """As the message about it says."""
    model = keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(4, 3), L.GlobalAveragePooling2D(), L.Dense(2)])
    fixed = keras.Input((8, 8, 3))
    network = inspect(keras.Model(fixed, model(fixed)))
    assert (list(network.channels.values()), network.warnings) == ([4], ())
