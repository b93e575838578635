"""The real models: groups, costs against independent counts, removed equals masked, permutation, stock reload."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import keras_reference as reference
import numpy as np
import pytest
from reds_tensorflow.extraction import extract
from reds_tensorflow.loading import load_model, save_model
from reds_tensorflow.tracing import inspect

MODELS = Path(__file__).parents[3].parent / "shared" / "assets" / "models"
pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason=f"the real models are not at {MODELS}")

# file -> channels of each group in order, MACs as published or counted by hand, highest value of an input
EXPECTED = {
    "arm_kws_cnn_s.keras": ([28, 30, 16, 128], 2_498_304, 1.0),
    "arm_kws_dnn_s.keras": ([144, 144, 144], 250 * 144 + 2 * 144 * 144 + 144 * 12, 1.0),
    "arm_kws_ds_cnn_s.keras": ([64] * 5, 2_656_768, 1.0),
    "arm_kws_ds_cnn_m.keras": ([172] * 5, 9_816_384, 1.0),
    "mlperf_tiny_kws_ds_cnn.keras": ([64] * 5, 2_656_768, 1.0),
    "mlperf_tiny_resnet8_cifar10.h5": ([16, 16, 32, 32, 64, 64], 12_501_632, 255.0),
    "mlperf_tiny_streaming_wakeword.keras": ([128, 128, 128, 32], 826_368, 0.1),
    "mlperf_tiny_vww_96.keras": ([8, 16, 32, 32, 64, 64, *[128] * 6, 256, 256], 7_489_664, 1.0),
}


class Loaded:
    def __init__(self, name: str) -> None:
        self.channels, self.macs, highest = EXPECTED[name]
        self.model = load_model(MODELS / name)
        shape = self.model.inputs[0].shape[1:]
        self.x = np.random.default_rng(0).uniform(0, highest, (24, *shape)).astype("float32")
        last = self.model.layers[-1]
        if last.activation is keras.activations.softmax:  # it may saturate: then nothing varies
            last.activation = keras.activations.linear
        self.network = inspect(self.model)


@pytest.fixture(scope="module", params=EXPECTED)
def loaded(request: pytest.FixtureRequest) -> Loaded:
    return Loaded(request.param)


def test_groups_are_those_of_the_architecture(loaded: Loaded) -> None:
    assert [g.channels for g in loaded.network.groups] == loaded.channels
    assert loaded.network.warnings == ()


def test_costs_equal_an_independent_count(loaded: Loaded) -> None:
    channels = loaded.network.channels
    terms = [term for layer in loaded.network.layers for term in layer.macs]
    counted = sum(t.coefficient * math.prod(axis.full(channels) for axis in t.factors) for t in terms)
    assert counted == reference.count_macs(loaded.model) == loaded.macs
    params = sum(math.prod(axis.full(channels) for axis in weight.axes) for weight in loaded.network.weights)
    assert params == loaded.model.count_params()


@pytest.mark.parametrize("share", [0.75, 0.5])
def test_removed_equals_masked(loaded: Loaded, share: float) -> None:
    kept = reference.largest_kept(loaded.model, loaded.network, share)
    small = extract(loaded.model, loaded.network, kept)
    (masked,) = reference.masked_outputs(loaded.model, loaded.network, kept, loaded.x)
    assert reference.relative_error(np.asarray(small(loaded.x)), masked) < 1e-4
    widths = {group: len(channels) for group, channels in kept.items()}
    terms = [term for layer in loaded.network.layers for term in layer.macs]
    foretold = sum(t.coefficient * math.prod(axis.length().at(widths) for axis in t.factors) for t in terms)
    assert reference.count_macs(small) == foretold


def test_channels_in_another_order_compute_the_same(loaded: Loaded) -> None:
    order = reference.random_kept(loaded.network, 1.0, seed=2, ordered=False)
    permuted = extract(loaded.model, loaded.network, order)
    assert reference.relative_error(np.asarray(permuted(loaded.x)), np.asarray(loaded.model(loaded.x))) < 1e-4


def test_the_saved_extracted_model_reloads_in_stock_keras(loaded: Loaded, tmp_path: Path) -> None:
    kept = reference.random_kept(loaded.network, 0.5, seed=3)
    small = extract(loaded.model, loaded.network, kept)
    save_model(small, tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(np.asarray(again(loaded.x)), np.asarray(small(loaded.x)))
    assert [layer.name for layer in again.layers if layer.weights] == [
        layer.name for layer in loaded.model.layers if layer.weights
    ]
