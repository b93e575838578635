"""The smallest Keras network that loses at most the given points, found on digits."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from reds_tensorflow.framework import TensorFlowFramework

import reds_core
from reds_core import RunSettings, Watcher, load_data, load_plan, split_validation
from reds_core.framework import Arrays, EpochProgress, FinetuneSettings

LIMIT_POINTS = 4.0
SETTINGS = RunSettings(finetune=FinetuneSettings(epochs=3), holdout=0.2, int8=False, max_drop=LIMIT_POINTS)


class Stopping(Watcher):
    """Kills the run at the end of an epoch, from 0, before that epoch is saved."""

    def __init__(self, at: int) -> None:
        self.left = at

    def epoch(self, progress: EpochProgress) -> None:
        self.left -= progress.batch == progress.batches
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that knows the digits."""
    keras.utils.set_random_seed(3)
    x = inputs = keras.Input((8, 8, 1))
    x = layers.Rescaling(1 / 16)(x)
    for filters in (12, 16):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GlobalAveragePooling2D()(x)
    network = keras.Model(inputs, layers.Dense(10)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    train = load_data("digits", TensorFlowFramework()).train
    network.fit(train.x, train.y, batch_size=32, epochs=12, verbose=0)
    path = tmp_path_factory.mktemp("model") / "digits.keras"
    network.save(path)
    return path


def accuracy(path: Path, held_back: Arrays) -> float:
    outputs = keras.saving.load_model(path).predict(held_back.x, verbose=0)
    return float(np.mean(outputs.argmax(axis=1) == held_back.y))


@pytest.mark.slow
def test_the_network_that_is_found_loses_no_more_as_measured_by_keras(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = reds_core.prune(model, "digits", None, out, settings=SETTINGS)
    record = plan.max_drop
    assert record is not None
    train = load_data("digits", TensorFlowFramework()).train
    _, held_back = split_validation(train, SETTINGS.holdout, SETTINGS.seed)
    (member,) = plan.subnetworks
    assert member.files["keras"] is not None
    before, after = accuracy(model, held_back), accuracy(out / member.files["keras"], held_back)
    assert record.examples == len(held_back.x)
    assert record.accuracy == pytest.approx(before)
    assert record.found.accuracy == pytest.approx(after)
    assert 100 * (before - after) <= LIMIT_POINTS + 1e-6
    assert record.found.drop_points == pytest.approx(100 * (before - after), abs=1e-4)
    assert record.found.usage == member.usage
    assert member.usage["macs"] < plan.full.usage["macs"]
    assert any(probe.drop_points is not None and probe.drop_points > LIMIT_POINTS for probe in record.probes)
    check_resumed(model, tmp_path / "stopped", out)


def check_resumed(model: Path, out: Path, straight: Path) -> None:
    """A search that is killed in a probe, and again in the full training, finds the same."""
    for at in (3, 4):
        with pytest.raises(KeyboardInterrupt):
            reds_core.prune(model, "digits", None, out, settings=SETTINGS, mode="resume", watcher=Stopping(at))
    plan, expected = reds_core.prune(out=out, settings=SETTINGS, mode="resume"), load_plan(straight)
    assert plan.max_drop is not None
    assert expected.max_drop is not None
    found, wanted = (
        [(t.budget, t.drop_points) for t in (*r.probes, *r.trainings)] for r in (plan.max_drop, expected.max_drop)
    )
    assert found == wanted
    name = expected.subnetworks[0].files["keras"]
    assert name == plan.subnetworks[0].files["keras"]
    assert name is not None
    first, second = (keras.saving.load_model(folder / name).get_weights() for folder in (out, straight))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
