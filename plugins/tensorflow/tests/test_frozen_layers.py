"""A network whose layers are frozen is pruned as well as the same network unfrozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from reds_tensorflow.extraction import extract
from reds_tensorflow.fused import batch_norms
from reds_tensorflow.tracing import inspect
from reds_tensorflow.training import finetune

import reds_core
from reds_core import Plan, Registry, RunSettings, Search, Watcher, load_data
from reds_core.errors import InputError
from reds_core.framework import Family, FinetuneSettings, Framework, Training
from reds_core.knapsack import LevelSettings


class Listener(Watcher):
    """Keeps what it is warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(scope="module")
def trained() -> Any:
    """A base under a head, as in transfer learning, trained on digits."""
    digits = load_data("digits", Registry().create(Framework, "tensorflow"))
    keras.utils.set_random_seed(0)
    x = base_input = keras.Input((8, 8, 1))
    for i, width in enumerate((16, 32)):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{i}")(x)
        x = layers.ReLU(name=f"relu{i}")(layers.BatchNormalization(momentum=0.9, name=f"norm{i}")(x))
    inputs = keras.Input((8, 8, 1))
    features = keras.Model(base_input, x, name="base")(layers.Rescaling(1 / 16)(inputs))
    model = keras.Model(inputs, layers.Dense(10, name="head")(layers.GlobalAveragePooling2D()(features)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
    model.fit(digits.train.x, digits.train.y, 64, 12, verbose=0)
    assert model.evaluate(digits.test.x, digits.test.y, verbose=0)[1] > 0.93
    return model


def prune(model: Any, out: Path, epochs: int) -> tuple[Plan, list[str]]:
    listener = Listener()
    settings = RunSettings(finetune=FinetuneSettings(epochs=epochs))
    plan = reds_core.prune(model, "digits", {"macs": 0.5}, out, settings=settings, watcher=listener)
    return plan, listener.warnings


@pytest.mark.parametrize(
    "scorer", ["taylor", "fisher", "sensitivity", "magnitude", "bn-scale", "fpgm", "mean-activation"]
)
def test_widths_do_not_depend_on_what_is_frozen(trained: Any, scorer: str, tmp_path: Path) -> None:
    base, path = trained.get_layer("base"), tmp_path / "model.keras"
    widths = []
    for trainable in (True, False):
        base.trainable = trainable
        trained.save(path)
        problem = reds_core.formulate_model(path, "digits", {"macs": 0.5}, scorer=scorer).problem
        solution = Search(Registry()).choose(problem)
        assert solution.widths is not None
        assert solution.usage["macs"] > 0.95 * problem.resources[0].capacity
        widths.append(solution.widths)
    base.trainable = True
    free, frozen = widths
    assert all(abs(free[group] - frozen[group]) <= 1 for group in free), (free, frozen)


def test_a_frozen_network_keeps_its_accuracy_and_the_run_says_what_is_frozen(trained: Any, tmp_path: Path) -> None:
    base = trained.get_layer("base")
    base.trainable = False
    before = [weight.copy() for weight in base.get_weights()]
    plan, warnings = prune(trained, tmp_path, epochs=8)
    (subnetwork,) = plan.subnetworks
    assert subnetwork.accuracy.after is not None
    assert subnetwork.accuracy.after > 0.8
    (frozen,) = [warning for warning in warnings if "frozen" in warning]
    assert frozen.startswith("94% of the parameters are frozen")
    nested = keras.models.load_model(tmp_path / "nested.keras").get_layer("base")
    assert not nested.trainable_weights
    given = sorted(float(np.abs(weight.astype(np.float64)).sum()) for weight in before)
    left = sorted(float(np.abs(weight.astype(np.float64)).sum()) for weight in nested.get_weights())
    np.testing.assert_allclose(left, given, rtol=1e-6, err_msg="channels change their order and nothing else")
    base.trainable = True


@pytest.mark.parametrize("is_narrowed", [True, False])
def test_frozen_statistics_are_measured_of_narrowed_networks_alone(trained: Any, is_narrowed: bool) -> None:
    """Also of one that is trained by itself, whose given statistics are those of wider layers."""
    digits = load_data("digits", Registry().create(Framework, "tensorflow"))
    kept = {group.name: np.arange(group.channels // 2) for group in inspect(trained).groups}

    def cut() -> Any:
        model = extract(trained, inspect(trained), kept)
        for norm in batch_norms(model):
            norm.trainable = False
        return model

    def statistics(model: Any) -> list[np.ndarray]:
        return [np.asarray(value) for norm in batch_norms(model) for value in (norm.moving_mean, norm.moving_variance)]

    def training(epochs: int) -> Training:
        return Training(digits.train, FinetuneSettings(epochs=epochs, learning_rate=1e-9), 0, lambda _: None)

    measured, alone = cut(), cut()
    given = statistics(alone)
    finetune(Family(measured, (measured,), (inspect(measured).channels,)), training(0))
    finetune(Family(alone, (), (), full_settings=LevelSettings() if is_narrowed else None), training(1))
    expected = statistics(measured) if is_narrowed else given
    for wanted, found in zip(expected, statistics(alone), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert not np.allclose(statistics(measured)[0], given[0], rtol=1e-2)


def test_scores_that_are_all_alike_are_no_optimum(tmp_path: Path) -> None:
    """A network that puts out the same for all examples has no gradients at all."""
    inputs = keras.Input((8, 8, 1))
    features = layers.Conv2D(6, 3, activation="relu", name="conv")(inputs)
    pooled = layers.GlobalAveragePooling2D()(features)
    model = keras.Model(inputs, layers.Dense(10, kernel_initializer="zeros", name="head")(pooled))
    with pytest.raises(InputError, match=r"'taylor' gives every channel the same score.* labels .*magnitude"):
        prune(model, tmp_path, epochs=0)
