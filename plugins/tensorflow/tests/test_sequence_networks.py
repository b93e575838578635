"""Attention, recurrent, embedding and normalising layers, network by network, as test_networks does for the others."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras import layers as L
from keras_zoo_sequences import CASES, Case
from reds_tensorflow.extraction import extract
from reds_tensorflow.options import TensorFlowOptions
from reds_tensorflow.reading import Reading
from reds_tensorflow.tracing import inspect

from reds_core.network import Kept, Network

TOLERANCE = 1e-4


class Built:
    """A case with weights, its description and inputs."""

    def __init__(self, case: Case) -> None:
        rng = np.random.default_rng(7)
        self.case = case
        self.model = case.build()
        shape = (24, *self.model.inputs[0].shape[1:])
        drawn = rng.integers(0, case.tokens, shape) if case.tokens else rng.normal(size=shape)
        self.x = drawn.astype("float32")  # tokens are fed as real numbers too
        reference.enliven(self.model, self.x)
        self.reading = Reading(options=TensorFlowOptions(prune_normalised=case.normalised))
        self.network = inspect(self.model, self.reading)

    def small(self, kept: Kept) -> Any:
        return extract(self.model, self.network, kept, self.reading)


@pytest.fixture(scope="module", params=CASES)
def built(request: pytest.FixtureRequest) -> Built:
    return Built(CASES[request.param])


def macs(network: Network, widths: dict[str, int]) -> int:
    terms = [term for layer in network.layers for term in layer.macs]
    return sum(t.coefficient * math.prod(axis.length().at(widths) for axis in t.factors) for t in terms)


def params(network: Network, widths: dict[str, int]) -> int:
    return sum(math.prod(axis.length().at(widths) for axis in weight.axes) for weight in network.weights)


def test_groups_and_warnings_are_those_known_by_hand(built: Built) -> None:
    assert {g.name: g.channels for g in built.network.groups} == built.case.groups
    if built.case.warns is None:
        assert built.network.warnings == ()
    else:
        assert any(built.case.warns in warning for warning in built.network.warnings)


def test_a_mask_for_each_head_keeps_the_heads() -> None:
    inputs, mask = keras.Input((6, 4)), keras.Input((3, 6, 6), dtype="bool")
    x = L.MultiHeadAttention(3, 2, name="mha")(inputs, inputs, attention_mask=mask)
    network = inspect(keras.Model([inputs, mask], L.Dense(3)(L.Flatten()(x))))
    assert {g.name: g.channels for g in network.groups} == {"mha": 4}


@pytest.mark.parametrize("shape", [(3, 6, 6), (1, 6, 6), (6, 6)])
def test_scores_are_held_for_every_head(shape: tuple[int, ...]) -> None:
    """Beside the input: a head's scores before and after the softmax."""
    inputs, mask = keras.Input((6, 4)), keras.Input(shape, dtype="bool")
    x = L.MultiHeadAttention(3, 2, name="mha")(inputs, inputs, attention_mask=mask)
    network = inspect(keras.Model([inputs, mask], L.Dense(3)(L.Flatten()(x))))
    (layer,) = (layer for layer in network.layers if layer.name == "mha")
    held = [sum(b.elements * b.axis.full(network.channels) for b in step) for step in layer.inside]
    assert max(held) == 2 * 3 * 36


@pytest.mark.parametrize(("share", "ordered"), [pytest.param(0.75, True, marks=pytest.mark.slow), (0.5, False)])
def test_removed_equals_masked(built: Built, share: float, ordered: bool) -> None:
    kept = reference.random_kept(built.network, share, seed=1, ordered=ordered)
    small = built.small(kept)
    (masked,) = reference.masked_outputs(built.model, built.network, kept, built.x)
    assert reference.relative_error(np.asarray(small(built.x)), masked) < TOLERANCE
    assert small.count_params() < built.model.count_params()


def test_costs_equal_an_independent_count_before_and_after(built: Built) -> None:
    kept = reference.random_kept(built.network, 0.5, seed=1)
    narrow = {group: len(channels) for group, channels in kept.items()}
    small = built.small(kept)
    for model, widths in ((built.model, dict(built.network.channels)), (small, narrow)):
        if built.case.macs is None:
            assert macs(built.network, widths) == reference.count_macs(model) > 0
        assert params(built.network, widths) == model.count_params()
    if built.case.macs is not None:
        assert macs(built.network, dict(built.network.channels)) == built.case.macs
    again = inspect(small, built.reading)
    assert macs(again, dict(again.channels)) == macs(built.network, narrow)


def test_channels_in_another_order_compute_the_same_and_reload(built: Built, tmp_path: Path) -> None:
    order = reference.random_kept(built.network, 1.0, seed=2, ordered=False)
    permuted = built.small(order)
    outputs = np.asarray(permuted(built.x))
    assert reference.relative_error(outputs, np.asarray(built.model(built.x))) < TOLERANCE
    permuted.save(tmp_path / "permuted.keras")
    loaded = keras.models.load_model(tmp_path / "permuted.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(np.asarray(loaded(built.x)), outputs)
