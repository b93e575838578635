"""Models of several inputs and outputs: their losses, metrics, gradients, scores, files and what data is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_heads import CLASSES, TASK, ArrayStream, N, example_arrays, two_headed, two_headed_data
from litert_files import export, interpreter_of, litert_file
from reds_tensorflow.checking import check_data
from reds_tensorflow.evaluation import accuracy, loss, predict, resolve
from reds_tensorflow.framework import TensorFlowFramework
from reds_tensorflow.gradients import gradients
from reds_tensorflow.task import input_names, output_names

import reds_core
from reds_core import Registry, RunSettings
from reds_core.errors import InputError
from reds_core.framework import Arrays, Family, FinetuneSettings, Task, Teacher, Training, each, member_kept
from reds_core.scoring import ScoreLevel, Scorer, score

FRAMEWORK = TensorFlowFramework()


@pytest.fixture(scope="module")
def model() -> Any:
    return two_headed()


def outputs_by_name(model: Any) -> dict[str, Any]:
    given = example_arrays()
    found = model([given[name] for name in ("zoom", "facts")], training=False)
    return {name: np.asarray(output) for name, output in zip(("kind", "place"), found, strict=True)}


def losses_of_examples(model: Any) -> Any:
    """The loss of each example by the formulas: crossentropy of logits, and half the mean squared error."""
    given, found = example_arrays(), outputs_by_name(model)
    logits = found["kind"].astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log(probabilities[np.arange(N), given["kind"]]) + 0.5 * ((found["place"] - given["place"]) ** 2).mean(1)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_the_weighted_sum_over_outputs_and_examples(model: Any, weighted: bool) -> None:
    data = two_headed_data(weighted)
    expected = (losses_of_examples(model) * (data.weights if weighted else 1)).sum() / N
    assert loss(model, data, TASK) == pytest.approx(expected, rel=1e-5)
    assert loss(model, ArrayStream(data, 7), TASK) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_figure_is_the_mean_over_outputs_of_their_metrics(model: Any, weighted: bool) -> None:
    data, given, found = two_headed_data(weighted), example_arrays(), outputs_by_name(model)
    weights = data.weights if weighted else np.ones(N)
    right = np.average(found["kind"].argmax(1) == given["kind"], weights=weights)
    error = np.average(np.abs(found["place"] - given["place"]).mean(1), weights=weights)
    assert accuracy(model, data, TASK) == pytest.approx((right + error) / 2, rel=1e-5)
    assert accuracy(model, ArrayStream(data, 7), TASK) == pytest.approx((right + error) / 2, rel=1e-5)


def test_outputs_of_real_numbers_without_a_metric_do_not_count(model: Any) -> None:
    given, found = example_arrays(), outputs_by_name(model)
    right = (found["kind"].argmax(1) == given["kind"]).mean()
    assert accuracy(model, two_headed_data(), Task(TASK.loss)) == pytest.approx(right)
    assert resolve(model, two_headed_data(), Task(TASK.loss))[1].metric_names == ("sparse_categorical_accuracy",)


def test_predictions_have_the_order_of_the_outputs(model: Any) -> None:
    data, found = two_headed_data(), outputs_by_name(model)
    for batch_size in (7, 256):
        kind, place = predict(model, data.x, batch_size)
        np.testing.assert_allclose(kind, found["kind"], atol=1e-5)
        np.testing.assert_allclose(place, found["place"], atol=1e-5)


@pytest.mark.parametrize("form", ["tuple", "list", "dict"])
@pytest.mark.parametrize("structure", ["list", "dict"])
def test_data_is_brought_into_the_order_of_the_model(form: str, structure: str) -> None:
    model, given = two_headed(structure), example_arrays()
    names = (input_names(model), output_names(model))
    assert names == (
        (("zoom", "facts"), ("kind", "place")) if structure == "list" else (("facts", "zoom"), ("kind", "place"))
    )
    forms: dict[str, Any] = {"tuple": tuple, "list": list, "dict": lambda arrays: arrays}
    x, y = (
        {name: given[name] for name in part} if form == "dict" else forms[form](given[name] for name in part)
        for part in names
    )
    checked = check_data(model, Arrays(x, y), TASK, "data")
    assert isinstance(checked, Arrays)
    for found, name in zip((*checked.x, *checked.y), (*names[0], *names[1]), strict=True):
        np.testing.assert_array_equal(found, given[name])
    assert loss(model, checked, TASK) == pytest.approx(losses_of_examples(two_headed()).mean(), rel=1e-5)


def refusal(model: Any, data: Any, task: Task = TASK) -> str:
    with pytest.raises(InputError) as caught:
        check_data(model, data, task, "test data")
    return str(caught.value)


def test_data_that_does_not_fit_is_named(model: Any) -> None:
    data = two_headed_data()
    image, vector = data.x
    kind, place = data.y
    assert "has 1 array for inputs 'zoom', 'facts'" in refusal(model, Arrays(image, data.y))
    assert "has inputs 'zoom', 'fact', but the model has inputs 'zoom', 'facts'" in refusal(
        model, Arrays({"zoom": image, "fact": vector}, data.y)
    )
    assert "for input 'facts' has shape 3, the model takes 4" in refusal(model, Arrays((image, vector[:, :3]), data.y))
    assert "40 examples for input 'zoom' but 39 for input 'facts'" in refusal(
        model, Arrays((image, vector[:-1]), data.y)
    )
    assert "has 40 examples and 39 labels for output 'place'" in refusal(model, Arrays(data.x, (kind, place[:-1])))
    assert "labels for output 'kind' of the test data run from 5 to 7" in refusal(
        model, Arrays(data.x, (kind + 5, place))
    )
    assert "has 1 array for outputs 'kind', 'place'" in refusal(model, Arrays(data.x, kind))


def test_tasks_that_do_not_fit_are_named(model: Any) -> None:
    data = two_headed_data()
    assert "labels for output 'place' are real numbers, for which there is no default loss" in refusal(
        model, data, Task()
    )
    assert "a loss is given for output 'kinds', which does not exist; the model has 2 outputs: kind, place" in refusal(
        model, data, Task({"kinds": "mse"})
    )
    assert "2 outputs: kind, place" in refusal(model, data, Task(["mse"]))
    assert "loss 'sparse_categorical_crossentropy' does not fit outputs of shape 2" in refusal(
        model, data, Task("sparse_categorical_crossentropy", TASK.metric)
    )


@pytest.mark.parametrize(
    "given",
    [
        Task(["sparse_categorical_crossentropy", "mse"], [["accuracy", "AUC"], ["mae"]], [1.0, 0.5]),
        Task("sparse_categorical_crossentropy,mse", "accuracy,mae", (1.0, 0.5)),
        Task(
            {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "place": lambda y, z: (y - z) ** 2},
            {"kind": keras.metrics.SparseCategoricalAccuracy(), "place": keras.metrics.MeanAbsoluteError},
            {"place": 0.5},
        ),
    ],
    ids=["lists", "text", "objects"],
)
def test_a_task_may_be_given_in_several_ways(model: Any, given: Task) -> None:
    data = two_headed_data(weighted=True)
    assert loss(model, data, given) == pytest.approx(loss(model, data, TASK), rel=1e-5)
    assert accuracy(model, data, given) == pytest.approx(accuracy(model, data, TASK), rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_those_of_the_loss_by_hand(model: Any, weighted: bool) -> None:
    data, network = two_headed_data(weighted), FRAMEWORK.inspect(model)
    (found,) = gradients(model, network, data, TASK, N)
    weights = data.weights if weighted else np.ones(N, np.float32)
    kernel = model.get_layer("hidden").kernel
    with tf.GradientTape() as tape:
        kind, place = model(list(data.x), training=False)
        crossentropy = tf.nn.sparse_softmax_cross_entropy_with_logits(data.y[0], kind)
        squares = tf.reduce_mean((place - data.y[1]) ** 2, axis=1)
        total = tf.reduce_sum(weights * (crossentropy + 0.5 * squares)) / N
    index = [weight.name for weight in network.weights].index("hidden/kernel")
    expected = tape.gradient(total, kernel.value)
    np.testing.assert_allclose(found[index], expected, rtol=1e-4, atol=1e-6)


def test_a_weight_of_two_is_the_example_given_twice(model: Any) -> None:
    """But for the mean, which divides by the number of examples."""
    plain, network = two_headed_data(), FRAMEWORK.inspect(model)
    weights = np.ones(N, np.float32)
    weights[:5] = 2
    heavy = Arrays(plain.x, plain.y, weights)
    twice = plain.take(np.concatenate([np.arange(N), np.arange(5)]))
    assert loss(model, heavy, TASK) * N == pytest.approx(loss(model, twice, TASK) * (N + 5), rel=1e-5)
    assert accuracy(model, heavy, TASK) == pytest.approx(accuracy(model, twice, TASK), rel=1e-5)
    (found,), (expected,) = (gradients(model, network, d, TASK, 2 * N) for d in (heavy, twice))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one * N, other * (N + 5), rtol=1e-4, atol=1e-5)
    current = FRAMEWORK.weights(model, network)
    (one,), (other,) = (FRAMEWORK.losses(model, network, [current], d, TASK) for d in (heavy, twice))
    assert one * N == pytest.approx(other * (N + 5), rel=1e-5)
    assert one == pytest.approx(loss(model, heavy, TASK), rel=1e-5)


@pytest.mark.parametrize("name", ["taylor", "fisher", "sensitivity", "mean-activation"])
@pytest.mark.parametrize("structure", ["list", "dict"])
def test_scores_see_every_input_and_output(name: str, structure: str) -> None:
    """A dead channel scores nothing, and each output changes the scores."""
    model = two_headed(structure)
    kernel = model.get_layer("hidden").kernel
    kernel.assign(np.where(np.arange(7) == 3, 0, np.asarray(kernel)))
    model.get_layer("hidden").bias.assign(np.where(np.arange(7) == 3, 0, np.asarray(model.get_layer("hidden").bias)))
    given = example_arrays()
    data = Arrays(tuple(given[n] for n in input_names(model)), tuple(given[n] for n in output_names(model)))
    network = FRAMEWORK.inspect(model)

    def scores(task: Task) -> Any:
        scorer = Registry().create(Scorer, name, {})
        return score(scorer, FRAMEWORK, model, network, data, task, 0, ScoreLevel.CHANNEL).channels["hidden"]

    found = scores(TASK)
    assert np.all(np.isfinite(found))
    assert found.argmin() == 3 or found[3] == pytest.approx(found.min(), abs=1e-9)
    if name != "mean-activation":
        assert not np.allclose(found, scores(Task(TASK.loss, TASK.metric, {"kind": 1.0, "place": 4.0})))


@pytest.mark.parametrize("structure", ["list", "dict"])
def test_files_have_the_order_and_the_accuracy_of_the_model(tmp_path: Path, structure: str) -> None:
    model, given = two_headed(structure), example_arrays()
    data = Arrays(tuple(given[n] for n in input_names(model)), tuple(given[n] for n in output_names(model)))
    expected = accuracy(model, data, TASK)
    for quantise in (False, True):
        path = tmp_path / f"{quantise}.tflite"
        export(model, path, data, quantise)
        interpreter = interpreter_of(path.read_bytes())
        assert [d["shape"].tolist()[1:] for d in interpreter.get_input_details()] == [
            list(t.shape[1:]) for t in model.inputs
        ]
        assert [d["shape"].tolist()[1:] for d in interpreter.get_output_details()] == [[CLASSES], [2]]
        assert set(interpreter.get_signature_list()["serving_default"]["outputs"]) == {"kind", "place"}
        for some in (data, ArrayStream(data, 7)):
            found = litert_file(path).evaluate(some, TASK)
            assert found.metric == pytest.approx(expected, abs=0.03 if quantise else 1e-5)
            assert found.examples == len(data)


def test_inputs_of_one_shape_are_calibrated_each_by_its_own_examples(tmp_path: Path) -> None:
    """Large values of one would be cut off if they were calibrated by those of the other."""
    large, small = keras.Input((4,), name="zoom"), keras.Input((4,), name="facts")
    model = keras.Model(
        [large, small], keras.layers.Add()([keras.layers.Dense(3)(large), keras.layers.Dense(3)(small)])
    )
    rng = np.random.default_rng(0)
    x = (rng.uniform(-100, 100, (N, 4)).astype(np.float32), rng.uniform(-1, 1, (N, 4)).astype(np.float32))
    export(model, tmp_path / "m.tflite", Arrays(x, np.zeros((N, 3))), quantise=True)
    details = interpreter_of((tmp_path / "m.tflite").read_bytes()).get_input_details()
    scales = [detail["quantization"][0] for detail in details]
    np.testing.assert_allclose(scales, [200 / 255, 2 / 255], rtol=0.05)


def test_batches_of_a_stream_are_checked_and_converted() -> None:
    model, data = two_headed(), two_headed_data()
    checked = check_data(model, ArrayStream(Arrays(data.x, (data.y[0][:, None], data.y[1])), 7), TASK, "data")
    for batch in checked.batches():  # type: ignore[union-attr]
        assert batch.y[0].dtype == np.int64
        assert batch.y[0].ndim == 1


class Late(ArrayStream):
    """A stream whose sample hides its later batches."""

    def sample(self, count: int) -> Arrays:
        return super().sample(count).take(slice(7))


def test_a_later_batch_of_other_labels_is_named() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    x, y = example_arrays()["facts"], np.arange(N) % 2.0
    y[-1] = 0.3
    task = Task("mse", "mae")
    checked = check_data(model, Late(Arrays(x, y), 7), task, "test data")
    with pytest.raises(InputError, match="labels of the test data are zeros and ones in the first examples but real"):
        accuracy(model, checked, task)
    whole = check_data(model, Late(Arrays(x, np.where(np.arange(N) < 7, 0.5, y)), 7), task, "test data")
    assert np.isfinite(accuracy(model, whole, task))


def test_the_first_examples_of_a_stream_are_checked_at_once() -> None:
    data = two_headed_data()
    assert "run from 5 to 7" in refusal(two_headed(), ArrayStream(Arrays(data.x, (data.y[0] + 5, data.y[1])), 7))


def test_targets_are_the_same_for_arrays_and_in_a_graph(model: Any) -> None:
    data, aim = resolve(model, two_headed_data(weighted=True), Task(["mse", "mse"], ["AUC", "mae"]))
    outputs = predict(model, data.x)
    graph = tf.function(lambda y, z, w: aim.loss(y, z, w), autograph=False)
    expected = float(aim.loss(data.y, outputs, data.weights))
    assert float(graph(each(tf.constant, data.y), each(tf.constant, outputs), data.weights)) == pytest.approx(expected)
    for head, y in zip(aim.heads, data.y, strict=True):
        np.testing.assert_array_equal(head.metric_targets(y), head.metric_targets(tf.constant(y)))


@pytest.mark.parametrize("structure", ["list", "dict"])
@pytest.mark.parametrize("teacher", [Teacher.NONE, Teacher.INPUT])
def test_a_family_learns_from_all_outputs(structure: str, teacher: Teacher) -> None:
    """Its losses fall, with weights of examples and an output whose metric is not given."""
    model, given = two_headed(structure), example_arrays()
    given |= {"kind": given["facts"][:, :CLASSES].argmax(axis=1), "place": given["facts"][:, 2:]}
    data = Arrays(
        tuple(given[n] for n in input_names(model)), tuple(given[n] for n in output_names(model)), given["weights"]
    )
    network = FRAMEWORK.inspect(model)
    widths = {group.name: group.channels // 2 for group in network.groups}
    family = Family(model, (FRAMEWORK.extract(model, network, member_kept(widths)),), (widths,))
    task = Task(TASK.loss, None, TASK.loss_weights)
    seen: list[float] = []
    settings = FinetuneSettings(epochs=20, batch_size=8, learning_rate=3e-2, distill=teacher, distill_weight=0.2)
    training = Training(
        data,
        settings,
        0,
        lambda progress: seen.append(progress.accuracy),
        task,
        teacher=keras.models.clone_model(model),
    )
    before = [loss(one, data, task) for one in (family.full, *family.members)]
    FRAMEWORK.finetune(family, training)
    after = [loss(one, data, task) for one in (family.full, *family.members)]
    assert all(new < 0.8 * old for new, old in zip(after, before, strict=True)), (before, after)
    assert all(0 <= metric <= 1 for metric in seen)


def test_a_model_of_two_inputs_and_outputs_is_pruned_by_its_names(tmp_path: Path) -> None:
    given = example_arrays()
    x, y = ({name: given[name] for name in names} for names in (("facts", "zoom"), ("place", "kind")))
    settings = RunSettings(task=Task("sparse_categorical_crossentropy,mse", "accuracy,mae"))
    data = ((x, y), (x, y))
    plan = reds_core.prune(
        two_headed(), data, {"macs": [0.5]}, tmp_path / "slim", settings=settings, scorer="taylor", finetune_epochs=2
    )
    (member,) = plan.subnetworks
    assert member.usage["macs"] <= plan.full.usage["macs"] / 2
    assert output_names(keras.models.load_model(tmp_path / "slim" / member.files["keras"])) == ("kind", "place")
    assert member.accuracy.after is not None
    assert member.accuracy.exported["tflite"] == pytest.approx(member.accuracy.after, abs=1e-4)
    assert member.accuracy.exported["tflite_int8"] == pytest.approx(member.accuracy.after, abs=0.1)
