"""What must hold of any network: removed equals masked, costs equal an independent count, files say what Keras says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras_reference import run_exported
from keras_unrolled import same_choice, unrolled
from litert_files import export
from reds_tensorflow.extraction import extract
from reds_tensorflow.loading import load_model, save_model
from reds_tensorflow.reading import STOCK, Reading
from reds_tensorflow.tracing import inspect

from reds_core.cost import macs, params, peak_ram
from reds_core.errors import UnsupportedError


def check(model: Any, arrays: list[np.ndarray], seed: int, reading: Reading = STOCK) -> None:
    """Hold everything about the smaller network of a random choice of channels. To be called in double precision.

    Args:
        arrays: examples for each input.
    """
    feed = arrays if len(arrays) > 1 else arrays[0]
    reference.enliven(model, *arrays, seed=seed)
    network = inspect(model, reading)
    kept = reference.random_kept(network, 0.6, seed, ordered=seed % 2 == 0)
    small = extract(model, network, kept, reading)
    plain = unrolled(model)
    choice = same_choice(model, plain, kept, reading)
    masked = reference.masked_outputs(plain, inspect(plain, reading), choice, *arrays)
    for actual, expected in zip(keras.tree.flatten(small(feed, training=False)), masked, strict=True):
        # where all of a random network's live channels are gone, outputs are constant and must still agree
        spread = max(float(np.std(expected, axis=0).mean()), 1e-3 * float(np.abs(expected).mean()))
        assert np.abs(np.asarray(actual) - expected).max() <= 1e-9 * spread
    widths = {**network.channels, **{group: len(channels) for group, channels in kept.items()}}
    for whole, at in ((model, network.channels), (small, widths)):
        assert params(network).at(at) == whole.count_params()
        assert macs(network).at(at) == reference.count_macs_by_running(unrolled(whole), *arrays)
    recounted = inspect(small, reading)
    assert peak_ram(network).at(widths) == peak_ram(recounted).at(recounted.channels)
    assert [layer.kind for layer in network.layers] == [layer.kind for layer in recounted.layers]


def check_exported(model: Any, x: np.ndarray, seed: int, folder: Path, reading: Reading = STOCK) -> None:
    """The .keras file of the smaller network and its .tflite file say what the smaller network says."""
    reference.enliven(model, x, seed=seed)
    network = inspect(model, reading)
    small = extract(model, network, reference.random_kept(network, 0.6, seed), reading)
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
