"""Outputs, metrics and losses of Keras models, and what data is refused."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from reds_tensorflow.checking import check_data
from reds_tensorflow.datasets import load_dataset
from reds_tensorflow.evaluation import accuracy, figures, loss, predict
from reds_tensorflow.task import Activation, outputs_of

from reds_core.errors import InputError
from reds_core.framework import Arrays, Task

N = 37


def build(width: int, *last: Any, inputs: tuple[int, ...] = (5,), **options: Any) -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input(inputs), keras.layers.Dense(width, **options), *last])


def examples(y: Any, inputs: tuple[int, ...] = (5,)) -> Arrays:
    return Arrays(np.random.default_rng(0).normal(size=(N, *inputs)).astype(np.float32), np.asarray(y))


def classes(count: int) -> Any:
    return np.random.default_rng(1).integers(0, count, N)


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


LOGITS = build(4)
PROBABILITIES = build(4, keras.layers.Softmax())


@pytest.mark.parametrize("batch_size", [1, 8, N, 256])
def test_predict_is_the_model_called(batch_size: int) -> None:
    data = examples(classes(4))
    np.testing.assert_allclose(predict(LOGITS, data.x, batch_size), LOGITS(data.x).numpy(), rtol=1e-5, atol=1e-6)


AT_EACH_STEP = keras.layers.TimeDistributed(keras.layers.Dense(3, activation="softmax"))


def test_predict_of_nothing_has_the_right_shape() -> None:
    assert predict(LOGITS, np.zeros((0, 5), np.float32)).shape == (0, 4)


@pytest.mark.parametrize(
    ("last", "options", "activation"),
    [
        ((), {}, Activation.OTHER),
        ((), {"activation": "relu"}, Activation.OTHER),
        ((), {"activation": "softmax"}, Activation.SOFTMAX),
        ((keras.layers.Softmax(),), {}, Activation.SOFTMAX),
        ((keras.layers.Activation("softmax"), keras.layers.Dropout(0.5)), {}, Activation.SOFTMAX),
        ((keras.layers.Activation("softmax"), keras.layers.Activation("linear")), {}, Activation.SOFTMAX),
        ((), {"activation": "sigmoid"}, Activation.SIGMOID),
        ((keras.layers.Activation("sigmoid"), keras.layers.Reshape((4,))), {}, Activation.SIGMOID),
        ((keras.layers.Reshape((2, 2)), AT_EACH_STEP), {}, Activation.SOFTMAX),
    ],
)
def test_last_activation_is_found(last: Any, options: Any, activation: Activation) -> None:
    model = build(4, *last, **options)
    assert outputs_of(model)[0].activation is activation
    nested_input = keras.Input((5,))
    assert outputs_of(keras.Model(nested_input, model(nested_input)))[0].activation is activation


@pytest.mark.parametrize("model", [LOGITS, PROBABILITIES])
@pytest.mark.parametrize("shape", ["(N,)", "(N, 1)", "one-hot", "whole floats"])
def test_class_labels_of_every_shape_give_crossentropy_and_accuracy(model: Any, shape: str) -> None:
    y = classes(4)
    forms = {"(N,)": y, "(N, 1)": y[:, None], "one-hot": np.eye(4, dtype=np.uint8)[y], "whole floats": y.astype(float)}
    data = examples(forms[shape])
    outputs = model(data.x).numpy()
    probabilities = outputs if model is PROBABILITIES else softmax(outputs)
    assert accuracy(model, data, Task()) == pytest.approx((outputs.argmax(axis=1) == y).mean())
    assert loss(model, data, Task()) == pytest.approx(-np.log(probabilities[np.arange(N), y]).mean(), rel=1e-5)
    counts = figures(model, data, Task()).classes
    assert counts is not None
    assert counts.examples.tolist() == [(y == c).sum() for c in range(4)]
    assert counts.recognised.tolist() == [(outputs.argmax(axis=1)[y == c] == c).sum() for c in range(4)]


@pytest.mark.parametrize(
    "name", ["sparse_categorical_crossentropy", "categorical_crossentropy", "CategoricalCrossentropy"]
)
def test_named_crossentropy_knows_logits_and_takes_any_labels(name: str) -> None:
    y = classes(4)
    expected = loss(LOGITS, examples(y), Task())
    for labels in (y, np.eye(4)[y]):
        assert loss(LOGITS, examples(labels), Task(loss=name)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("activation", [None, "sigmoid"])
@pytest.mark.parametrize("column", [False, True])
def test_single_output_is_binary(activation: str | None, column: bool) -> None:
    model = build(1, activation=activation)
    y = classes(2)
    data = examples(y[:, None] if column else y)
    z = model(data.x).numpy()[:, 0]
    p = z if activation else 1 / (1 + np.exp(-z))
    assert accuracy(model, data, Task()) == pytest.approx(((p > 0.5) == y).mean())
    assert loss(model, data, Task()) == pytest.approx(-np.log(np.where(y, p, 1 - p)).mean(), rel=1e-4)
    counts = figures(model, data, Task()).classes
    assert counts is not None
    threshold = p > 0.5 if activation else z > 0
    assert counts.recognised.tolist() == [(threshold[y == c] == c).sum() for c in range(2)]


def test_several_labels_at_once_are_binary() -> None:
    model = build(4, activation="sigmoid")
    y = np.random.default_rng(2).integers(0, 2, (N, 4))
    data = examples(y)
    assert accuracy(model, data, Task()) == pytest.approx(((model(data.x).numpy() > 0.5) == y).mean())


@pytest.mark.parametrize("width", [1, 3])
def test_regression(width: int) -> None:
    model = build(width)
    y = np.random.default_rng(2).normal(size=(N, width) if width > 1 else N)
    data, task = examples(y), Task(loss="mse", metric="mean_absolute_error")
    errors = model(data.x).numpy() - y.reshape(N, width)
    assert loss(model, data, task) == pytest.approx((errors**2).mean(), rel=1e-5)
    assert accuracy(model, data, task) == pytest.approx(np.abs(errors).mean(), rel=1e-5)


def test_loss_that_knows_no_classes_gets_one_hot_labels() -> None:
    data = examples(classes(4))
    errors = LOGITS(data.x).numpy() - np.eye(4)[data.y]
    assert loss(LOGITS, data, Task(loss="mse")) == pytest.approx((errors**2).mean(), rel=1e-5)


def test_metrics_see_probabilities() -> None:
    data = examples(classes(4))
    twin = keras.Sequential([LOGITS, keras.layers.Softmax()])
    for name in ("AUC", "sparse_top_k_categorical_accuracy", "F1Score"):
        assert accuracy(LOGITS, data, Task(metric=name)) == pytest.approx(accuracy(twin, data, Task(metric=name)))


def test_labels_of_every_pixel() -> None:
    model = keras.Sequential([keras.Input((3, 2)), keras.layers.Dense(4)])
    y = np.random.default_rng(0).integers(0, 4, (N, 3))
    data = examples(y, (3, 2))
    assert accuracy(model, data, Task()) == pytest.approx((model(data.x).numpy().argmax(axis=-1) == y).mean())


def refusal(model: Any, data: Arrays, task: Task = Task()) -> str:
    with pytest.raises(InputError) as caught:
        check_data(model, data, task, "test data")
    return str(caught.value)


def test_check_adds_a_missing_last_dimension() -> None:
    model = build(4, inputs=(5, 6, 1))
    checked = check_data(build(2, inputs=(6, 1)), examples(np.zeros((N, 6), int), (6,)), Task(), "data")
    assert checked.x.shape == (N, 6, 1)
    assert checked.y.shape == (N, 6)
    assert "5 x 7" in refusal(model, examples(classes(4), (5, 7)))


def test_check_brings_labels_to_their_plain_form_once_and_for_all() -> None:
    checked = check_data(LOGITS, examples(classes(4)[:, None].astype(np.float64)), Task(), "data")
    assert checked.y.shape == (N,)
    assert checked.y.dtype == np.int64
    again = check_data(LOGITS, checked, Task(), "data")
    np.testing.assert_array_equal(again.y, checked.y)


def test_examples_of_another_shape_are_refused() -> None:
    assert "shape 6, the model takes 5" in refusal(LOGITS, examples(classes(4), (6,)))
    assert "shape 5 x 1" in refusal(LOGITS, examples(classes(4), (5, 1)))


@pytest.mark.parametrize(("lowest", "highest"), [(-1, 3), (0, 4), (1, 9)])
def test_labels_out_of_range_are_refused(lowest: int, highest: int) -> None:
    y = classes(4)
    y[:2] = lowest, highest
    y[2:] = 2
    assert f"run from {lowest} to {highest}" in refusal(LOGITS, examples(y))


def test_labels_of_another_shape_are_refused() -> None:
    assert "shape (3,)" in refusal(LOGITS, examples(np.eye(3)[classes(3)]))


def test_labels_that_are_no_whole_numbers_are_refused() -> None:
    assert "not whole numbers" in refusal(LOGITS, examples(np.linspace(0, 1, N)))


def test_real_labels_need_a_loss_and_a_metric() -> None:
    data = examples(np.linspace(0, 1, N))
    assert "no default loss" in refusal(build(1), data)
    assert "no accuracy" in refusal(build(1), data, Task(loss="mse"))


@pytest.mark.parametrize("name", ["nonsense", "keras.losses"])
def test_unknown_identifiers_are_named(name: str) -> None:
    assert f"loss '{name}'" in refusal(LOGITS, examples(classes(4)), Task(loss=name))
    assert f"metric '{name}'" in refusal(LOGITS, examples(classes(4)), Task(metric=name))


@pytest.mark.parametrize(
    ("kind", "name", "what", "cure"),
    [
        ("metric", "PrecisionAtRecall", "metric 'PrecisionAtRecall' needs recall", "PrecisionAtRecall[recall=VALUE]"),
        ("metric", "precision_at_recall", "metric 'precision_at_recall' needs recall", "[recall=VALUE]"),
        ("metric", "IoU[num_classes=4]", "needs target_class_ids", "IoU[num_classes=4,target_class_ids=VALUE]"),
        ("metric", "AUC[curves=PR]", "metric 'AUC' has no setting 'curves'", "choose from num_thresholds, curve"),
        ("metric", "AUC[num_thresholds=-3]", "metric 'AUC[num_thresholds=-3]' cannot be used (", "other settings"),
        ("metric", "AUC[curve", "metric 'AUC[curve' cannot be read", "NAME[KEY=VALUE,...]"),
        ("loss", "Huber[delta=wide]", "loss 'Huber[delta=wide]'", "give"),
        ("loss", "mse[delta=2]", "loss 'mse' takes no settings", "class"),
    ],
)
def test_settings_that_are_missing_or_wrong_are_named(kind: str, name: str, what: str, cure: str) -> None:
    told = refusal(LOGITS, examples(classes(4)), Task(**{kind: name}))
    assert what in told
    assert cure in told


def test_settings_in_brackets_are_taken() -> None:
    data = examples(classes(4))
    keras_auc = keras.metrics.AUC(num_thresholds=20, curve="PR")
    keras_auc.update_state(np.eye(4)[data.y], softmax(LOGITS(data.x).numpy()))
    found = accuracy(LOGITS, data, Task(metric="AUC[num_thresholds=20,curve=PR]"))
    assert found == pytest.approx(float(keras_auc.result()))
    one_hot = np.eye(4)[data.y]
    expected = float(keras.losses.Huber(delta=0.2)(one_hot, LOGITS(data.x)))
    assert loss(LOGITS, data, Task(loss="Huber[delta=0.2]")) == pytest.approx(expected, rel=1e-5)


def test_mean_iou_knows_the_classes_of_the_outputs() -> None:
    """Of every pixel, against the definition: the mean over classes of intersection over union."""
    model = keras.Sequential([keras.Input((3, 2)), keras.layers.Dense(4)])
    y = np.random.default_rng(0).integers(0, 4, (N, 3))
    data = examples(y, (3, 2))
    chosen = model(data.x).numpy().argmax(axis=-1)
    shares = [np.sum((chosen == c) & (y == c)) / np.sum((chosen == c) | (y == c)) for c in range(4)]
    for name in ("MeanIoU", "mean_io_u", "MeanIoU[num_classes=4]"):
        assert accuracy(model, check_data(model, data, Task(metric=name), "data"), Task(metric=name)) == pytest.approx(
            np.mean(shares)
        )


def test_mean_iou_of_one_number_a_label_is_refused() -> None:
    model = build(1, activation="sigmoid")
    assert "use BinaryIoU" in refusal(model, examples(classes(2)), Task(metric="MeanIoU"))
    assert 0 <= accuracy(model, examples(classes(2)), Task(metric="BinaryIoU")) <= 1


def masks(values: tuple[float, float], activation: str | None = "sigmoid") -> tuple[Any, Arrays]:
    """A network that says something of every pixel, and masks of two values."""
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3, padding="same", activation=activation)])
    y = np.random.default_rng(0).choice(np.array(values), (N, 4, 4, 1))
    return model, examples(y, (4, 4, 1))


def test_a_metric_that_does_not_fit_the_outputs_is_refused_before_any_work() -> None:
    model, data = masks((0, 1))
    told = refusal(model, data, Task(metric="F1Score"))
    assert told.startswith("metric 'F1Score' does not fit outputs of shape 4 x 4 x 1 (")
    assert told.endswith("; give another metric, one for such outputs")


def test_a_loss_that_does_not_fit_the_outputs_is_refused_before_any_work() -> None:
    data = examples(classes(4))
    told = refusal(LOGITS, data, Task(loss="CategoricalGeneralizedCrossEntropy[q=0.5]"))
    assert told.startswith("loss 'CategoricalGeneralizedCrossEntropy[q=0.5]' does not fit outputs of shape 4 (")


@pytest.mark.parametrize(
    ("values", "told", "cure"),
    [
        ((0, 255), "are 0 and 255", "divide the labels by 255"),
        ((-1, 1), "are -1 and 1", "scale the labels to between 0 and 1"),
        ((0, 2), "are 0 and 2", "divide the labels by 2"),
    ],
)
def test_labels_that_a_sigmoid_cannot_put_out_are_refused(values: tuple[float, float], told: str, cure: str) -> None:
    model, data = masks(values)
    for task in (Task(), Task(loss="mse", metric="mean_absolute_error")):
        said = refusal(model, data, task)
        assert f"the labels of the test data {told}, but the model ends in a sigmoid" in said
        assert said.endswith(cure)


def test_images_under_a_sigmoid_are_told_by_their_range() -> None:
    model, data = masks((0, 1))
    told = refusal(model, Arrays(data.x, np.linspace(0, 255, N * 16).reshape(N, 4, 4, 1)))
    assert "run from 0 to 255" in told
    assert told.endswith("divide the labels by 255")


def test_two_values_of_a_network_without_a_sigmoid_may_be_real_numbers() -> None:
    model, data = masks((0, 255), activation=None)
    assert "labels of 0 and 1 if they are two classes" in refusal(model, data)
    task = Task(loss="mse", metric="mean_absolute_error")
    assert check_data(model, data, task, "data").y.max() == 255


def test_class_numbers_under_sigmoids_are_classes() -> None:
    assert check_data(build(4, activation="sigmoid"), examples(classes(4)), Task(), "data").y.max() == 3


def test_lengths_that_differ_are_refused() -> None:
    assert "37 examples and 3 labels" in refusal(LOGITS, Arrays(examples(classes(4)).x, classes(4)[:3]))


def test_one_array_for_several_inputs_is_refused() -> None:
    first, second = keras.Input((2,)), keras.Input((2,))
    model = keras.Model([first, second], keras.layers.Add()([first, second]))
    with pytest.raises(InputError, match="has 2 inputs, but the data has 1"):
        predict(model, np.zeros((1, 2), np.float32))


def test_unknown_data_set_is_named() -> None:
    with pytest.raises(InputError, match="'cifar11' is unknown"):
        load_dataset("cifar11")


def test_data_set_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        print("Downloading data from somewhere")
        raise Exception("URL fetch failure on somewhere")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(InputError, match=r"cannot be fetched.*; give the path of an \.npz"):
        load_dataset("mnist")
    assert capfd.readouterr() == ("", "")


def test_data_set_that_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = np.zeros((4, 28, 28), np.uint8), np.arange(4)
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: ((images, labels), (images[:2], labels[:2])))
    train, test = load_dataset("mnist")
    assert train.x.shape == (4, 28, 28, 1)
    assert test.y.tolist() == [0, 1]
