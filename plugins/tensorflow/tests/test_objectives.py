"""Losses and metrics of all kinds, with settings, ignored classes and weights of examples, against Keras's own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras_heads import TASK, example_arrays, two_headed, two_headed_data
from reds_tensorflow.checking import check_data
from reds_tensorflow.compiled import compiled_with
from reds_tensorflow.evaluation import accuracy, loss, predict

from reds_core.errors import InputError
from reds_core.framework import Arrays, Task

N, CLASSES, IGNORED = 24, 4, 255


def pixels(activation: str | None = "softmax", width: int = CLASSES) -> Any:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3, 5, 2))
    return keras.Model(inputs, keras.layers.Dense(width, activation=activation, kernel_initializer="he_normal")(inputs))


def vectors(activation: str | None = "softmax", width: int = CLASSES) -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(width, activation=activation)])


def examples(model: Any, y: Any, weights: Any = None) -> Arrays:
    x = np.random.default_rng(0).normal(size=(N, *model.inputs[0].shape[1:])).astype(np.float32)
    return Arrays(x, y, weights)


def classes(*shape: int) -> Any:
    return np.random.default_rng(1).integers(0, CLASSES, (N, *shape))


WEIGHTS = np.where(np.arange(N) < 5, 2, 1).astype(np.float32)


def twice(data: Arrays) -> Arrays:
    """The examples, those of weight 2 given twice."""
    return data.take(np.concatenate([np.arange(N), np.arange(5)]))


def of_absolute(targets: Any, outputs: Any) -> Any:
    return keras.ops.mean(keras.ops.absolute(keras.ops.cast(targets, outputs.dtype) - outputs), axis=-1)


class OfThirdPower(keras.losses.Loss):  # type: ignore[misc]
    def call(self, targets: Any, outputs: Any) -> Any:
        return keras.ops.mean(keras.ops.absolute(targets - outputs) ** 3, axis=-1)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "mse",
        "Huber[delta=0.2]",
        "CategoricalFocalCrossentropy",
        "SparseCategoricalCrossentropy[ignore_class=-1]",
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        keras.losses.mean_absolute_error,
    ],
    ids=lambda loss: loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__),
)
@pytest.mark.parametrize("build", [pixels, vectors])
def test_a_weight_of_two_counts_twice_in_losses(build: Any, given: Any) -> None:
    model = build()
    plain = examples(model, classes(*model.outputs[0].shape[1:-1]))
    heavy = Arrays(plain.x, plain.y, WEIGHTS)
    expected = loss(model, twice(plain), Task(given)) * (N + 5) / N
    assert loss(model, heavy, Task(given)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "AUC",
        "MeanIoU",
        "MeanIoU[num_classes=4]",
        "categorical_accuracy",
        "Precision",
        "mse",
        "TopKCategoricalAccuracy[k=2]",
    ],
)
@pytest.mark.parametrize("build", [pixels, vectors])
def test_a_weight_of_two_counts_twice_in_metrics(build: Any, given: str | None) -> None:
    model = build()
    plain = examples(model, classes(*model.outputs[0].shape[1:-1]))
    heavy, task = Arrays(plain.x, plain.y, WEIGHTS), Task(None, given)
    assert accuracy(model, heavy, task) == pytest.approx(accuracy(model, twice(plain), task), rel=1e-5)
    assert abs(accuracy(model, heavy, task) - accuracy(model, plain, task)) > 1e-6


@pytest.mark.parametrize("given", [None, "BinaryIoU", "AUC"])
def test_a_weight_of_two_counts_twice_in_metrics_of_masks(given: str | None) -> None:
    model = pixels("sigmoid", 1)
    plain = examples(model, np.random.default_rng(2).integers(0, 2, (N, 3, 5)))
    heavy, task = Arrays(plain.x, plain.y, WEIGHTS), Task(None, given)
    assert accuracy(model, heavy, task) == pytest.approx(accuracy(model, twice(plain), task), rel=1e-5)


def test_fractions_of_weights_count() -> None:
    model = pixels()
    plain = examples(model, classes(3, 5))
    heavy = Arrays(plain.x, plain.y, WEIGHTS / 4)
    for given in ("MeanIoU", "AUC"):
        task = Task(None, given)
        assert accuracy(model, heavy, task) == pytest.approx(accuracy(model, twice(plain), task), rel=1e-5)


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("form", ["text", "object"])
def test_ignored_classes_pass_the_checks_and_do_not_count(form: str, activation: str | None) -> None:
    model, y = pixels(activation), classes(3, 5)
    y[:, 0, :2] = IGNORED
    y[3] = IGNORED
    data = examples(model, y.astype(np.uint8))
    text = f"SparseCategoricalCrossentropy[ignore_class={IGNORED}]"
    given = keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None, ignore_class=IGNORED)
    task = Task(text if form == "text" else given)
    checked = check_data(model, data, task, "data")
    assert isinstance(checked, Arrays)
    outputs, counted = predict(model, data.x), y != IGNORED
    logits = outputs if activation is None else np.log(outputs)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    chosen = np.take_along_axis(probabilities, np.where(counted, y, 0)[..., None], -1)[..., 0]
    assert loss(model, checked, task) == pytest.approx(-np.log(chosen)[counted].mean(), rel=1e-5)
    right = outputs.argmax(axis=-1) == y
    assert accuracy(model, checked, task) == pytest.approx(right[counted].mean(), rel=1e-5)
    shares = []
    for c in range(CLASSES):
        found, wanted = (outputs.argmax(axis=-1) == c) & counted, y == c
        shares.append((found & wanted).sum() / (found | wanted).sum())
    for metric in ("MeanIoU", f"MeanIoU[ignore_class={IGNORED}]"):
        assert accuracy(model, checked, Task(task.loss, metric)) == pytest.approx(np.mean(shares), rel=1e-5)


def test_other_labels_out_of_range_are_refused_beside_an_ignored_class() -> None:
    model, y = pixels(), classes(3, 5)
    y[0, 0, 0], y[1, 0, 0] = IGNORED, 17
    with pytest.raises(InputError, match="run from 0 to 17"):
        check_data(model, examples(model, y), Task(f"SparseCategoricalCrossentropy[ignore_class={IGNORED}]"), "data")


def test_own_functions_and_objects_take_labels_and_outputs_as_they_are() -> None:
    model = vectors(None, CLASSES)
    y = classes()
    data, outputs = examples(model, y), predict(model, examples(model, y).x)
    seen: list[Any] = []

    def first(targets: Any, found: Any) -> Any:
        seen.append((targets.shape, found))
        return found[:, 0]

    assert loss(model, data, Task(first)) == pytest.approx(outputs[:, 0].mean(), abs=1e-6)
    assert tuple(seen[0][0]) == (N,)
    seen.clear()
    assert accuracy(model, data, Task(None, first)) == pytest.approx(outputs[:, 0].mean(), abs=1e-6)
    assert tuple(seen[-1][0]) == (N,)
    real = examples(model, np.random.default_rng(3).normal(size=(N, CLASSES)))
    errors = np.abs(real.y - outputs)
    assert loss(model, real, Task(OfThirdPower(), "mae")) == pytest.approx((errors**3).mean(), rel=1e-4)
    assert loss(model, real, Task(OfThirdPower, "mae")) == pytest.approx((errors**3).mean(), rel=1e-4)
    assert accuracy(model, real, Task("mse", of_absolute)) == pytest.approx(errors.mean(), rel=1e-4)


def test_weights_multiply_losses_of_examples_and_whole_batches() -> None:
    model = vectors(None, CLASSES)
    real = examples(model, np.random.default_rng(3).normal(size=(N, CLASSES)), WEIGHTS)
    errors = np.abs(real.y - predict(model, real.x)).mean(axis=1)
    for given in (of_absolute, "mae", keras.losses.MeanAbsoluteError()):
        assert loss(model, real, Task(given, "mae")) == pytest.approx((WEIGHTS * errors).sum() / N, rel=1e-5)

    def of_batch(targets: Any, outputs: Any) -> Any:
        return keras.ops.mean(of_absolute(targets, outputs))

    assert loss(model, real, Task(of_batch, "mae")) == pytest.approx(WEIGHTS.mean() * errors.mean(), rel=1e-5)


def test_logits_are_told_to_losses_by_name_alone() -> None:
    model = vectors(None)
    data = examples(model, classes())
    named = loss(model, data, Task("SparseCategoricalCrossentropy"))
    assert loss(model, data, Task(keras.losses.SparseCategoricalCrossentropy(from_logits=True))) == pytest.approx(named)
    assert loss(model, data, Task(keras.losses.SparseCategoricalCrossentropy())) != pytest.approx(named, rel=1e-2)


class Counting(keras.metrics.Metric):  # type: ignore[misc]
    """A metric without a config."""

    def __init__(self, step: float) -> None:
        super().__init__(name="counting")
        self.step = step
        self.count = self.add_variable((), "zeros")

    def update_state(self, targets: Any, outputs: Any, sample_weight: Any = None) -> None:
        self.count.assign_add(self.step)

    def result(self) -> Any:
        return self.count.value


def test_a_metric_that_cannot_be_copied_is_named() -> None:
    model = vectors()
    with pytest.raises(InputError, match=r"metric 'counting' cannot be copied .* or give the class itself"):
        accuracy(model, examples(model, classes()), Task(None, Counting(2.0)))
    given = keras.metrics.MeanMetricWrapper(lambda y, z: z[:, 0], name="first")
    data = examples(model, classes())
    expected = predict(model, data.x)[:, 0].mean()
    for _ in range(2):  # the user's own object keeps its state
        assert accuracy(model, data, Task(None, given)) == pytest.approx(expected)
    assert float(given.result()) == 0


@pytest.mark.parametrize("kind", ["loss", "metric"])
def test_what_is_neither_a_name_nor_a_function_is_refused(kind: str) -> None:
    model = vectors()
    with pytest.raises(InputError, match=f"a {kind} of type float cannot be used"):
        check_data(model, examples(model, classes()), Task(**{kind: 0.5}), "data")


def test_classes_are_not_compared_where_there_is_one_number_for_each_label() -> None:
    model = pixels("sigmoid", 1)
    with pytest.raises(InputError, match="use BinaryIoU"):
        accuracy(model, examples(model, classes(3, 5) % 2), Task(None, "MeanIoU[num_classes=2]"))


COMPILED: dict[str, dict[str, Any]] = {
    "dicts": {
        "loss": TASK.loss,
        "metrics": {"kind": ["accuracy", "sparse_categorical_crossentropy"]},
        "loss_weights": TASK.loss_weights,
    },
    "lists": {"loss": ["sparse_categorical_crossentropy", "mse"], "weighted_metrics": [["accuracy"], ["mae"]]},
    "objects": {
        "loss": [keras.losses.SparseCategoricalCrossentropy(from_logits=True), of_absolute],
        "loss_weights": [2.0, 0.25],
        "metrics": [keras.metrics.SparseCategoricalAccuracy(), of_absolute],
    },
}


@pytest.mark.parametrize("name", COMPILED)
def test_what_a_model_is_compiled_with_is_what_keras_evaluates(name: str) -> None:
    model, data, given = two_headed(), two_headed_data(weighted=True), example_arrays()
    if name != "objects":  # names of losses take probabilities in Keras
        kind = keras.layers.Softmax(name="kind")(model.outputs[0])
        model.get_layer("kind").name = "logits"
        model = keras.Model(model.inputs, [kind, model.outputs[1]])
    model.compile(optimizer="sgd", **COMPILED[name])
    task, objects = compiled_with(model)
    assert isinstance(objects.optimizer, keras.optimizers.SGD)
    found = model.evaluate(
        list(data.x), [given["kind"], given["place"]], sample_weight=[data.weights] * 2, verbose=0, return_dict=True
    )
    assert loss(model, data, task) == pytest.approx(found["loss"], rel=1e-4)
    plain = two_headed_data() if "metrics" in COMPILED[name] else data  # only weighted metrics know weights in Keras
    figures = [v for k, v in found.items() if k.endswith(("accuracy", "mae", "of_absolute"))]
    assert accuracy(model, plain, task) == pytest.approx(np.mean(figures), rel=1e-4)


def test_outputs_that_keras_does_not_train_have_no_weight() -> None:
    model = two_headed()
    model.compile(loss=["mse", None])
    assert compiled_with(model)[0] == Task(["mse", None], None, [1.0, 0.0])
    model.compile(loss={"kind": None, "place": "mse"}, loss_weights={"kind": 1.0, "place": 3.0})
    assert compiled_with(model)[0].loss_weights == {"kind": 0.0, "place": 3.0}
    named = keras.Model(model.inputs, dict(zip(("kind", "place"), model.outputs, strict=True)))
    named.compile(loss={"place": "mse"}, loss_weights={"place": 3.0})
    assert compiled_with(named)[0] == Task({"kind": None, "place": "mse"}, None, {"kind": 0.0, "place": 3.0})


def test_a_model_that_is_not_compiled_says_nothing() -> None:
    for compiled in (False, True):
        model = vectors()
        if compiled:
            model.compile("sgd")
        task, objects = compiled_with(model)
        assert task == Task()
        assert objects.optimizer is None
