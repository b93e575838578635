"""Models with chains of layers in place of layers compute what the products of the kernels compute, and cost what the
description said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras import layers as L
from keras_low_rank import low_rank, lowered, rewritten
from keras_precision import precision
from keras_random import RandomNetwork
from keras_random_sequences import RandomSequenceNetwork
from reds_tensorflow.framework import TensorFlowFramework
from reds_tensorflow.loading import load_model, save_model
from reds_tensorflow.probing import second_moments
from reds_tensorflow.rewriting import refusal, rewrite
from reds_tensorflow.samples import SAMPLES
from reds_tensorflow.tracing import inspect

from reds_core.cost import CostModel, usage
from reds_core.errors import InputError
from reds_core.network import Network

SCHEMES = ("channels", "spatial", "tucker")
RESOURCES = ("macs", "params", "weight_bytes", "peak_ram")


def check(model: Any, arrays: list[np.ndarray], scheme: str, tolerance: float = 1e-9) -> int:
    """Check the model with every layer at its lowest level, and return the number of chains."""
    transform = low_rank(scheme)
    settings = lowered(model, transform)
    made, described = rewritten(model, transform, settings)
    feed = arrays if len(arrays) > 1 else arrays[0]
    pairs = zip(
        keras.tree.flatten(made(feed, training=False)), keras.tree.flatten(model(feed, training=False)), strict=True
    )
    for actual, expected in pairs:
        scale = float(np.abs(expected).max()) + 1e-30
        assert float(np.abs(np.asarray(actual) - np.asarray(expected)).max()) <= tolerance * scale
    recounted = inspect(made)
    assert layers(described) == layers(recounted)
    assert costs(described) == costs(recounted)
    return len(settings.levels)


def layers(network: Network) -> list[Any]:
    return [(e.name, e.kind, e.input_shape, e.output_shape, e.is_activated) for e in network.layers]


def costs(network: Network) -> Any:
    found = dict(usage(network, network.channels, CostModel(4, additional=RESOURCES)))
    weights = sorted((w.name, w.shape, w.kind, w.output_axis, w.trainable) for w in network.weights)
    return found, weights


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_samples(sample: Any, scheme: str) -> None:
    with precision("float64"):
        model, x, _ = sample.build()
        assert check(model, [x], scheme)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed: int) -> None:
    with precision("float64"):
        model = RandomNetwork(np.random.default_rng(seed)).build()
        data = np.random.default_rng(seed)
        arrays = [data.normal(size=(4, *tensor.shape[1:])) for tensor in model.inputs]
        reference.enliven(model, *arrays, seed=seed)
        check(model, arrays, SCHEMES[seed % 3])


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_of_sequences(seed: int) -> None:
    with precision("float64"):
        grown = RandomSequenceNetwork(np.random.default_rng(seed))
        model, x = grown.build(), grown.examples(seed)
        reference.enliven(model, x, seed=seed)
        check(model, [x], SCHEMES[seed % 3])
