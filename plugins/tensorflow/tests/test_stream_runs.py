"""Runs of Keras models on data that is read in batches: resumed ones end with the weights of whole ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from slow_cases import slow_except

import reds_core
from reds_core import FinetuneSettings, RunSettings, Watcher
from reds_core.errors import InputError

COUNT, EPOCHS = 120, 3
RNG = np.random.default_rng(0)
X = RNG.integers(0, 255, (COUNT, 8, 8, 1), np.uint8)
Y = (X[:, :4].astype(int).sum(axis=(1, 2, 3)) > X[:, 4:].astype(int).sum(axis=(1, 2, 3))).astype(np.int64)
W = RNG.uniform(0.5, 1.5, COUNT).astype(np.float32)


def model() -> Any:
    start = keras.initializers.GlorotUniform(seed=1)  # a seed for all of TensorFlow would also reach other tests
    inputs = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescaling")(inputs)
    x = keras.layers.Conv2D(8, 3, name="conv", use_bias=False, kernel_initializer=start)(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="relu")(x)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="logits", kernel_initializer=start)(x), name="small")


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Weighted batches in a new order after each pass."""

    def __init__(self) -> None:
        super().__init__()
        self._order, self._rng = np.arange(COUNT), np.random.default_rng(4)

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        part = self._order[15 * index : 15 * index + 15]
        return X[part], Y[part], W[part]

    def on_epoch_end(self) -> None:
        self._rng.shuffle(self._order)


def generated() -> Any:
    for start in range(0, COUNT, 20):
        yield X[start : start + 20], Y[start : start + 20]


def shuffled(*columns: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices(columns).shuffle(COUNT, seed=3)


SOURCES: dict[str, Callable[[], Any]] = {
    "arrays": lambda: (X, Y, W),
    "tf.data, single examples": lambda: shuffled(X, Y),
    "tf.data, weighted batches": lambda: shuffled(X, Y, W).batch(16),
    "PyDataset": Batches,
    "function": lambda: generated,
}


class Killer(Watcher):
    """Ends a run without warning in an epoch, after the epochs before it were saved."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def epoch(self, progress: Any) -> None:
        if progress.epoch == self._epoch and progress.batch > 1:
            raise SystemExit


def run(source: Any, out: Path, **options: Any) -> reds_core.Plan:
    settings = RunSettings(finetune=FinetuneSettings(epochs=EPOCHS, batch_size=16), int8=False)
    return reds_core.prune(
        model(),
        (source, (X, Y)),
        {"macs": 0.5},
        out,
        validation_data=(X[:40], Y[:40]),
        class_weight={0: 2.0},
        settings=settings,
        **options,
    )


def weights(folder: Path) -> list[npt.NDArray[Any]]:
    loaded = [keras.models.load_model(folder / name) for name in ("nested.keras", "subnet-50.keras")]
    return [np.asarray(weight) for each in loaded for weight in each.get_weights()]


@pytest.mark.parametrize("name", slow_except(["PyDataset", "tf.data, weighted batches"], SOURCES))
def test_a_run_that_is_killed_in_an_epoch_ends_with_the_same_weights(name: str, tmp_path: Path) -> None:
    run(SOURCES[name](), tmp_path / "whole")
    with pytest.raises(SystemExit):
        run(SOURCES[name](), tmp_path / "killed", watcher=Killer(2))
    run(SOURCES[name](), tmp_path / "killed", mode="resume")
    for whole, resumed in zip(weights(tmp_path / "whole"), weights(tmp_path / "killed"), strict=True):
        np.testing.assert_array_equal(whole, resumed)


def test_a_label_that_does_not_fit_is_told_with_its_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reds_core.framework.sources.SAMPLE_EXAMPLES", 30)  # later batches are checked as they are read
    wrong = Y.copy()
    wrong[70] = 5
    with pytest.raises(InputError, match=r"\(batch 4\)"):
        run(tf.data.Dataset.from_tensor_slices((X, wrong)).batch(20), tmp_path / "out")
