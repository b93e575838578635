"""Every layer kind, network by network: groups, costs, removed equals masked, permutation, stock reload."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras_zoo import CASES, Case
from reds_tensorflow.extraction import extract, weights
from reds_tensorflow.tracing import inspect

from reds_core.network import Network

# Float rounding; what is compared is a share of the spread of the outputs over inputs.
TOLERANCE = 1e-4


class Built:
    """A case with weights, its description and inputs."""

    def __init__(self, case: Case) -> None:
        rng = np.random.default_rng(7)
        self.case = case
        self.model = case.build()
        self.arrays = [rng.normal(size=(32, *i.shape[1:])).astype("float32") for i in self.model.inputs]
        self.feed: Any = self.arrays[0]
        if len(self.arrays) > 1:  # given by name, in the order in which Keras lists them
            self.feed = dict(zip(sorted(self.model.input), self.arrays, strict=True))
        reference.enliven(self.model, self.feed)
        self.network = inspect(self.model)

    def outputs(self, model: Any) -> list[np.ndarray]:
        return [np.asarray(o) for o in keras.tree.flatten(model(self.feed))]

    def error(self, model: Any, expected: list[np.ndarray]) -> float:
        return max(reference.relative_error(a, e) for a, e in zip(self.outputs(model), expected, strict=True))


@pytest.fixture(scope="module", params=CASES)
def built(request: pytest.FixtureRequest) -> Built:
    return Built(CASES[request.param])


def macs(network: Network) -> int:
    terms = [term for layer in network.layers for term in layer.macs]
    return sum(t.coefficient * math.prod(axis.full(network.channels) for axis in t.factors) for t in terms)


def params(network: Network) -> int:
    return sum(math.prod(axis.full(network.channels) for axis in weight.axes) for weight in network.weights)


def test_groups_are_those_known_by_hand(built: Built) -> None:
    assert {g.name: g.channels for g in built.network.groups} == built.case.groups


def test_warnings_name_what_stays(built: Built) -> None:
    if built.case.warns is None:
        assert built.network.warnings == ()
    else:
        assert any(built.case.warns in warning for warning in built.network.warnings)


def test_costs_equal_an_independent_count(built: Built) -> None:
    expected = built.case.macs or reference.count_macs(built.model)
    assert macs(built.network) == expected > 0
    assert params(built.network) == built.model.count_params()


def test_every_tensor_has_its_full_size(built: Built) -> None:
    network = built.network
    for layer in network.layers:
        tensor = network.tensors[layer.outputs[0]]
        assert tensor.positions * tensor.axis.full(network.channels) == math.prod(n or 0 for n in layer.output_shape)
        if layer.inputs:
            read = network.tensors[layer.inputs[0]]
            assert read.positions * read.axis.full(network.channels) == math.prod(n or 0 for n in layer.input_shape)


@pytest.mark.parametrize(
    ("share", "ordered"), [*(pytest.param(share, True, marks=pytest.mark.slow) for share in (0.75, 0.5)), (0.5, False)]
)
def test_removed_equals_masked(built: Built, share: float, ordered: bool) -> None:
    kept = reference.random_kept(built.network, share, seed=1, ordered=ordered)
    small = extract(built.model, built.network, kept)
    masked = reference.masked_outputs(built.model, built.network, kept, *built.arrays)
    assert built.error(small, masked) < TOLERANCE
    assert small.count_params() < built.model.count_params()


def test_costs_of_the_extracted_model_are_what_the_description_foretold(built: Built) -> None:
    kept = reference.random_kept(built.network, 0.5, seed=1)
    small = extract(built.model, built.network, kept)
    widths = {group: len(channels) for group, channels in kept.items()}
    terms = [term for layer in built.network.layers for term in layer.macs]
    foretold = sum(t.coefficient * math.prod(a.length().at(widths) for a in t.factors) for t in terms)
    if built.case.macs is None:
        assert foretold == reference.count_macs(small)
    assert foretold == macs(inspect(small))
    sizes = [math.prod(a.length().at(widths) for a in w.axes) for w in built.network.weights]
    assert sum(sizes) == small.count_params()


def test_channels_in_another_order_compute_the_same(built: Built) -> None:
    order = reference.random_kept(built.network, 1.0, seed=2, ordered=False)
    permuted = extract(built.model, built.network, order)
    assert built.error(permuted, built.outputs(built.model)) < TOLERANCE


def test_the_extracted_model_reloads_in_stock_keras(built: Built, tmp_path: Path) -> None:
    kept = reference.random_kept(built.network, 0.5, seed=3)
    small = extract(built.model, built.network, kept)
    small.save(tmp_path / "small.keras")
    loaded = keras.models.load_model(tmp_path / "small.keras", compile=False, safe_mode=True)
    for actual, expected in zip(built.outputs(loaded), built.outputs(small), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_the_input_model_is_left_as_it_was(built: Built) -> None:
    before = [np.asarray(v).copy() for v in built.model.weights]
    calls = [len(layer._inbound_nodes) for layer in built.model._flatten_layers()]
    extract(built.model, built.network, reference.random_kept(built.network, 0.5, seed=4))
    assert [len(layer._inbound_nodes) for layer in built.model._flatten_layers()] == calls
    for variable, value in zip(built.model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), value)


def test_weights_have_the_shapes_of_their_axes(built: Built) -> None:
    for array, weight in zip(weights(built.model, built.network), built.network.weights, strict=True):
        assert array.shape == tuple(axis.full(built.network.channels) for axis in weight.axes)
