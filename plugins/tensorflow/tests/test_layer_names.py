"""Layers with names that TensorFlow takes for no scope: every stage works, and results call them as the user does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from litert_files import converted, interpreter_of
from reds_tensorflow import evaluation, gradients, probing, unrolled_recurrences
from reds_tensorflow.scopes import plain_name, scopes_named_plainly
from reds_tensorflow.tracing import inspect

from reds_core import cli
from reds_core.framework import Arrays, Task

# what TensorFlow takes for scopes at the root of a graph; it takes backslashes there, but not in the nodes below
SCOPE = re.compile(r"^[A-Za-z0-9.][A-Za-z0-9_./>-]*$")
NAMES = ("слой", "a b", ">x", "_under\\", "#", "é…")
# Keras refuses the slash; files hold no surrogates
names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


def model(layer_names: tuple[str, ...], name: str = "сеть") -> Any:
    """Six layers of the given names between an input and an output in Cyrillic."""
    conv, norm, relu, second, add, third = layer_names
    layers = keras.layers
    entry = keras.Input((8, 8, 1), name="вход 1")
    x = layers.ReLU(name=relu)(layers.BatchNormalization(name=norm)(layers.Conv2D(6, 3, name=conv)(entry)))
    x = layers.Add(name=add)([x, layers.Conv2D(6, 3, padding="same", name=second)(x)])
    x = layers.GlobalAveragePooling2D(name="пул")(layers.Conv2D(5, 3, name=third)(x))
    return keras.Model(entry, layers.Dense(3, activation="softmax", name="выход")(x), name=name)


def data(count: int = 24) -> Arrays:
    rng = np.random.default_rng(0)
    return Arrays(rng.normal(size=(count, 8, 8, 1)).astype(np.float32), np.arange(count) % 3)


@given(st.text(max_size=10))
def test_every_text_becomes_a_scope(text: str) -> None:
    plain = plain_name(text)
    assert not text or SCOPE.fullmatch(plain)
    if SCOPE.fullmatch(text):
        assert plain == text


def test_graphs_are_as_before_outside() -> None:
    import tensorflow as tf

    before = tf.Graph.name_scope
    with scopes_named_plainly():
        assert tf.Graph.name_scope is not before
    assert tf.Graph.name_scope is before


@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking what takes seconds would take minutes
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(names, min_size=6, max_size=6, unique=True))
def test_scores_statistics_and_exports_of_layers_of_any_name(drawn: list[str]) -> None:
    odd, examples = model(tuple(drawn)), data()
    network = inspect(odd)
    assert {layer.name for layer in network.layers} == {*drawn, "пул", "выход"}
    found = list(gradients.gradients(odd, network, examples, Task(), 12))
    assert len(found) == 2
    assert all(np.isfinite(g).all() for batch in found for g in batch)
    variants = [[v.numpy() for v in odd.weights]]
    (loss,) = probing.losses(odd, network, variants, examples, Task())
    assert loss == pytest.approx(evaluation.loss(odd, examples, Task()), rel=1e-5)
    probing.activation_statistics(odd, network, list(range(len(network.tensors))), examples.x, 12)
    assert converted(odd, None)
    assert [layer.name for layer in odd.layers][1:3] == [drawn[0], drawn[1]]


def test_inputs_whose_names_are_alike_as_scopes_are_told_apart() -> None:
    entries = [keras.Input((4,), name=name) for name in ("а", "б", "scope__2")]
    content = converted(keras.Model(entries, keras.layers.Add(name="+")(entries)), None)
    names = [detail["name"] for detail in interpreter_of(content).get_input_details()]
    assert sorted(names) == ["serving_default_scope_:0", "serving_default_scope__2:0", "serving_default_scope__2_2:0"]


@pytest.mark.parametrize("name", ["image", "my image"])
def test_a_model_may_have_the_name_of_its_input(name: str) -> None:
    entry = keras.Input((4,), name=name)
    content = converted(keras.Model(entry, keras.layers.Dense(2)(entry), name=name), None)
    (detail,) = interpreter_of(content).get_input_details()
    assert detail["name"] == f"serving_default_{plain_name(name)}:0"


@keras.saving.register_keras_serializable("reds-tests")
class Mixing(keras.layers.Layer):
    """A layer of a user's own."""

    def build(self, shape: Any) -> None:
        self.mix = self.add_weight(shape=(shape[-1], shape[-1]))

    def call(self, x: Any) -> Any:
        return keras.ops.matmul(x, self.mix)


@pytest.mark.parametrize("name", ["plain", *NAMES])
def test_unknown_layers_of_any_name_are_counted(name: str) -> None:
    entry = keras.Input((4,))
    network = inspect(keras.Model(entry, Mixing(name=name)(entry)))
    (warning,) = network.warnings
    assert "its 16 MACs are fixed" in warning


@pytest.mark.parametrize("name", ["plain", *NAMES])
def test_recurrent_layers_of_any_name_are_told_of(name: str) -> None:
    entry = keras.Input((10, 4))
    (note,) = unrolled_recurrences.notes(keras.Model(entry, keras.layers.GRU(3, name=name)(entry)))
    assert f"'{name}' (GRU, 10 steps)" in note


def test_a_whole_run_and_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, arrays, out = tmp_path / "сеть.keras", tmp_path / "данные.npz", tmp_path / "итог"
    model(NAMES).save(path)
    train, test = data(48), data(12)
    np.savez(arrays, x_train=train.x, y_train=train.y, x_test=test.x, y_test=test.y)
    given = ["--data", str(arrays), "--budget", "macs=0.5", "--finetune-epochs", "1", "--out", str(out)]
    assert cli.run(["prune", str(path), *given]) == 0, capsys.readouterr().err
    plan = json.loads((out / "plan.json").read_text())
    (member,) = plan["subnetworks"]
    assert all((out / name).stat().st_size for name in member["files"].values())
    assert set(member["files"]) == {"keras", "tflite", "tflite_int8"}
    assert [group["name"] for group in plan["groups"]] == ["слой", "é…"]
    assert cli.run(["extract", str(out), "--budget", "macs=0.7"]) == 0, capsys.readouterr().err
    smaller = keras.models.load_model(out / member["files"]["keras"])
    assert [layer.name for layer in smaller.layers][1:7] == [*NAMES[:5], NAMES[5]]
    table = tmp_path / "t.json"
    timed = ["--repeats", "10", "--points", "2", "--checks", "1"]
    assert cli.run(["latency", str(path), "--out", str(table), *timed]) == 0, capsys.readouterr().err
    assert "é…" in json.loads(table.read_text())["channels"]
