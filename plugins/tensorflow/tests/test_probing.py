"""What tensors hold and losses under other weights, against plain Keras; gates of channels against numbers."""

from __future__ import annotations

from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras_zoo import CASES
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.errors import InputError
from reds_core.framework import Arrays, Framework, Task
from reds_core.network import Network
from reds_core.scoring import attribute_to_readers, masked

FRAMEWORK = TensorFlowFramework()
TASK = Task("mean_squared_error", "mean_absolute_error")
QUICK = ("flatten", "separable", "channels_first", "residual", "nested_models", "shared_layers")
ONE_INPUT = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
    for name in CASES
    if name != "several_inputs_and_outputs"
]


class Built:
    """A network of the zoo with weights, data and its description."""

    def __init__(self, name: str, examples: int = 24) -> None:
        rng = np.random.default_rng(3)
        self.model = CASES[name].build()
        x = rng.normal(size=(examples, *self.model.inputs[0].shape[1:])).astype(np.float32)
        reference.enliven(self.model, x)
        y = rng.normal(size=(examples, *self.model.outputs[0].shape[1:])).astype(np.float32)
        self.data = Arrays(x, y)
        self.network: Network = FRAMEWORK.inspect(self.model)


@pytest.fixture(scope="module", params=ONE_INPUT)
def built(request: pytest.FixtureRequest) -> Built:
    return Built(request.param)


def test_the_loss_with_masked_weights_is_that_of_the_smaller_model(built: Built) -> None:
    weights = FRAMEWORK.weights(built.model, built.network)
    kept = [reference.random_kept(built.network, share, seed) for seed, share in enumerate((0.3, 0.7))]
    variants = (masked(built.network, weights, k) for k in kept)
    found = list(FRAMEWORK.losses(built.model, built.network, variants, built.data, TASK))
    for loss, k in zip(found, kept, strict=True):
        small = FRAMEWORK.extract(built.model, built.network, k)
        assert loss == pytest.approx(FRAMEWORK.loss(small, built.data, TASK), rel=1e-4)
    assert abs(found[0] - found[1]) > 1e-4


def test_outputs_with_masked_weights_are_those_of_the_smaller_model(built: Built) -> None:
    weights, x = FRAMEWORK.weights(built.model, built.network), built.data.x
    kept = [reference.random_kept(built.network, share, seed) for seed, share in enumerate((0.3, 0.7))]
    variants = (masked(built.network, weights, k) for k in kept)
    found = list(FRAMEWORK.outputs(built.model, built.network, variants, x))
    for outputs, k in zip(found, kept, strict=True):
        small = FRAMEWORK.extract(built.model, built.network, k)
        np.testing.assert_allclose(outputs, FRAMEWORK.predict(small, x), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(FRAMEWORK.weights(built.model, built.network)[0], weights[0])
    (default,) = Framework.outputs(FRAMEWORK, built.model, built.network, [masked(built.network, weights, kept[0])], x)
    np.testing.assert_allclose(default, found[0], rtol=1e-4, atol=1e-5)


def test_losses_leave_the_model_and_the_variants_as_they_are() -> None:
    built = Built("residual")
    before = FRAMEWORK.weights(built.model, built.network)
    variant = [w + 1 for w in before]
    copies = [w.copy() for w in variant]
    list(FRAMEWORK.losses(built.model, built.network, [variant], built.data, TASK))
    for array, expected in zip(FRAMEWORK.weights(built.model, built.network), before, strict=True):
        np.testing.assert_array_equal(array, expected)
    for array, expected in zip(variant, copies, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_variants_are_asked_for_one_by_one() -> None:
    built = Built("chain_2d")
    weights = FRAMEWORK.weights(built.model, built.network)
    asked = []

    def variants() -> Any:
        for i in range(3):
            asked.append(i)
            yield weights

    measured = FRAMEWORK.losses(built.model, built.network, variants(), built.data, TASK)
    first = next(measured)
    assert asked == [0]
    assert first == pytest.approx(FRAMEWORK.loss(built.model, built.data, TASK), rel=1e-5)


def probed(model: Any) -> Any:
    """A model of the outputs of all layers that are called once, outside of nested models."""
    layers = [
        layer
        for layer in model.layers
        if len(layer._inbound_nodes) == 1 and not isinstance(layer, keras.layers.InputLayer | keras.Model)
    ]
    return keras.Model(model.inputs[0], {layer.name: layer.output for layer in layers})


def test_statistics_are_those_of_the_tensors(built: Built) -> None:
    expected = probed(built.model)(built.data.x)
    by_name = {layer.name: layer.outputs[0] for layer in built.network.layers}
    names = [n for n in expected if n in by_name]
    assert len(names) >= 2
    found = FRAMEWORK.activation_statistics(built.model, built.network, [by_name[n] for n in names], built.data.x, 7)
    for name, statistics in zip(names, found, strict=True):
        tensor = built.network.tensors[by_name[name]]
        values = np.asarray(expected[name])
        moved = np.moveaxis(values, values.ndim + tensor.dimension, -1)
        moved = moved.reshape(-1, moved.shape[-1])
        assert moved.shape[1] == tensor.axis.full(built.network.channels)
        np.testing.assert_allclose(statistics.magnitude, np.abs(moved).mean(axis=0), rtol=2e-4, atol=1e-6)
        np.testing.assert_allclose(statistics.active, (moved != 0).mean(axis=0), atol=2e-3)


def test_every_tensor_can_be_looked_at(built: Built) -> None:
    tensors = range(len(built.network.tensors))
    found = FRAMEWORK.activation_statistics(built.model, built.network, tensors, built.data.x, 24)
    for tensor, statistics in zip(built.network.tensors, found, strict=True):
        assert statistics.magnitude.shape == (tensor.axis.full(built.network.channels),)
        assert np.all(np.isfinite(statistics.magnitude))
        assert statistics.active.max() <= 1


def test_looking_leaves_no_calls_on_the_layers() -> None:
    built = Built("nested_models")
    before = [len(layer._inbound_nodes) for layer in built.model._flatten_layers()]
    FRAMEWORK.activation_statistics(built.model, built.network, [1], built.data.x, 8)
    assert [len(layer._inbound_nodes) for layer in built.model._flatten_layers()] == before


def test_gates_by_readers_are_the_derivatives_of_the_loss(built: Built) -> None:
    """Weights that read a channel, scaled by 1 +- h, change the loss by the gradient that gates get from weights."""
    weights = FRAMEWORK.weights(built.model, built.network)
    (gradients,) = FRAMEWORK.gradients(built.model, built.network, built.data, TASK, len(built.data))
    products = {i: g.astype(np.float64) * w for i, (g, w) in enumerate(zip(gradients, weights, strict=True))}
    gates = attribute_to_readers(built.network, products)
    step = 1e-2
    group = built.network.groups[0]
    rest = np.arange(1, group.channels)
    without = masked(built.network, weights, {group.name: rest})
    variants = [
        [without[i] + np.float32(1 + sign * step) * (w - without[i]) for i, w in enumerate(weights)] for sign in (1, -1)
    ]
    above, below = FRAMEWORK.losses(built.model, built.network, variants, built.data, TASK)
    scale = np.abs(gates[group.name]).max()
    assert (above - below) / (2 * step) == pytest.approx(gates[group.name][0], rel=2e-2, abs=2e-2 * scale + 1e-5)


def test_another_network_is_refused() -> None:
    one, other = Built("chain_2d"), Built("residual")
    weights = FRAMEWORK.weights(other.model, other.network)
    with pytest.raises(InputError, match="not the one that was described"):
        FRAMEWORK.activation_statistics(one.model, other.network, [1], one.data.x, 8)
    with pytest.raises(InputError, match="not the one that was described"):
        list(FRAMEWORK.losses(one.model, other.network, [weights], one.data, TASK))
