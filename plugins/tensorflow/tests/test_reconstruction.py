"""Autoencoders, whose labels are the examples themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from reds_tensorflow.relabelling import relabeller

import reds_core
from reds_core.errors import InputError
from reds_core.framework import Task, TaskKind

COUNT, TESTED = 128, 32
X = np.random.default_rng(0).uniform(0, 1, (COUNT + TESTED, 8, 8, 1)).astype(np.float32)
TRAIN, TEST = X[:COUNT], X[COUNT:]
BUDGETS = {"macs": [0.6, 0.3]}
SETTINGS: dict[str, Any] = {"finetune_epochs": 1, "targets": "keras", "verbose": 0}


def autoencoder(last: str | None = "sigmoid") -> Any:
    image = keras.Input((8, 8, 1), name="image")
    x = image
    for index, channels in enumerate((8, 6)):
        start = keras.initializers.HeNormal(seed=index)
        x = keras.layers.Conv2D(
            channels, 3, 1, "same", activation="relu", name=f"conv{index}", kernel_initializer=start
        )(x)
    start = keras.initializers.GlorotUniform(seed=5)
    x = keras.layers.Conv2D(1, 3, 1, "same", activation=last, name="pixels", kernel_initializer=start)(x)
    return keras.Model(image, x, name="small")


@pytest.mark.slow
def test_reconstruction_is_the_mean_squared_error_against_the_examples(tmp_path: Path) -> None:
    """The task is what the loss, the metric and labels equal to the examples say, to the last bit."""
    autoencoder().save(tmp_path / "model.keras")
    alone = reds_core.prune(
        tmp_path / "model.keras", (TRAIN, TEST), BUDGETS, out=tmp_path / "alone", task="reconstruction", **SETTINGS
    )
    given = reds_core.prune(
        tmp_path / "model.keras",
        ((TRAIN, TRAIN), (TEST, TEST)),
        BUDGETS,
        out=tmp_path / "given",
        loss="mean_squared_error",
        metrics="mean_squared_error",
        **SETTINGS,
    )
    assert alone.options["task"]["metric"] == given.options["task"]["metric"] == "mean_squared_error"
    for name in ("60", "30"):
        assert alone[name].accuracy == given[name].accuracy
        for mine, theirs in zip(alone[name].load().get_weights(), given[name].load().get_weights(), strict=True):
            assert mine.tobytes() == theirs.tobytes()
    found = keras.models.load_model(alone["60"].path()).predict(TEST, verbose=0)
    assert alone["60"].accuracy.after == pytest.approx(float(np.square(found - TEST).mean()), rel=1e-5)
    evaluated = reds_core.evaluate(alone["60"].path(), (TEST,), verbose=0)
    assert evaluated.value == pytest.approx(alone["60"].accuracy.after, rel=1e-6)


def test_labels_of_augmented_examples_are_these() -> None:
    relabel = relabeller(Task(kind=TaskKind.RECONSTRUCTION), autoencoder(), None)
    assert relabel is not None
    np.testing.assert_array_equal(relabel(tf.constant(TEST)), TEST)


def test_examples_outside_of_the_range_of_the_outputs_are_refused(tmp_path: Path) -> None:
    pixels = (255 * X[:40]).astype(np.uint8)
    with pytest.raises(InputError, match="between 0 and 1; divide the labels by 25"):
        reds_core.prune(autoencoder(), (pixels, pixels), 0.5, out=tmp_path / "out", task="reconstruction", **SETTINGS)
    wide = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Conv2D(2, 3)])
    with pytest.raises(InputError, match="but the model outputs"):
        reds_core.prune(wide, (TRAIN, TEST), 0.5, out=tmp_path / "out", task="reconstruction", **SETTINGS)
