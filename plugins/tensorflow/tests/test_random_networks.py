"""Random networks: removed equals masked and costs equal an independent count, whatever is built of the layers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras_random import RandomNetwork
from reds_tensorflow.extraction import extract
from reds_tensorflow.tracing import inspect


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """Deep random networks amplify rounding; in double precision every real difference stands out."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)
    keras.utils.clear_session()


def check(seed: int) -> None:
    model = RandomNetwork(seed).build()
    x = np.random.default_rng(seed).normal(size=(16, *model.inputs[0].shape[1:]))
    reference.enliven(model, x, seed=seed)
    network = inspect(model)
    kept = reference.random_kept(network, 0.6, seed, ordered=seed % 2 == 0)
    small = extract(model, network, kept)
    masked = reference.masked_outputs(model, network, kept, x)
    for actual, expected in zip(keras.tree.flatten(small(x)), masked, strict=True):
        # where all of a random network's live channels are gone, outputs are constant and must still agree
        spread = max(float(np.std(expected, axis=0).mean()), 1e-3 * float(np.abs(expected).mean()))
        assert np.abs(np.asarray(actual) - expected).max() <= 1e-9 * spread
    widths = {group: len(channels) for group, channels in kept.items()}
    for whole, at in ((model, network.channels), (small, {**network.channels, **widths})):
        sizes = [math.prod(axis.length().at(at) for axis in weight.axes) for weight in network.weights]
        assert sum(sizes) == whole.count_params()


@pytest.mark.parametrize("seed", range(12))
def test_removed_equals_masked_on_random_networks(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_removed_equals_masked_on_many_random_networks(seed: int) -> None:
    check(seed)
