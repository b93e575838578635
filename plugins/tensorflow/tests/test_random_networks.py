"""Random networks of images and of sequences: removed equals masked and costs equal an independent count, whatever is
built of the layers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_checks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras_precision import precision
from keras_random import RandomNetwork
from keras_random_sequences import RandomSequenceNetwork
from random_draws import Drawn
from reds_tensorflow.options import TensorFlowOptions
from reds_tensorflow.reading import Reading
from slow_cases import slow_except

drawn_networks = given(source=st.randoms(use_true_random=False), seed=st.integers(0, 999))
many_times = settings(
    max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def check(rng: Any, seed: int) -> None:
    """Deep random networks amplify rounding; in double precision every real difference stands out."""
    with precision("float64"):
        model = RandomNetwork(rng).build()
        data = np.random.default_rng(seed)
        random_checks.check(model, [data.normal(size=(16, *tensor.shape[1:])) for tensor in model.inputs], seed)


def check_exported(seed: int, folder: Path) -> None:
    with precision("float32"):
        model = RandomNetwork(np.random.default_rng(seed), plain=True).build()
        x = np.random.default_rng(seed).normal(size=(16, *model.inputs[0].shape[1:])).astype("float32")
        random_checks.check_exported(model, x, seed, folder)


def normalising(seed: int) -> Reading:
    """Of every third network channels under a normalisation are removed as well."""
    return Reading(options=TensorFlowOptions(prune_normalised=seed % 3 == 0))


def check_sequences(rng: Any, seed: int) -> None:
    with precision("float64"):
        grown = RandomSequenceNetwork(rng)
        random_checks.check(grown.build(), [grown.examples(seed)], seed, normalising(seed))


def check_exported_sequences(seed: int, folder: Path) -> None:
    with precision("float32"):
        grown = RandomSequenceNetwork(np.random.default_rng(seed), plain=True)
        random_checks.check_exported(grown.build(), grown.examples(seed), seed, folder, normalising(seed))


@pytest.mark.parametrize("seed", slow_except(range(6), range(12)))
def test_removed_equals_masked_on_random_networks(seed: int) -> None:
    check(np.random.default_rng(seed), seed)


@pytest.mark.parametrize("seed", slow_except(range(3), range(6)))
def test_removed_equals_masked_on_random_networks_over_sequences(seed: int) -> None:
    check_sequences(np.random.default_rng(seed), seed)


@pytest.mark.parametrize("seed", range(2))
def test_files_of_random_networks_equal_them(seed: int, tmp_path: Path) -> None:
    check_exported(seed, tmp_path)


@pytest.mark.slow
@drawn_networks
@many_times
def test_removed_equals_masked_on_drawn_networks(source: random.Random, seed: int) -> None:
    check(Drawn(source), seed)


@pytest.mark.slow
@drawn_networks
@many_times
def test_removed_equals_masked_on_drawn_networks_over_sequences(source: random.Random, seed: int) -> None:
    check_sequences(Drawn(source), seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_removed_equals_masked_on_many_random_networks(seed: int) -> None:
    check(np.random.default_rng(seed), seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_removed_equals_masked_on_many_random_networks_over_sequences(seed: int) -> None:
    check_sequences(np.random.default_rng(seed), seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_files_of_many_random_networks_equal_them(seed: int, tmp_path: Path) -> None:
    check_exported(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_files_of_many_random_networks_over_sequences_equal_them(seed: int, tmp_path: Path) -> None:
    check_exported_sequences(seed, tmp_path)
