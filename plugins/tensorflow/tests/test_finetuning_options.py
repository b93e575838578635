"""What each setting of fine-tuning does to a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from keras_families import family_of
from reds_tensorflow import augmenting
from reds_tensorflow import training as loops
from reds_tensorflow.augmenting import Augmenter, augmenter
from reds_tensorflow.distillation import distillation_of, soft_loss
from reds_tensorflow.evaluation import compiled, predict, resolve
from reds_tensorflow.extraction import weights
from reds_tensorflow.family import students_of
from reds_tensorflow.family_model import FamilyModel
from reds_tensorflow.optimizers import Rates, copied, optimizer_of
from reds_tensorflow.precision import computing_in
from reds_tensorflow.step_settings import StepSettings
from reds_tensorflow.tracing import inspect

from reds_core.errors import InputError
from reds_core.framework import (
    Arrays,
    Augmentation,
    Change,
    EpochProgress,
    Family,
    FinetuneSettings,
    Precision,
    Schedule,
    Task,
    Teacher,
    Training,
)
from reds_core.network import WeightKind

STEP = FinetuneSettings(1, 40, 0.5, optimizer="sgd", momentum=0.0, schedule=Schedule.CONSTANT, distill=Teacher.NONE)
"""One step of plain gradient descent on 40 examples."""


def network(last: str | None = None, classes: int = 3) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("tanh", name="tanh"),
            layers.Dense(classes, activation=last, name="logits"),
        ]
    )


def image_network() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Flatten(name="flatten"),
            layers.Dense(3, name="logits"),
        ]
    )


def examples(count: int = 40, shape: tuple[int, ...] = (6,)) -> Arrays:
    generator = np.random.default_rng(5)
    y = generator.integers(0, 3, count)
    return Arrays((generator.normal(size=(count, *shape)) + y.reshape(-1, *(1 for _ in shape))).astype(np.float32), y)


def train(
    settings: FinetuneSettings,
    data: Arrays | None = None,
    build: Callable[[], Any] = network,
    validation: Arrays | None = None,
    teacher: Any | None = None,
    members: tuple[float, ...] = (0.5,),
) -> tuple[Family[Any], list[EpochProgress]]:
    reports: list[EpochProgress] = []
    family = family_of(build(), *members)
    data = examples() if data is None else data
    loops.finetune(family, Training(data, settings, 3, reports.append, Task(), validation, teacher))
    return family, reports


def moved(settings: FinetuneSettings) -> list[npt.NDArray[Any]]:
    """How far each trained weight of the full network goes; statistics stand as zeros."""
    model = network()
    description = inspect(model)
    before = weights(model, description)
    family, _ = train(settings, members=())
    after = weights(family.full, description)
    return [
        (new - old) * (weight.kind is not WeightKind.STATISTIC)
        for weight, old, new in zip(description.weights, before, after, strict=True)
    ]


def changed(settings: FinetuneSettings, **changes: Any) -> FinetuneSettings:
    import dataclasses

    return dataclasses.replace(settings, **changes)


# Optimizers


def test_rates_are_looked_up_step_by_step() -> None:
    table = FinetuneSettings(epochs=3, learning_rate=0.1, warmup_epochs=1.0).rates(4)
    found = [float(Rates(table)(step)) for step in range(14)]
    np.testing.assert_allclose(found, [*table, table[-1], table[-1]], rtol=1e-6)


def test_a_step_is_as_long_as_the_rate_says() -> None:
    for first, half in zip(moved(STEP), moved(changed(STEP, learning_rate=0.25)), strict=True):
        np.testing.assert_allclose(half, first / 2, atol=1e-6)


def test_the_schedule_reaches_the_optimizer() -> None:
    """Of two epochs of one step each the second has a tenth of the rate."""
    settings = changed(STEP, epochs=2, learning_rate=1e-3, schedule=Schedule.STEP)
    one, two, constant = (
        moved(s) for s in (changed(settings, epochs=1), settings, changed(settings, schedule=Schedule.CONSTANT))
    )
    (kernel, *_) = (i for i, each in enumerate(one) if each.ndim == 2)
    np.testing.assert_allclose(two[kernel] - one[kernel], (constant[kernel] - one[kernel]) / 10, atol=1e-6)
    assert np.abs(one[kernel]).max() > 1e-5


@pytest.mark.parametrize("name", ["AdamW", "rmsprop", "lion"])
def test_optimizers_of_keras_train(name: str) -> None:
    family, _ = train(FinetuneSettings(1, 16, 1e-2, optimizer=name), members=())
    assert all(np.all(np.isfinite(w)) for w in weights(family.full, inspect(family.full)))
    assert np.abs(family.full.get_layer("logits").kernel - network().get_layer("logits").kernel).max() > 1e-4


def test_momentum() -> None:
    assert optimizer_of(FinetuneSettings(optimizer="sgd"), np.ones(1)).momentum == 0.9
    assert optimizer_of(FinetuneSettings(optimizer="sgd", momentum=0.5), np.ones(1)).momentum == 0.5
    assert optimizer_of(FinetuneSettings(optimizer="rmsprop"), np.ones(1)).momentum == 0
    with pytest.raises(InputError, match="optimizer 'adam' has no momentum"):
        optimizer_of(FinetuneSettings(optimizer="adam", momentum=0.5), np.ones(1))


def test_weight_decay_shrinks_kernels_and_nothing_else() -> None:
    model = network()
    description = inspect(model)
    before = weights(model, description)
    plain, decayed = moved(STEP), moved(changed(STEP, weight_decay=0.1))
    for weight, old, first, second in zip(description.weights, before, plain, decayed, strict=True):
        lost = 0.5 * 0.1 * old if weight.kind is WeightKind.KERNEL else 0
        np.testing.assert_allclose(first - second, lost + np.zeros_like(old), atol=1e-6, err_msg=weight.name)


def test_a_copy_of_an_optimizer_leaves_the_same_variables_out_of_weight_decay() -> None:
    given, layer = keras.optimizers.AdamW(weight_decay=0.1), network().layers[0]
    given.exclude_from_weight_decay(var_names=["bias"])
    copy = copied(given)
    assert copy is not given
    assert [copy._use_weight_decay(variable) for variable in (layer.kernel, layer.bias)] == [True, False]
    scaled = copied(keras.optimizers.LossScaleOptimizer(given))
    assert not scaled.inner_optimizer._use_weight_decay(layer.bias)
    given.exclude_from_weight_decay(var_list=[layer.bias])
    with pytest.raises(InputError, match="name them by var_names"):
        copied(given)


def test_clipping_shortens_the_gradient_of_all_weights_together() -> None:
    far, near = (np.concatenate([m.ravel() for m in moved(s)]) for s in (STEP, changed(STEP, clip_norm=0.01)))
    assert np.linalg.norm(far) > 0.01
    assert np.linalg.norm(near) == pytest.approx(0.5 * 0.01, rel=1e-3)
    np.testing.assert_allclose(near / np.linalg.norm(near), far / np.linalg.norm(far), atol=1e-4)


# Early stopping


def senseless(seed: int) -> Arrays:
    generator = np.random.default_rng(seed)
    return Arrays(generator.normal(size=(60, 6)).astype(np.float32), generator.integers(0, 3, 60))


def test_training_stops_when_held_back_loss_no_longer_falls() -> None:
    """Labels without sense: whatever is learned of the training data harms on the rest."""
    settings = FinetuneSettings(20, 16, 5e-2, schedule=Schedule.CONSTANT, patience=2)
    stopped, reports = train(settings, senseless(0), validation=senseless(1))
    last = reports[-1].epoch + 1
    assert 3 <= last < 20
    kept, _ = train(changed(settings, patience=None, epochs=last - 2), senseless(0), validation=senseless(1))
    for one, other in zip(stopped.full.get_weights(), kept.full.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_early_stopping_without_held_back_data_is_refused() -> None:
    with pytest.raises(InputError, match="early stopping needs held-back data"):
        train(FinetuneSettings(1, 16, patience=1))


# Augmentation


@pytest.mark.parametrize("change", Change)
def test_augmentations_keep_shapes_and_differ_each_time(change: Change) -> None:
    x = examples(20, (6, 6, 3)).x
    strength = 0.0 if "flip" in change.value else 0.3
    first, again, other = (augmenter((Augmentation(change, strength),), x, seed) for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    one = compiled(first, x)
    found, second = one(x).numpy(), one(x).numpy()
    assert found.shape == x.shape
    assert found.dtype == np.float32
    assert not np.array_equal(found, x)
    assert not np.array_equal(found, second), "each batch is changed anew"
    np.testing.assert_array_equal(found, compiled(again, x)(x))
    assert not np.array_equal(found, other(x))
    if change is not Change.NOISE:
        assert found.min() >= x.min() - 1e-4
        assert found.max() <= x.max() + 1e-4


@pytest.mark.parametrize(("change", "axis"), [(Change.FLIP, 2), (Change.FLIP_VERTICAL, 1)])
def test_flips_are_mirror_images(change: Change, axis: int) -> None:
    x = examples(40, (6, 6, 1)).x
    flip = augmenter((Augmentation(change),), x, 0)
    assert flip is not None
    found = flip(x).numpy()
    mirrored = [np.array_equal(image, whole) for image, whole in zip(found, np.flip(x, axis), strict=True)]
    same = [np.array_equal(image, whole) for image, whole in zip(found, x, strict=True)]
    assert all(a or b for a, b in zip(mirrored, same, strict=True))
    assert 5 < sum(mirrored) < 35


def test_only_training_batches_are_augmented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise as large as the data spoils the loss in training, and statistics and held-back loss not at all."""
    data = examples(300, (6, 6, 1))
    traced = []

    class Recording(Augmenter):
        def __call__(self, images: Any) -> Any:
            traced.append(images.shape)
            return super().__call__(images)

    monkeypatch.setattr(augmenting, "Augmenter", Recording)
    settings = FinetuneSettings(1, 64, 1e-2, augment=("noise=1",))
    family, noisy = train(settings, data, image_network, validation=data)
    assert len(traced) == 1, "one graph changes images: that of the training step"
    for model in (family.full, *family.members):
        norm = model.get_layer("norm")
        seen = predict(keras.Model(model.inputs[0], norm.input), data.x)
        np.testing.assert_allclose(norm.moving_variance.numpy(), seen.var(axis=(0, 1, 2)), rtol=1e-3)
    _, plain = train(changed(settings, augment=()), data, image_network, validation=data)
    assert noisy[-1].loss > plain[-1].loss + 0.05


def test_labels_stay_with_their_images() -> None:
    """Classes that differ in their mean are learned from shifted and flipped images as from any."""
    data = examples(300, (6, 6, 1))
    _, reports = train(FinetuneSettings(5, 16, 1e-2, augment=("flip", "shift")), data, image_network)
    assert reports[-1].accuracy > 0.9


def test_what_is_no_image_is_not_augmented() -> None:
    with pytest.raises(
        InputError, match="examples of shape 6 are not images, so they cannot be augmented; leave augment"
    ):
        train(FinetuneSettings(1, 16, augment=("flip",)))


# Distillation


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


TEACHER, STUDENT = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]]), np.array([[0.0, 1.0, 0.0], [1.0, -2.0, 2.0]])


def by_hand(temperature: float) -> float:
    """temperature^2 x the mean Kullback-Leibler divergence."""
    wanted, found = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    return float(temperature**2 * (wanted * np.log(wanted / found)).sum(axis=1).mean())


def soft(model: Any, data: Arrays, temperature: float) -> Callable[..., Any]:
    _, aim = resolve(model, data, Task(loss="mean_squared_error", metric="mean_absolute_error"))
    return soft_loss(aim.heads[0], temperature)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_soft_loss_of_logits_and_of_probabilities_is_the_formula(temperature: float) -> None:
    data = examples(4)
    logits = soft(network(), data, temperature)(tf.constant(TEACHER, tf.float32), tf.constant(STUDENT, tf.float32))
    assert float(logits) == pytest.approx(by_hand(temperature), rel=1e-5)
    given = (tf.constant(softmax(each), tf.float32) for each in (TEACHER, STUDENT))
    assert float(soft(network("softmax"), data, temperature)(*given)) == pytest.approx(by_hand(temperature), rel=1e-4)


def test_soft_loss_of_yes_or_no_is_that_of_two_classes() -> None:
    data = Arrays(examples(4).x, np.array([0, 1, 1, 0]))
    teacher, student = np.array([[2.0], [-1.0]]), np.array([[0.5], [0.3]])
    wanted, found = (softmax(np.concatenate([e, 0 * e], axis=1) / 3) for e in (teacher, student))
    expected = 9 * (wanted * np.log(wanted / found)).sum(axis=1).mean()
    for last, of in ((None, lambda e: e), ("sigmoid", lambda e: 1 / (1 + np.exp(-e)))):
        loss = soft(network(last, 1), data, 3.0)
        given = (tf.constant(of(each), tf.float32) for each in (teacher, student))
        assert float(loss(*given)) == pytest.approx(expected, rel=1e-4)


def test_soft_loss_of_real_numbers_is_the_tasks_own() -> None:
    data = Arrays(examples(4).x, np.random.default_rng(0).normal(size=(4, 3)))
    found = soft(network(), data, 4.0)(tf.constant(TEACHER, tf.float32), tf.constant(STUDENT, tf.float32))
    assert float(found) == pytest.approx(((TEACHER - STUDENT) ** 2).mean())


@pytest.mark.parametrize("who", [Teacher.INPUT, Teacher.FULL])
def test_a_step_learns_from_labels_and_teacher(who: Teacher) -> None:
    """The loss that is trained, told from the outputs of each network on its own."""
    family, data = family_of(network(), 0.5), examples()
    description = inspect(family.full)
    teacher = network()
    teacher.get_layer("logits").kernel.assign(-teacher.get_layer("logits").kernel)
    settings = changed(STEP, distill=who, distill_weight=0.3, distill_temperature=2.0)
    data, aim = resolve(family.full, data, Task())
    distillation = distillation_of(settings, family.full, aim, teacher)
    students = students_of(family, description, 0)
    joint = FamilyModel(family, description, students, aim, StepSettings(distillation=distillation), data.x)
    joint.compile(keras.optimizers.SGD(0.1))
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = soft_loss(aim.heads[0], 2.0)
    outputs = [np.asarray(student.model(data.x, training=True)) for student in students]
    expected = 0.0
    for student, own in zip(students, outputs, strict=True):
        hard = float(crossentropy(data.y, own))
        if who is Teacher.FULL and student.model is family.full:
            expected += student.share * hard
            continue
        taught = outputs[-1] if who is Teacher.FULL else np.asarray(teacher(data.x, training=False))
        expected += student.share * (0.7 * hard + 0.3 * float(loss(tf.constant(taught), tf.constant(own))))
    assert joint.train_on_batch(data.x, data.y, return_dict=True)["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_input_network_teaches_what_labels_do_not_say() -> None:
    """Labels without sense, and a teacher that knows better."""
    data = examples(200)
    teacher = network()
    loops.finetune(Family(teacher, (), ()), Training(data, FinetuneSettings(20, 16, 1e-2), 0, lambda p: None))
    misled = Arrays(data.x, np.random.default_rng(0).integers(0, 3, 200))
    settings = FinetuneSettings(15, 16, 1e-2, distill=Teacher.INPUT, distill_weight=0.9)
    accuracies = []
    for each in (teacher, None):
        family, _ = train(settings, misled, teacher=each)
        accuracies.append(float((predict(family.members[0], data.x).argmax(axis=1) == data.y).mean()))
    assert accuracies[0] > accuracies[1] + 0.2, "a network without a teacher has the labels alone"


def test_a_teacher_of_other_outputs_is_refused() -> None:
    with pytest.raises(InputError, match="the network to distil from has other outputs"):
        train(FinetuneSettings(1, 16), teacher=network(classes=4))


# Precision


def test_half_precision_computes_in_16_bits_and_keeps_float32() -> None:
    model = image_network()
    x = examples(8, (6, 6, 1)).x
    with computing_in(Precision.BFLOAT16, model):
        graph = compiled(lambda batch: model(batch), x)
    operations = graph.get_concrete_function().graph.get_operations()  # type: ignore[attr-defined]
    kinds = {o.type: o.outputs[0].dtype for o in operations if o.type in ("Conv2D", "MatMul")}
    assert kinds == {"Conv2D": tf.bfloat16, "MatMul": tf.float32}, "the last layer stays float32"
    assert graph(x).dtype == tf.float32
    np.testing.assert_allclose(graph(x), predict(model, x), atol=0.05)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_every_output_stays_in_float32() -> None:
    """Losses need that of all outputs, also of those whose layers come before others."""
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, name="first")(inputs)
    early = keras.layers.Activation("softmax", name="early")(keras.layers.Dense(3, name="head")(x))
    model = keras.Model(inputs, [early, keras.layers.Dense(3, name="late")(keras.layers.Dense(8, name="second")(x))])
    with computing_in(Precision.BFLOAT16, model):
        assert [output.dtype for output in model(examples(8).x)] == [tf.float32, tf.float32]
        inner = [layer.name for layer in model.layers if layer.weights and layer.compute_dtype == "bfloat16"]
    assert inner == ["first", "second"]


@pytest.mark.parametrize("precision", [Precision.BFLOAT16, pytest.param(Precision.FLOAT16, marks=pytest.mark.slow)])
def test_training_in_half_precision_comes_near_to_float32(precision: Precision) -> None:
    data = examples(200, (6, 6, 1))
    settings = FinetuneSettings(3, 16, 1e-2)
    family, reports = train(changed(settings, precision=precision), data, image_network)
    _, whole = train(settings, data, image_network)
    assert reports[-1].loss == pytest.approx(whole[-1].loss, abs=0.1)
    assert reports[-1].loss < 0.7 * reports[0].loss
    assert all(v.dtype == "float32" for m in (family.full, *family.members) for v in m.weights)


# What a run refuses before it begins


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"optimizer": "adm"}, "optimizer 'adm' is unknown; give adam"),
        ({"optimizer": "zzz"}, "optimizer 'zzz' is unknown; give one of adadelta, "),
        ({"optimizer": "lossscaleoptimizer"}, "optimizer 'lossscaleoptimizer' is unknown"),
        ({"momentum": 0.5}, "optimizer 'adam' has no momentum"),
        ({"augment": ("flip",)}, "are not images"),
    ],
)
def test_settings_that_cannot_be_met(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        loops.check_finetuning(network(), examples(), FinetuneSettings(**changes))


def test_float16_needs_a_gpu() -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(
        InputError, match=r"mixed_float16 needs a GPU, and none is found; give precision=.mixed_bfloat16."
    ):
        loops.check_finetuning(network(), examples(), FinetuneSettings(precision=Precision.FLOAT16))


def test_settings_that_can_be_met_pass() -> None:
    settings = FinetuneSettings(optimizer="sgd", momentum=0.5, augment=("flip", "zoom=0.2"))
    loops.check_finetuning(image_network(), examples(4, (6, 6, 1)), settings)
