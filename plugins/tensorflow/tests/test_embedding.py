"""Encoders without labels: their labels are the outputs of the input model, whatever else the data holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from reds_tensorflow.features import cosine_distance, feature_similarity, relative_squared_error
from reds_tensorflow.framework import TensorFlowFramework
from reds_tensorflow.relabelling import relabeller

import reds_core
from reds_core.errors import InputError, RedsError
from reds_core.framework import (
    Arrays,
    BatchSource,
    Family,
    FinetuneSettings,
    SourceStream,
    Task,
    TaskKind,
    Teacher,
    Training,
    noisy_features,
)

COUNT, TESTED = 160, 48
RNG = np.random.default_rng(0)
X = RNG.integers(0, 255, (COUNT + TESTED, 8, 8, 1), np.uint8)
TRAIN, TEST = X[:COUNT], X[COUNT:]
TASK = Task(kind=TaskKind.EMBEDDING)
FRAMEWORK = TensorFlowFramework()
SETTINGS: dict[str, Any] = {"task": "embedding", "finetune_epochs": 1, "targets": "keras", "verbose": 0}


def encoder(normed: bool = True, seed: int = 9) -> Any:
    """An encoder of 8 x 8 pixels whose features vary over examples. `seed` is that of its last layer."""
    image = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescaling")(image)
    for index, channels in enumerate((8, 12)):
        start = keras.initializers.HeNormal(seed=index)
        x = keras.layers.Conv2D(channels, 3, name=f"conv{index}", use_bias=not normed, kernel_initializer=start)(x)
        if normed:
            x = keras.layers.BatchNormalization(name=f"norm{index}")(x)
        x = keras.layers.ReLU(name=f"relu{index}")(x)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    start = keras.initializers.HeNormal(seed)
    return keras.Model(image, keras.layers.Dense(6, name="features", kernel_initializer=start)(features), name="small")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, data without labels, data with labels, and a finished run on the first."""
    folder = tmp_path_factory.mktemp("embedding")
    encoder().save(folder / "encoder.keras")
    np.savez(folder / "images.npz", x_train=TRAIN, x_test=TEST)
    labels = RNG.integers(0, 5, COUNT + TESTED)
    np.savez(folder / "labelled.npz", x_train=TRAIN, y_train=labels[:COUNT], x_test=TEST, y_test=labels[COUNT:])
    reds_core.prune(
        folder / "encoder.keras", folder / "images.npz", {"macs": [0.6, 0.3]}, out=folder / "run", **SETTINGS
    )
    return folder


class Parts(BatchSource):
    """The training images in batches without labels."""

    def read(self) -> Any:
        return iter(np.split(TRAIN, 5))


def taught(teacher: Any, x: Any) -> Arrays:
    """Examples whose labels are what a model returns for them."""
    return Arrays(x, FRAMEWORK.predict(teacher, x))


def weights_of(path: Path) -> list[bytes]:
    return [array.tobytes() for array in keras.models.load_model(path).get_weights()]


def by_keras(model: Path, teacher: Path) -> float:
    """The mean cosine similarity of the outputs of two files on the test images, computed by Keras alone."""
    found, wanted = (keras.models.load_model(path).predict(TEST, verbose=0) for path in (model, teacher))
    metric = keras.metrics.CosineSimilarity(axis=-1)
    metric.update_state(wanted, found)
    return float(metric.result())


def test_the_plan_states_the_similarity_that_keras_computes_from_the_files(place: Path) -> None:
    plan = reds_core.load_plan(place / "run")
    assert plan.options["task"]["kind"] == "embedding"
    assert plan.options["task"]["metric"] == "feature_similarity"
    assert plan.full.accuracy.before == pytest.approx(1.0, abs=1e-6)
    for member in plan.subnetworks:
        reached = by_keras(place / "run" / str(member.files["keras"]), place / "encoder.keras")
        assert member.accuracy.after == pytest.approx(reached, abs=1e-6)
        assert member.accuracy.before is not None
        assert reached < 0.9999


def test_labels_in_the_data_change_nothing(place: Path, tmp_path: Path) -> None:
    budgets = {"macs": [0.6, 0.3]}
    plan = reds_core.prune(place / "encoder.keras", place / "labelled.npz", budgets, out=tmp_path / "run", **SETTINGS)
    before = reds_core.load_plan(place / "run")
    assert plan.hashes == before.hashes
    for name in ("nested.keras", "subnet-60.keras", "subnet-30.keras"):
        assert weights_of(tmp_path / "run" / name) == weights_of(place / "run" / name)


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_weights(place: Path, tmp_path: Path) -> None:
    class Stop(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise MemoryError("stopped here")

    settings = {**SETTINGS, "finetune_epochs": 2, "augment": "shift=0.2"}
    given = (place / "encoder.keras", place / "images.npz", {"macs": 0.5})
    with pytest.raises((RedsError, MemoryError)):
        reds_core.prune(*given, out=tmp_path / "stopped", callbacks=Stop(), **settings)
    reds_core.prune(*given, out=tmp_path / "stopped", mode="resume", **settings)
    reds_core.prune(*given, out=tmp_path / "whole", **settings)
    assert weights_of(tmp_path / "stopped" / "subnet-50.keras") == weights_of(tmp_path / "whole" / "subnet-50.keras")


def test_reports_name_the_similarity_and_not_an_accuracy(place: Path) -> None:
    plan = reds_core.load_plan(place / "run")
    table = str(plan)
    assert "similarity" in table
    assert "accuracy" not in table.lower()
    card = (place / "run" / "README.md").read_text(encoding="utf-8")
    assert "feature similarity" in card
    assert "accuracy" not in card.lower()
    page = (place / "run" / "report.html").read_text(encoding="utf-8")
    assert "Feature similarity is the mean cosine similarity" in page
    assert "Which classes suffer" not in page


def test_a_file_of_a_run_is_compared_with_the_input_model_of_the_run(place: Path, tmp_path: Path) -> None:
    run, data = place / "run", place / "images.npz"
    planned = reds_core.load_plan(run)["60"].accuracy.after
    found = reds_core.evaluate(run / "subnet-60.keras", data, verbose=0)
    assert (found.metric, found.value) == ("feature_similarity", pytest.approx(planned, abs=1e-6))
    given = keras.models.load_model(run / "subnet-60.keras")
    taught = reds_core.evaluate(given, TEST, task="embedding", teacher=place / "encoder.keras", verbose=0)
    assert taught.value == pytest.approx(planned, abs=1e-6)
    own = reds_core.evaluate(
        place / "encoder.keras", data, task="embedding", teacher=place / "encoder.keras", verbose=0
    )
    assert (own.value, own.loss) == (pytest.approx(1.0, abs=1e-6), pytest.approx(0.0, abs=1e-6))
    with pytest.raises(InputError, match="no run that has one; give teacher"):
        reds_core.evaluate(place / "encoder.keras", data, task="embedding", verbose=0)
    with pytest.raises(InputError, match="teacher is given, but"):
        reds_core.evaluate(place / "encoder.keras", place / "labelled.npz", teacher=given, verbose=0)


@pytest.mark.slow
def test_a_member_is_added_as_long_as_the_input_model_is_there(place: Path, tmp_path: Path) -> None:
    model = tmp_path / "own.keras"
    encoder().save(model)
    data = place / "images.npz"
    reds_core.prune(model, data, {"macs": [0.6, 0.3]}, out=tmp_path / "run", **{**SETTINGS, "finetune_epochs": 0})
    member = reds_core.extract(tmp_path / "run", {"macs": 0.4}, finetune_epochs=1, verbose=0)
    assert member.accuracy.after == pytest.approx(by_keras(member.path(), model), abs=1e-6)
    model.unlink()
    with pytest.raises(InputError, match="no longer exists"):
        reds_core.extract(tmp_path / "run", {"macs": 0.5}, finetune_epochs=1, verbose=0)
    assert reds_core.extract(tmp_path / "run", {"macs": 0.5}, verbose=0).accuracy.after is None
    with pytest.raises(InputError, match="no longer exists; put it back, or say with teacher where it is now"):
        reds_core.evaluate(member.path(), data, verbose=0)


@pytest.mark.parametrize(
    "source", ["arrays", "one-tuples", "labelled arrays", "tf.data", "single examples", "function"]
)
def test_data_without_labels_in_every_form(source: str) -> None:
    model, slices = encoder(), tf.data.Dataset.from_tensor_slices
    parts = {
        "arrays": (TRAIN, TEST),
        "one-tuples": ((TRAIN,), (TEST,)),
        "labelled arrays": ((TRAIN, np.zeros(COUNT)), (TEST, None)),
        "tf.data": (slices(TRAIN).batch(32), slices(TEST).batch(32)),
        "single examples": (slices((TRAIN,)), slices((TEST, np.zeros(TESTED)))),
        "function": (lambda: iter(np.split(TRAIN, 4)), lambda: iter(np.split(TEST, 4))),
    }[source]
    found = reds_core.evaluate(model, parts, task="embedding", teacher=model, verbose=0)
    assert (found.examples, found.value) == (TESTED, pytest.approx(1.0, abs=1e-6))


def test_streams_and_arrays_have_the_same_labels_and_figures() -> None:
    model, small = encoder(), encoder(seed=10)
    predict = FRAMEWORK.predictor(model)
    stream = SourceStream(Parts(), labelled=False).mapped(lambda batch: Arrays(batch.x, predict(batch.x)))
    parts = [FRAMEWORK.check_data(small, data, TASK, "data") for data in (taught(model, TRAIN), stream)]
    read = np.concatenate([batch.y for batch in stream_batches(parts[1])])
    np.testing.assert_allclose(parts[0].y, read, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(read, model.predict(TRAIN, verbose=0), rtol=1e-5, atol=1e-6)
    assert FRAMEWORK.loss(small, parts[0], TASK) > 0.1
    for measure in (FRAMEWORK.accuracy, FRAMEWORK.loss):
        assert measure(small, parts[0], TASK) == pytest.approx(measure(small, parts[1], TASK), rel=1e-5)


def stream_batches(stream: Any) -> Any:
    stream.rewind(0)
    return stream.batches()


@pytest.mark.parametrize("loss", ["cosine_distance", "relative_squared_error", "mean_squared_error"])
def test_the_input_model_loses_nothing_against_itself(loss: str) -> None:
    model, task = encoder(), Task(loss, kind=TaskKind.EMBEDDING)
    data = taught(model, TEST)
    assert FRAMEWORK.loss(model, data, task) == pytest.approx(0.0, abs=1e-6)
    assert FRAMEWORK.accuracy(model, data, task) == pytest.approx(1.0, abs=1e-6)


def test_losses_of_features_by_hand() -> None:
    wanted = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], np.float32)
    found = np.array([[6.0, 8.0], [0.0, 2.0], [0.0, 0.0], [1.0, 0.0]], np.float32)
    np.testing.assert_allclose(feature_similarity(wanted, found), [1, 0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(cosine_distance(wanted, found), [0, 1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(relative_squared_error(wanted, found), [1, 5, 0, 0], atol=1e-6)
    maps = np.arange(24.0).reshape(2, 2, 2, 3)
    np.testing.assert_allclose(feature_similarity(maps, 2 * maps), [1, 1], atol=1e-6)


def test_labels_of_augmented_examples_are_features_of_these() -> None:
    """An encoder that starts as its own teacher keeps a loss of 0 under strong shifts, if nothing moves it."""
    teacher, full = encoder(normed=False), encoder(normed=False)
    data = taught(teacher, TRAIN)
    settings = FinetuneSettings(1, learning_rate=1e-12, augment=("shift=0.4", "flip"), distill=Teacher.NONE)
    told: list[float] = []
    training = Training(data, settings, 0, lambda p: told.append(p.loss), TASK, teacher=teacher)
    FRAMEWORK.finetune(Family(full, (), ()), training)
    assert max(told) == pytest.approx(0.0, abs=1e-5)
    relabel = relabeller(TASK, full, teacher)
    assert relabel is not None
    np.testing.assert_allclose(relabel(tf.constant(TEST, tf.float32)), teacher.predict(TEST, verbose=0), rtol=1e-4)
    with pytest.raises(InputError, match="need the input model"):
        relabeller(TASK, full, None)


def test_gradients_tell_which_channels_the_features_need() -> None:
    """At the teacher itself the loss has no gradient, so scores would only rank rounding errors."""
    model = encoder(normed=False)
    network = FRAMEWORK.inspect(model)
    data = taught(model, TRAIN)
    own = FRAMEWORK.weights(model, network)
    group = network.groups[0]
    rises = []
    for channel in range(group.channels):
        kept = {group.name: np.delete(np.arange(group.channels), channel)}
        rises.append(FRAMEWORK.loss(FRAMEWORK.extract(model, network, kept), data, TASK))
    total = np.zeros(group.channels)
    for gradients in FRAMEWORK.gradients(model, network, data, TASK, 1):
        total += np.square((gradients[0] * own[0]).sum(axis=(0, 1, 2)) + gradients[1] * own[1])
    is_used = np.array(rises) > 1e-7  # the others are 0 for all examples
    assert is_used.sum() >= 4
    assert np.array_equal(total > 0, is_used)
    assert np.corrcoef(np.log(total[is_used]), np.log(np.array(rises)[is_used]))[0, 1] > 0.8


def test_noise_is_in_proportion_to_the_features_and_seeded() -> None:
    features = np.stack([np.full(400, 1.0), np.full(400, 100.0), np.zeros(400)]).astype(np.float32)
    noise = noisy_features(features) - features
    np.testing.assert_allclose(np.linalg.norm(noise, axis=1), [0.1 * 20, 0.1 * 2000, 0], rtol=0.1)
    assert np.array_equal(noisy_features(features), noisy_features(features))


def test_what_embeddings_refuse(place: Path, tmp_path: Path) -> None:
    model, out = place / "encoder.keras", tmp_path / "out"
    with pytest.raises(InputError, match=r'lacks y_train, y_test; .*task="embedding"'):
        reds_core.prune(model, place / "images.npz", 0.5, out=out, verbose=0)
    with pytest.raises(InputError, match="without a model"):
        reds_core.prune(None, place / "images.npz", 0.5, out=out, **SETTINGS)
    with pytest.raises(InputError, match="has no classes"):
        reds_core.prune(model, place / "labelled.npz", 0.5, out=out, class_weight="balanced", **SETTINGS)
    np.savez(tmp_path / "half.npz", x_train=TRAIN)
    with pytest.raises(InputError, match=r"lacks x_test; give an .npz with x_train and x_test"):
        reds_core.prune(model, tmp_path / "half.npz", 0.5, out=out, **SETTINGS)
    with pytest.raises(InputError, match='not one of "supervised", "embedding", "reconstruction"'):
        reds_core.prune(model, place / "images.npz", 0.5, out=out, task="clustering", verbose=0)
