"""Random networks: removed equals masked and costs equal an independent count, whatever is built of the layers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras_precision import precision
from keras_random import RandomNetwork
from keras_reference import run_exported
from reds_tensorflow.export import export
from reds_tensorflow.extraction import extract
from reds_tensorflow.loading import load_model, save_model
from reds_tensorflow.tracing import inspect

from reds_core import cost
from reds_core.errors import UnsupportedError


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """Deep random networks amplify rounding; in double precision every real difference stands out."""
    with precision("float64"):
        yield


def check(seed: int) -> None:
    model = RandomNetwork(seed).build()
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=(16, *tensor.shape[1:])) for tensor in model.inputs]
    feed = arrays if len(arrays) > 1 else arrays[0]
    reference.enliven(model, *arrays, seed=seed)
    network = inspect(model)
    kept = reference.random_kept(network, 0.6, seed, ordered=seed % 2 == 0)
    small = extract(model, network, kept)
    masked = reference.masked_outputs(model, network, kept, *arrays)
    for actual, expected in zip(keras.tree.flatten(small(feed, training=False)), masked, strict=True):
        # where all of a random network's live channels are gone, outputs are constant and must still agree
        spread = max(float(np.std(expected, axis=0).mean()), 1e-3 * float(np.abs(expected).mean()))
        assert np.abs(np.asarray(actual) - expected).max() <= 1e-9 * spread
    widths = {**network.channels, **{group: len(channels) for group, channels in kept.items()}}
    for whole, at in ((model, network.channels), (small, widths)):
        assert cost.params(network).at(at) == whole.count_params()
        assert cost.macs(network).at(at) == reference.count_macs_by_running(whole, *arrays)
    recounted = inspect(small)
    assert cost.peak_ram(network).at(widths) == cost.peak_ram(recounted).at(recounted.channels)
    assert [layer.kind for layer in network.layers] == [layer.kind for layer in recounted.layers]


def check_exported(seed: int, folder: Path) -> None:
    """The .keras file of the smaller network and its .tflite file say what the smaller network says."""
    with precision("float32"):
        _check_exported(seed, folder)


def _check_exported(seed: int, folder: Path) -> None:
    model = RandomNetwork(seed, plain=True).build()
    x = np.random.default_rng(seed).normal(size=(16, *model.inputs[0].shape[1:])).astype("float32")
    reference.enliven(model, x, seed=seed)
    network = inspect(model)
    small = extract(model, network, reference.random_kept(network, 0.6, seed))
    reference.enliven(small, x, seed=seed)  # alive by its own weights, so that outputs vary
    expected = np.asarray(small(x, training=False))
    save_model(small, folder / "small.keras")
    np.testing.assert_array_equal(np.asarray(load_model(folder / "small.keras")(x, training=False)), expected)
    try:
        export(small, folder / "small.tflite", None, quantise=False)
    except UnsupportedError:  # LiteRT's converter has gaps of its own: they must be there before anything is removed
        with pytest.raises(UnsupportedError):
            export(model, folder / "whole.tflite", None, quantise=False)
        return
    actual = run_exported(folder / "small.tflite", x)
    spread = float(np.std(expected, axis=0).mean())
    if spread > 1e-4 * float(np.abs(expected).mean()):  # outputs that do not vary over inputs show nothing but rounding
        assert np.abs(actual - expected).max() <= 1e-3 * spread


@pytest.mark.parametrize("seed", range(12))
def test_removed_equals_masked_on_random_networks(seed: int) -> None:
    check(seed)


@pytest.mark.parametrize("seed", range(2))
def test_files_of_random_networks_equal_them(seed: int, tmp_path: Path) -> None:
    check_exported(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_removed_equals_masked_on_many_random_networks(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_files_of_many_random_networks_equal_them(seed: int, tmp_path: Path) -> None:
    check_exported(seed, tmp_path)
