"""Batch-norm statistics are those of what a network computes at inference, whatever else it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from reds_tensorflow import training as loops
from reds_tensorflow.evaluation import accuracy, predict
from reds_tensorflow.extraction import extract
from reds_tensorflow.framework import TensorFlowFramework
from reds_tensorflow.statistics import BATCH_SIZE, BatchNormStatistics
from reds_tensorflow.tracing import inspect

from reds_core.framework import Arrays, Family, FinetuneSettings, Task, Training, member_kept
from reds_core.scoring import LossMeasurement

layers = keras.layers
Array = npt.NDArray[np.float32]


class Shaking(keras.layers.Layer):
    """A random layer of somebody else's package: no class and no attribute of it is known to reds."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.random.SeedGenerator(1)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        return inputs + 3.0 * keras.random.uniform(keras.ops.shape(inputs), seed=self.generator)


class OwnNorm(keras.layers.BatchNormalization):
    """A batch norm with a call of its own, as packages derive them."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return super().call(inputs, training=training, mask=mask) * 1.0


RANDOM: dict[str, Callable[[], Any]] = {
    "dropout": lambda: layers.Dropout(0.5, seed=1),
    "spatial-dropout": lambda: layers.SpatialDropout2D(0.5, seed=1),
    "alpha-dropout": lambda: layers.AlphaDropout(0.5, seed=1),
    "gaussian-dropout": lambda: layers.GaussianDropout(0.5, seed=1),
    "gaussian-noise": lambda: layers.GaussianNoise(1.0, seed=1),
    "random-translation": lambda: layers.RandomTranslation(0.5, 0.5, seed=1),
    "random-rotation": lambda: layers.RandomRotation(0.5, seed=1),
    "activity-regularizer": lambda: layers.ActivityRegularization(0.1),
    "unknown": Shaking,
}


def images(count: int = 300, seed: int = 2) -> Array:
    generator = np.random.default_rng(seed)
    spread = generator.uniform(0.3, 2, (count, 1, 1, 1))
    return (generator.normal(size=(count, 6, 6, 3)) * spread).astype(np.float32)


def measured(model: Any, x: Array, frozen: bool = True) -> Any:
    """`model`, whose statistics were set to those of `x`."""
    BatchNormStatistics(
        model, lambda: [v.value for v in model.trainable_variables], model.non_trainable_variables, x, frozen
    ).measure(x)
    return model


def inputs_of(model: Any, norm: Any, x: Array) -> Array:
    """What a batch norm reads at inference."""
    return predict(keras.Model(model.inputs[0], norm.input), x)


def assert_statistics_of(norm: Any, seen: Array) -> None:
    over = tuple(range(seen.ndim - 1))
    np.testing.assert_allclose(norm.moving_mean.numpy(), seen.mean(axis=over), atol=2e-5)
    np.testing.assert_allclose(norm.moving_variance.numpy(), seen.var(axis=over), rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("random_layer", RANDOM.values(), ids=RANDOM)
def test_random_layers_before_a_batch_norm_leave_no_trace(random_layer: Callable[[], Any]) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 3))
    x = random_layer()(layers.Conv2D(5, 3, name="conv")(inputs))
    norm = layers.BatchNormalization(name="norm")
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(norm(x)))
    assert_statistics_of(measured(model, images()).get_layer("norm"), inputs_of(model, norm, images()))


@pytest.mark.parametrize(
    "norm",
    [
        pytest.param(lambda: layers.BatchNormalization(momentum=1.0), id="momentum-1"),
        pytest.param(lambda: layers.BatchNormalization(trainable=False), id="frozen"),
        pytest.param(lambda: layers.BatchNormalization(synchronized=True), id="synchronized"),
        pytest.param(lambda: OwnNorm(trainable=False), id="derived"),
        pytest.param(lambda: layers.BatchNormalization(dtype="float64"), id="float64"),
    ],
)
def test_batch_norms_of_every_kind_are_measured_and_stay_what_they_are(norm: Callable[[], Any]) -> None:
    keras.utils.set_random_seed(0)
    made = norm()
    was = made.trainable, made.momentum
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(5, 3), made])
    assert_statistics_of(measured(model, images()).layers[-1], inputs_of(model, made, images()))
    assert (made.trainable, made.momentum, "call" in vars(made)) == (*was, False)


def test_a_shared_batch_norm_takes_the_statistics_of_all_its_calls() -> None:
    norm = layers.BatchNormalization()
    inputs = keras.Input((6, 6, 3))
    shifted = inputs * 2.0 + 1.0
    model = keras.Model(inputs, [norm(inputs), norm(shifted)])
    measured(model, images())
    assert_statistics_of(norm, np.concatenate([images(), images() * 2 + 1]))


def test_a_batch_norm_for_every_step_of_a_sequence_is_measured_over_all_steps() -> None:
    inner = keras.Sequential([keras.Input((6, 3)), layers.Dense(4), layers.Dropout(0.5), layers.BatchNormalization()])
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.TimeDistributed(inner)])
    x = images()
    measured(model, x)
    dense, _, norm = inner.layers
    assert_statistics_of(norm, np.asarray(dense(x)))


def test_batches_are_pooled_by_their_sizes() -> None:
    """More examples than one batch holds, whose means and deviations drift: what is measured is of all of them."""
    x = images(2 * BATCH_SIZE + 77) + np.linspace(-3, 3, 2 * BATCH_SIZE + 77, dtype=np.float32)[:, None, None, None]
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.BatchNormalization()])
    assert_statistics_of(measured(model, x).layers[0], x)


def test_a_batch_norm_that_the_model_does_not_call_is_passed_over() -> None:
    base = keras.Sequential([keras.Input((6, 6, 3)), layers.BatchNormalization(name="used"), layers.Dense(2)])
    base.add(layers.BatchNormalization(name="unused"))
    model = keras.Model(base.inputs, base.get_layer("used").output)
    assert_statistics_of(measured(model, images()).get_layer("used"), images())


def test_frozen_norms_are_measured_only_where_asked() -> None:
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.BatchNormalization(), layers.BatchNormalization()])
    model.layers[1].trainable = False
    before = [w.copy() for w in model.layers[1].get_weights()]
    measured(model, images(), frozen=False)
    assert_statistics_of(model.layers[0], images())
    assert all(np.array_equal(a, b) for a, b in zip(before, model.layers[1].get_weights(), strict=True))


# Families


def transfer_learning(how: str) -> Any:
    """A base that was trained, frozen as Keras's guide to transfer learning does it, under a head."""
    keras.utils.set_random_seed(0)
    base_input = keras.Input((6, 6, 3))
    x = base_input
    for i, width in enumerate((8, 12)):
        x = layers.Conv2D(width, 3, padding="same", name=f"conv{i}")(x)
        x = layers.BatchNormalization(name=f"norm{i}")(x)
        x = layers.Dropout(0.4, name=f"drop{i}")(layers.ReLU(name=f"relu{i}")(x))
    base = keras.Model(base_input, x, name="base")
    measured(base, images())
    base.trainable = how != "frozen"
    inputs = keras.Input((6, 6, 3))
    return keras.Model(inputs, layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D()(base(inputs))))


def labelled(count: int = 400) -> Arrays:
    """Images whose class shows in their spread."""
    generator = np.random.default_rng(7)
    y = generator.integers(0, 3, count)
    x = generator.normal(size=(count, 6, 6, 3)) * (0.5 + y.reshape(-1, 1, 1, 1))
    return Arrays(x.astype(np.float32), y)


def family_of(model: Any, fraction: float = 0.5) -> Family[Any]:
    network = inspect(model)
    widths = {g.name: max(round(g.channels * fraction), 1) for g in network.groups}
    return Family(model, (extract(model, network, member_kept(widths)),), (widths,))


@pytest.mark.parametrize("how", ["frozen", "free"])
def test_members_are_measured_anew_whether_or_not_their_norms_are_trained(how: str) -> None:
    data = labelled()
    family = family_of(transfer_learning(how))
    given = [norm.numpy() for norm in family.full.non_trainable_variables if "moving" in norm.path]
    loops.finetune(family, Training(data, FinetuneSettings(8, 32, 1e-2), 1, lambda p: None))
    (member,) = family.members
    base = next(layer for layer in member.layers if isinstance(layer, keras.Model))
    first = base.get_layer("norm0")
    assert_statistics_of(first, inputs_of(base, first, data.x))
    kept = [norm.numpy() for norm in family.full.non_trainable_variables if "moving" in norm.path]
    stays = all(np.array_equal(a, b) for a, b in zip(given, kept, strict=True))
    assert stays == (how != "free"), "only statistics that training moves are the full network's to change"
    assert accuracy(member, data, Task()) > 0.6


def test_a_network_with_nothing_to_train_is_measured_alone() -> None:
    family, data = family_of(transfer_learning("frozen")), labelled()
    family.full.trainable = False
    for member in family.members:
        member.trainable = False
    before = family.full.get_weights()
    loops.finetune(family, Training(data, FinetuneSettings(3, 32, 1e-2), 1, lambda p: None))
    assert all(np.array_equal(a, b) for a, b in zip(before, family.full.get_weights(), strict=True))
    base = next(layer for layer in family.members[0].layers if isinstance(layer, keras.Model))
    assert_statistics_of(base.get_layer("norm0"), inputs_of(base, base.get_layer("norm0"), data.x))


def test_recalibration_and_training_measure_without_dropout() -> None:
    """Statistics taken with dropout on would be of features with holes, which inference never sees."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(6, 3, name="conv"),
            layers.Dropout(0.5, name="dropout"),
            layers.BatchNormalization(name="norm"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, name="logits"),
        ]
    )
    for epochs in (0, 1):
        for dropout in (0.0, 1.0):
            family, data = family_of(model), labelled()
            settings = FinetuneSettings(epochs, 32, 1e-3, dropout=dropout)
            loops.finetune(family, Training(data, settings, 1, lambda p: None))
            for network in family.members if not epochs else (*family.members, family.full):
                norm = network.get_layer("norm")
                assert_statistics_of(norm, inputs_of(network, norm, data.x))


def test_losses_with_recalibrated_norms_do_not_depend_on_the_statistics_of_the_model() -> None:
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    x = images()
    data = Arrays(x, (x.mean(axis=(1, 2, 3)) > 0).astype(np.int64))
    framework, network = TensorFlowFramework(), inspect(model)
    subject = LossMeasurement(framework, model, network, data, data, Task(loss="sparse_categorical_crossentropy"))
    own = framework.weights(model, network)
    at = [weight.name for weight in network.weights].index("norm/moving_variance")
    broken = [np.full_like(w, 50) if i == at else w for i, w in enumerate(own)]
    kernel = [weight.name for weight in network.weights].index("conv/kernel")
    doubled = [2 * w if i == kernel else w for i, w in enumerate(own)]
    first, second, third = subject.losses([own, broken, doubled])
    assert first == second
    assert third == pytest.approx(first, rel=1e-3)  # a batch norm undoes a factor of all weights before it
    plain = list(framework.losses(model, network, [own, broken], data, subject.task))
    assert abs(plain[0] - plain[1]) > 1e-3
    assert all(np.array_equal(a, b) for a, b in zip(own, framework.weights(model, network), strict=True))
