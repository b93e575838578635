"""Training under Keras's own loop: callbacks, optimizers, averages of weights, turns of members, and XLA."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from keras_families import family_of
from reds_tensorflow.epoch_choice import EpochChoice
from reds_tensorflow.evaluation import loss
from reds_tensorflow.extraction import weights
from reds_tensorflow.family_model import FamilyModel
from reds_tensorflow.tracing import inspect
from reds_tensorflow.training import finetune

from reds_core.errors import InputError
from reds_core.framework import (
    Arrays,
    BatchSource,
    Data,
    EpochKeeper,
    EpochState,
    Family,
    FinetuneSettings,
    MemberChoice,
    Schedule,
    SourceStream,
    Task,
    Training,
    TrainingObjects,
)

SETTINGS = FinetuneSettings(epochs=3, batch_size=16, learning_rate=1e-2)


def network(dropout: float = 0.0) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Dropout(dropout, name="dropout"),
            layers.Dense(3, name="logits"),
        ]
    )


def examples(count: int = 80, seed: int = 5) -> Arrays:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 3, count)
    return Arrays((generator.normal(size=(count, 6)) + y[:, None]).astype(np.float32), y)


def train(
    settings: FinetuneSettings = SETTINGS,
    callbacks: tuple[Any, ...] = (),
    optimizer: Any = None,
    validation: Data | None = None,
    teacher: Any = None,
    keeper: EpochKeeper | None = None,
    members: tuple[float, ...] = (0.4, 0.7),
) -> Family[Any]:
    family = family_of(network(), *members)
    objects = TrainingObjects(callbacks, optimizer)
    training = Training(examples(), settings, 3, lambda progress: None, Task(), validation, teacher, objects=objects)
    finetune(family, training if keeper is None else replace(training, keeper=keeper))
    return family


def all_weights(family: Family[Any]) -> list[Any]:
    return [v.numpy() for m in (*family.members, family.full) for v in m.weights if v.dtype != "uint32"]


def assert_same(one: Family[Any], other: Family[Any]) -> None:
    for a, b in zip(all_weights(one), all_weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


class Killed(Exception):
    pass


class Saving(EpochKeeper):
    """Keeps the last state, and stops the run after some epochs of one process."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.state: EpochState | None = None
        self.stop_after = stop_after

    def load(self, origin: str) -> EpochState | None:
        return self.state

    def save(self, state: EpochState) -> None:
        self.state = state
        if state.done == self.stop_after:
            raise Killed


# Callbacks


class Recorder(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.logs: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.logs.append(dict(logs))


def test_tensorboard_logs_the_learning_rate_and_every_network(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logs = keras.callbacks.TensorBoard(tmp_path)
    train(callbacks=(logs,), validation=examples(60, 6), members=(0.5,))
    tags = {}
    for part in ("train", "validation"):
        events = EventAccumulator(str(tmp_path / part)).Reload()
        tags[part] = {tag: len(events.Tensors(tag)) for tag in events.Tags()["tensors"]}
    assert tags["train"]["epoch_loss"] == tags["train"]["epoch_learning_rate"] == SETTINGS.epochs
    assert tags["validation"]["epoch_member1_accuracy"] == SETTINGS.epochs


def test_callbacks_see_the_losses_and_metrics_of_every_network(tmp_path: Path) -> None:
    recorder = Recorder()
    family = train(callbacks=(recorder, keras.callbacks.CSVLogger(tmp_path / "log.csv")), validation=examples(60, 6))
    assert len(recorder.logs) == 3
    assert set(recorder.logs[0]) == {
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "val_member1_accuracy",
        "val_member2_accuracy",
    }
    with (tmp_path / "log.csv").open() as file:
        assert [row["val_loss"] for row in csv.DictReader(file)] == [str(log["val_loss"]) for log in recorder.logs]
    best = min(log["val_loss"] for log in recorder.logs)
    roots = np.sqrt([m.count_params() for m in (*family.members, family.full)])
    losses = [loss(m, examples(60, 6), Task()) for m in (*family.members, family.full)]
    # The batch norms of the final networks were measured on more examples than 80 only if there were any.
    assert float(roots @ losses / roots.sum()) == pytest.approx(best, rel=1e-5)


def test_early_stopping_of_keras_ends_the_training_and_is_remembered() -> None:
    """A run that is stopped right after the last epoch does not train on when it is resumed."""
    settings = replace(SETTINGS, epochs=10)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = epoch >= 1

    stopped = train(settings, (Stop(),))
    keeper = Saving(stop_after=2)
    with pytest.raises(Killed):
        train(settings, (Stop(),), keeper=keeper)
    keeper.stop_after = None
    recorder = Recorder()
    resumed = train(settings, (Stop(), recorder), keeper=keeper)
    assert recorder.logs == []
    assert_same(stopped, resumed)


def test_the_plateau_of_keras_lowers_a_constant_rate() -> None:
    """Other schedules compute the rate of each step, so Keras refuses to change it."""

    class Lower(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.optimizer.learning_rate = 0.0

    still = train(replace(SETTINGS, schedule=Schedule.CONSTANT), (Lower(),))
    np.testing.assert_array_equal(still.full.get_layer("hidden").kernel, network().get_layer("hidden").kernel)


def test_checkpoints_of_keras_hold_the_full_network(tmp_path: Path) -> None:
    family = train(callbacks=(keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),))
    saved = keras.saving.load_model(tmp_path / "3.keras")
    np.testing.assert_array_equal(saved.get_layer("logits").kernel, family.full.get_layer("logits").kernel)
    first = keras.saving.load_model(tmp_path / "1.keras")
    assert np.abs(first.get_layer("logits").kernel - saved.get_layer("logits").kernel).max() > 1e-4


def test_a_backup_of_keras_is_restored(tmp_path: Path) -> None:
    """A training that was broken off after its first epoch goes on from the backup, without our own saved epochs."""

    class Fail(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise Killed

    whole = train()
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(InputError, match="callback Fail failed with Killed"):
        train(callbacks=(backup, Fail()))
    recorder = Recorder()
    resumed = train(callbacks=(backup, recorder))
    assert len(recorder.logs) == 2
    assert_same(whole, resumed)


def test_errors_of_keras_s_own_callbacks_name_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    was_filtering = keras.config.is_traceback_filtering_enabled()
    for callback in (
        keras.callbacks.ModelCheckpoint(tmp_path / "file" / "latest.keras"),
        keras.callbacks.CSVLogger(tmp_path / "file" / "log.csv"),
    ):
        with pytest.raises(InputError) as caught:
            train(callbacks=(callback,))
        assert caught.value.what.startswith(f"callback {type(callback).__name__} failed with ")
        assert str(tmp_path / "file") in caught.value.what
    assert keras.config.is_traceback_filtering_enabled() == was_filtering


def test_errors_that_callbacks_do_not_raise_are_not_theirs() -> None:
    class Failing(EpochKeeper):
        def load(self, origin: str) -> EpochState | None:
            return None

        def save(self, state: EpochState) -> None:
            raise Killed

    with pytest.raises(Killed):
        train(callbacks=(Recorder(),), keeper=Failing())


def test_the_full_network_predicts_while_it_is_trained() -> None:
    seen = []

    class Predict(keras.callbacks.Callback):
        def on_train_end(self, logs: Any = None) -> None:
            seen.append(self.model.predict(examples(20).x, verbose=0))

    train(callbacks=(Predict(),))
    assert seen[0].shape == (20, 3)


def test_callbacks_predict_as_the_full_network_with_dicts() -> None:
    layers, seen = keras.layers, []

    class Predict(keras.callbacks.Callback):
        def on_train_end(self, logs: Any = None) -> None:
            seen.append(self.model.predict({"b": x[:5], "a": 2 * x[:5]}, verbose=0))

    x = examples().x
    b, a = keras.Input((6,), name="b"), keras.Input((6,), name="a")
    hidden = layers.Dense(8, name="hidden")(layers.Concatenate(name="both")([b, a]))
    outputs = {"kind": layers.Dense(3, name="one")(hidden), "again": layers.Dense(3, name="two")(hidden)}
    full = keras.Model({"b": b, "a": a}, outputs)
    family, y = family_of(full, 0.5), examples().y
    data = Arrays((2 * x, x), (y, y))  # in the order of names, as `check_data` returns it
    objects = TrainingObjects((Predict(),))
    finetune(family, Training(data, replace(SETTINGS, epochs=1), 3, lambda progress: None, objects=objects))
    expected = family.full({"b": x[:5], "a": 2 * x[:5]})
    assert seen[0].keys() == expected.keys()
    for name, output in expected.items():
        np.testing.assert_allclose(seen[0][name], output, atol=1e-5)


@pytest.mark.parametrize(
    "callback",
    [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), keras.callbacks.ReduceLROnPlateau()],
    ids=lambda callback: type(callback).__name__,
)
def test_callbacks_that_change_a_scheduled_rate_are_refused_at_once(callback: Any) -> None:
    with pytest.raises(InputError, match=r"cannot change the learning rate, which follows a schedule; use schedule=.c"):
        train(callbacks=(callback,), validation=examples(60, 6))


@pytest.mark.parametrize("validation", [None, examples(60, 6)], ids=["alone", "validated"])
@pytest.mark.parametrize("metric", [keras.metrics.F1Score(), keras.metrics.R2Score()], ids=lambda m: type(m).__name__)
def test_metrics_that_have_no_result_before_their_first_update(metric: Any, validation: Arrays | None) -> None:
    recorder = Recorder()

    def one_hot(data: Arrays) -> Arrays:
        return Arrays(data.x, np.eye(3, dtype=np.float32)[data.y])

    training = Training(
        one_hot(examples()),
        SETTINGS,
        3,
        lambda progress: None,
        Task("mean_squared_error", metric),
        None if validation is None else one_hot(validation),
        objects=TrainingObjects((recorder,)),
    )
    finetune(family_of(network(), 0.4), training)
    assert np.isfinite(recorder.logs[-1][metric.name])


def test_errors_of_a_validation_stream_are_the_users_own() -> None:
    class Failing(BatchSource):
        passes = 0

        def read(self) -> Iterator[Any]:
            self.passes += 1
            yield examples(20).x, examples(20).y
            if self.passes > 2:
                raise RuntimeError("the disk is gone")
            yield examples(20).x, examples(20).y

    stream = SourceStream(Failing(), "validation data")
    with pytest.raises(
        InputError, match=r"the validation data cannot be read \(batch 2\): RuntimeError: the disk is go"
    ):
        train(validation=stream)


def test_an_epoch_without_a_loss_on_held_back_data_is_not_the_best() -> None:
    choice = EpochChoice(None)
    model = SimpleNamespace(stop_training=False, averaged=nullcontext, snapshot=lambda: [np.array(next(epochs))])
    epochs, restored = iter(range(9)), []
    choice.set_model(model)
    for loss_ in (math.nan, 2.0, 1.0, 3.0):
        choice.on_epoch_end(0, {"val_loss": loss_})
    choice.take(SimpleNamespace(restore=restored.extend))
    assert restored == [2]


# Optimizers


def test_an_optimizer_that_cannot_be_copied_is_refused() -> None:
    class Own(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return 0.1

    with pytest.raises(InputError, match="optimizer SGD cannot be copied"):
        train(optimizer=keras.optimizers.SGD(Own()))


def test_averaged_weights_are_kept_by_a_run_that_is_stopped_after_its_last_epoch() -> None:
    averaging = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9)
    whole, keeper = train(optimizer=averaging), Saving(stop_after=SETTINGS.epochs)
    with pytest.raises(Killed):
        train(optimizer=averaging, keeper=keeper)
    assert_same(whole, train(optimizer=averaging, keeper=keeper))


def test_averaged_weights_are_judged_where_the_loss_is_scaled() -> None:
    slow = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=1.0)
    recorder = Recorder()
    scaled = keras.optimizers.LossScaleOptimizer(slow)
    train(callbacks=(recorder,), optimizer=scaled, validation=examples(60, 6))
    assert np.ptp([log["val_loss"] for log in recorder.logs]) < 1e-5


def test_an_optimizer_object_is_copied_and_used_as_it_is() -> None:
    given = keras.optimizers.SGD(0.05, momentum=0.9)
    own = train(optimizer=given)
    assert not given.built
    by_name = train(replace(SETTINGS, optimizer="sgd", learning_rate=0.05, schedule=Schedule.CONSTANT))
    assert_same(own, by_name)


def test_averaged_weights_are_judged_and_kept() -> None:
    """An average that forgets nothing stays at the weights after the first step, though the training moves on."""
    slow = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=1.0)
    start = network().get_layer("logits").kernel
    kernels = []
    for validation in (None, examples(60, 6)):
        recorder = Recorder()
        family = train(callbacks=(recorder,), optimizer=slow, validation=validation)
        kernels.append(family.full.get_layer("logits").kernel.numpy())
        assert recorder.logs[-1]["loss"] < recorder.logs[0]["loss"] - 0.01
        losses = [log["val_loss"] for log in recorder.logs if "val_loss" in log]
        assert np.ptp(losses or [0.0]) < 1e-5
    np.testing.assert_array_equal(*kernels)
    np.testing.assert_allclose(np.abs(kernels[0] - start), 1e-2, atol=1e-4)  # Adam's first step is as long as its rate


# Members in turn


def test_members_take_turns_and_count_as_much_as_before() -> None:
    """At a network that hardly moves, the steps of a round add up to as many steps with all members."""
    still = replace(SETTINGS, optimizer="sgd", momentum=0.0, schedule=Schedule.CONSTANT, learning_rate=1e-3, epochs=2)
    moves = []
    for settings in (still, replace(still, members_per_step=1)):
        family = family_of(network(), 0.4, 0.7)
        before = weights(family.full, inspect(family.full))
        finetune(family, Training(examples(16), settings, 3, lambda progress: None))
        after = weights(family.full, inspect(family.full))
        moves.append([b.astype(float) - a for a, b in zip(before, after, strict=True) if a.ndim == 2])
    for together, in_turn in zip(*moves, strict=True):
        np.testing.assert_allclose(in_turn, together, atol=0.05 * np.abs(together).max())


def test_turns_are_continued_after_a_stop() -> None:
    settings = replace(SETTINGS, members_per_step=1, epochs=4, batch_size=27)
    whole, keeper = train(settings), Saving(stop_after=1)
    with pytest.raises(Killed):
        train(settings, keeper=keeper)
    keeper.stop_after = None
    assert_same(whole, train(settings, keeper=keeper))


def moves(settings: FinetuneSettings) -> list[Any]:
    """How far each kernel of a family of four moves in the training."""
    family = family_of(network(), 0.3, 0.5, 0.8)
    before = weights(family.full, inspect(family.full))
    finetune(family, Training(examples(16), settings, 3, lambda progress: None))
    after = weights(family.full, inspect(family.full))
    return [b.astype(float) - a for a, b in zip(before, after, strict=True) if a.ndim == 2]


def test_a_sandwich_counts_the_smallest_member_once_and_the_others_as_much_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a network that hardly moves, steps with each of the other members add up to as many steps with all."""
    monkeypatch.setattr(FamilyModel, "_random_index", lambda self, count: self._turn.value % count)
    still = replace(SETTINGS, optimizer="sgd", momentum=0.0, schedule=Schedule.CONSTANT, learning_rate=1e-3, epochs=2)
    sandwich = replace(still, member_choice=MemberChoice.SANDWICH)
    for together, few in zip(moves(still), moves(sandwich), strict=True):
        np.testing.assert_allclose(few, together, atol=0.05 * np.abs(together).max())


def test_a_sandwich_chooses_at_random_by_seed_and_step() -> None:
    def chosen(seed: int) -> list[int]:
        def at(turn: int) -> SimpleNamespace:
            step = SimpleNamespace(seed=seed)
            return SimpleNamespace(
                _hidden=SimpleNamespace(step=step), _turn=keras.Variable(turn, dtype="int64", trainable=False)
            )

        return [int(FamilyModel._random_index(at(turn), 3)) for turn in range(300)]

    first = chosen(0)
    assert min(np.bincount(first, minlength=3)) > 70
    assert first == chosen(0)
    assert first != chosen(1)


def test_a_sandwich_is_continued_after_a_stop() -> None:
    settings = replace(SETTINGS, member_choice=MemberChoice.SANDWICH, epochs=4, batch_size=27)
    members = (0.3, 0.5, 0.8)
    whole, keeper = train(settings, members=members), Saving(stop_after=1)
    with pytest.raises(Killed):
        train(settings, keeper=keeper, members=members)
    keeper.stop_after = None
    assert_same(whole, train(settings, keeper=keeper, members=members))


def test_a_sandwich_has_two_members_unless_more_are_asked_for() -> None:
    assert FinetuneSettings().members_in_step is None
    assert FinetuneSettings(member_choice=MemberChoice.SANDWICH).members_in_step == 2
    assert FinetuneSettings(member_choice=MemberChoice.SANDWICH, members_per_step=3).members_in_step == 3
    with pytest.raises(InputError, match="at least one other in each step; give 2 or more members per step"):
        FinetuneSettings(member_choice=MemberChoice.SANDWICH, members_per_step=1)


def test_fewer_members_than_one_are_refused() -> None:
    with pytest.raises(InputError, match="the number of members per step 0 is below 1; give 1 or more"):
        FinetuneSettings(members_per_step=0)


# Teachers


def test_outputs_of_a_teacher_that_are_computed_once_are_those_of_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    once = train(teacher=network())
    monkeypatch.setattr("reds_tensorflow.training.SOFT_TARGET_BYTES", 0)
    each = train(teacher=network())
    for a, b in zip(all_weights(once), all_weights(each), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


# XLA


def test_compilation_by_xla_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = train()
    monkeypatch.setattr("reds_tensorflow.training.uses_xla", lambda: True)
    for a, b in zip(all_weights(plain), all_weights(train()), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)
