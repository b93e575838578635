"""What a run on a Keras model returns, and members that are added to it: models, files, and what training changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import reds_core
from reds_core import FinetuneSettings, RunSettings, SavedPlan
from reds_core.errors import UnsupportedError

SETTINGS = RunSettings(finetune=FinetuneSettings(epochs=4), scorer="magnitude")


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 8, 8, 1) of four classes, each with a bright quarter and much noise."""
    draw = np.random.default_rng(seed)
    y = draw.integers(0, 4, count)
    x = draw.normal(0, 1, (count, 8, 8, 1)).astype("float32")
    for i, label in enumerate(y):
        x[i, 4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] += 1
    return x, y


DATA = blobs(512, 1), blobs(256, 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SavedPlan:
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((8, 8, 1))
    for filters in (16, 24):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(x))
    model = keras.Model(inputs, layers.Dense(4)(layers.Flatten()(layers.AveragePooling2D(4)(x))))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    model.fit(*DATA[0], epochs=6, batch_size=32, verbose=0)
    out = tmp_path_factory.mktemp("results") / "run"
    # the model is given without what it was compiled with, so that the plan of the run describes the training fully
    plain = keras.models.clone_model(model)
    plain.set_weights(model.get_weights())
    return reds_core.prune(plain, DATA, {"macs": [0.7, 0.25]}, out, settings=SETTINGS)


@pytest.fixture
def plan(made: SavedPlan, tmp_path: Path) -> SavedPlan:
    shutil.copytree(made.folder, tmp_path / "run")
    return reds_core.load_plan(tmp_path / "run")


def accuracy(model: keras.Model) -> float:
    x, y = DATA[1]
    return float(np.mean(model.predict(x, verbose=0).argmax(axis=1) == y))


def test_members_are_loaded_as_keras_models(plan: SavedPlan) -> None:
    for member in plan:
        model = member.load()
        assert isinstance(model, keras.Model)
        assert accuracy(model) == pytest.approx(member.accuracy.after, abs=1e-6)
        assert accuracy(model) == pytest.approx(plan.to_frame().loc[member.name, "accuracy_after"], abs=1e-6)
    assert accuracy(plan.full.load()) == pytest.approx(plan.full.accuracy.after, abs=1e-6)


def test_models_are_loaded_in_safe_mode(plan: SavedPlan) -> None:
    inputs = keras.Input((4,))
    keras.Model(inputs, layers.Lambda(lambda x: x + 1)(inputs)).save(plan["25"].path())
    with pytest.raises(UnsupportedError):
        plan["25"].load()


def test_an_added_member_has_slices_of_the_weights_and_statistics_of_its_own(plan: SavedPlan) -> None:
    member = reds_core.extract(plan.folder, {"macs": 0.4}, data=DATA)
    assert member.is_untrained
    larger, mine = plan["70"].load(), member.load()
    for wide, narrow in zip(larger.trainable_variables, mine.trainable_variables, strict=True):
        if "dense" not in wide.path:  # flattened positions are not a prefix
            part = tuple(slice(0, size) for size in narrow.shape)
            np.testing.assert_array_equal(wide.numpy()[part], narrow.numpy())
    own, others = ([n for n in model.layers if isinstance(n, layers.BatchNormalization)][1] for model in (mine, larger))
    outputs = keras.Model(mine.inputs, own.input).predict(DATA[0][0], verbose=0)
    mean = outputs.mean(axis=(0, 1, 2))
    errors = [np.abs(norm.moving_mean.numpy()[: len(mean)] - mean).max() for norm in (own, others)]
    assert errors[0] < 0.2 * errors[1]


def test_training_a_member_leaves_the_files_of_the_others_alone(plan: SavedPlan) -> None:
    files = {p.name: p.read_bytes() for p in plan.folder.iterdir() if p.suffix in (".keras", ".tflite", ".npz")}
    untrained = reds_core.extract(plan.folder, {"macs": 0.4}, data=DATA)
    trained = reds_core.extract(plan.folder, {"macs": 0.4}, data=DATA, finetune_epochs=3)
    assert trained.accuracy.after is not None
    assert trained.accuracy.after > 0.9
    assert trained.widths == untrained.widths
    assert accuracy(trained.load()) == pytest.approx(trained.accuracy.after, abs=1e-6)
    assert {p.name: p.read_bytes() for p in plan.folder.iterdir() if p.name in files} == files
    assert trained.path("tflite_int8").exists()
    again = reds_core.load_plan(plan.folder)
    assert again.names == ("25", "40", "70")
    assert not again["40"].shares_weights
    assert (plan.folder / "report.html").read_text().count("own weights") >= 1
