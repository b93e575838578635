"""`reds thresholds` on a Keras network with exits, and on its int8 file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import reds_core
from reds_core.framework import Arrays, ExportSource, Target


def network_with_exits() -> keras.Model:
    """Two early exits, which give probabilities, and the output of the whole network."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((8, 8, 1))
    outputs = []
    for number, width in enumerate((4, 6, 8), 1):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv_{number}")(x)
        pooled = layers.GlobalAveragePooling2D(name=f"pool_{number}")(x)
        name = f"exit_{number}" if number < 3 else "head"
        outputs.append(layers.Dense(3, activation="softmax", name=name)(pooled))
    return keras.Model(image, outputs, name="with_exits")


MACS = [64 * 9 * 4, 64 * 9 * 4 * 6, 64 * 9 * 6 * 8]
HEADS = [3 * 4, 3 * 6, 3 * 8]


@pytest.mark.slow
def test_thresholds_of_a_keras_network_and_its_int8_file(tmp_path: Path) -> None:
    model, rng = network_with_exits(), np.random.default_rng(0)
    x, y = rng.normal(size=(200, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 200)
    registry = reds_core.Registry()
    framework = registry.framework_of(model)
    target = registry.create(Target, "tflite-int8")
    source = ExportSource(framework, model, framework.inspect(model), calibration=Arrays(x[:50], y[:50]))
    target.export(source, tmp_path / "exits-int8.tflite")
    found = reds_core.choose_thresholds(
        model, ((x[:150], y[:150]), (x[150:], y[150:])), tmp_path / "t",
        target_cost=0.9, holdout=0.5, device_file=tmp_path / "exits-int8.tflite", verbose=0,
    )  # fmt: skip
    assert [each.name for each in found.exits] == ["exit_1", "exit_2", "head"]
    assert [each.cost for each in found.exits] == [sum(MACS[: i + 1]) + sum(HEADS[: i + 1]) for i in range(3)]
    assert [each.cost_alone for each in found.exits] == [sum(MACS[: i + 1]) + HEADS[i] for i in range(3)]
    outputs = [np.asarray(each) for each in model(x[150:])]
    assert [each.accuracy_test for each in found.exits] == pytest.approx(
        [float((each.argmax(axis=1) == y[150:]).mean()) for each in outputs]
    )
    assert found.integers is not None
    assert found.integers.steps == (1 / 256,) * 3
    assert all(each == int(each) for each in found.integers.policy.thresholds)

    file = target.load(framework, tmp_path / "exits-int8.tflite")
    for own, exact in zip(file.outputs(x[150:160]), outputs, strict=True):
        assert own == pytest.approx(exact[:10], abs=0.1)
