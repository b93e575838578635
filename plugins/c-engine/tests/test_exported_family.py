"""From a Keras model to an engine: a run, its export, and the values of the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from engines import compiled, contents_of
from int8_graphs import examples, tflite_micro_outputs

import reds_core


@pytest.mark.slow
@pytest.mark.parametrize("numbers", ["int8", "16x8"])
def test_a_run_is_exported_to_an_engine_that_equals_its_files(numbers: str, tmp_path: Path) -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = keras.Input((10, 10, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(12, 3, padding="same", use_bias=False)(x)))
    y = layers.Conv2D(12, 1, activation="tanh" if numbers == "int8" else "relu")(x)
    x = layers.Add()([x, y])
    x = layers.Concatenate()([layers.Conv2D(8, 1, activation="relu")(x), layers.MaxPooling2D(3, 1, padding="same")(x)])
    x = layers.DepthwiseConv2D(3, strides=2, activation="relu6")(x)
    model = keras.Model(image, layers.Dense(5)(layers.Flatten()(x)))
    rng = np.random.default_rng(0)
    data = rng.uniform(0, 255, (96, 10, 10, 3)).astype(np.float32), rng.integers(0, 5, 96)
    run, out = tmp_path / "run", tmp_path / "engine"
    budgets = {"macs": [0.6, 0.3]}
    options = {"activation-bits": {"bits": "8" if numbers == "int8" else "16"}}
    reds_core.prune(
        model,
        (data, data),
        budgets,
        out=run,
        scorer="magnitude",
        finetune_epochs=0,
        targets=[f"tflite-{numbers}"],
        transforms=["activation-bits"],
        options=options,
        verbose=0,
    )
    made = reds_core.export(run, "c-engine", out=out, verbose=0)
    assert made.members == ("30", "60", "full")
    assert made.notes == ()
    plan = reds_core.load_plan(run)
    peaks = {member.name: member.usage["peak_ram"] for member in plan} | {"full": plan.full.usage["peak_ram"]}
    assert all(made.arena_bytes[name] <= peak for name, peak in peaks.items())
    contents = contents_of(run, ["30", "60"], numbers)
    engine = compiled(contents, tmp_path / "compiled")
    x = examples(contents[0][1], 40)
    for index, (_, content) in enumerate(contents):
        found = engine.outputs(index, x)
        assert np.array_equal(found, tflite_micro_outputs(content, x))
        assert len(np.unique(found)) > 4
