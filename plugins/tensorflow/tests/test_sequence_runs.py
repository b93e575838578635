"""A vision transformer and a text classifier from a model to its files: pruned, trained together, exported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras_reference import count_macs
from reds_tensorflow.framework import TensorFlowFramework

import reds_core
from reds_core import Plan, RunSettings, extract, load_plan
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import FinetuneSettings

TOKENS, WORDS = 50, 8
Examples = tuple[np.ndarray, np.ndarray]

STOCK = """
import sys
import keras, numpy as np
from ai_edge_litert.interpreter import Interpreter
keras_path, lite_path, x_path = sys.argv[1:]
x = np.load(x_path)
model = keras.saving.load_model(keras_path)
interpreter = Interpreter(lite_path)
interpreter.allocate_tensors()
given, got = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
for example in x:
    interpreter.set_tensor(given["index"], example[None].astype(given["dtype"]))
    interpreter.invoke()
    out = interpreter.get_tensor(got["index"])
    assert np.abs(out - np.asarray(model(example[None]))).max() < 1e-3
assert not any(name.startswith("reds") for name in sys.modules)
"""


def vision_transformer() -> Any:
    """Patches, positions by a depthwise convolution, two blocks, a head."""
    inputs = keras.Input((8, 8, 1))
    x = L.Rescaling(1 / 16)(inputs)
    x = L.Conv2D(16, 2, strides=2, name="patches")(x)
    x = L.Add()([x, L.DepthwiseConv2D(3, padding="same", name="places")(x)])
    x = L.Reshape((16, 16))(x)
    for i in range(2):
        y = L.LayerNormalization()(x)
        y = L.MultiHeadAttention(4, 4, dropout=0.1, name=f"heads{i}")(y, y)
        x = L.Add()([x, L.Dropout(0.1)(y)])
        y = L.Dense(32, activation="gelu", name=f"up{i}")(L.LayerNormalization()(x))
        x = L.Add()([x, L.Dense(16, name=f"down{i}")(y)])
    x = L.GlobalAveragePooling1D()(L.LayerNormalization()(x))
    return keras.Model(inputs, L.Dense(10, activation="softmax", name="out")(x))


def text_classifier() -> Any:
    inputs = keras.Input((WORDS,))
    x = L.Embedding(TOKENS, 12, mask_zero=True, name="words")(inputs)
    x = L.Bidirectional(L.LSTM(8, return_sequences=True, dropout=0.1), name="both")(x)
    x = L.GRU(10, name="last")(x)
    return keras.Model(inputs, L.Dense(2, name="out")(x))


def texts(count: int, seed: int) -> Examples:
    """Texts with more words of the first half of the vocabulary, or of the second; the rest is padding."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    low = rng.random((count, WORDS)) < np.where(labels, 0.2, 0.8)[:, None]
    words = np.where(low, rng.integers(1, TOKENS // 2, low.shape), rng.integers(TOKENS // 2, TOKENS, low.shape))
    words[np.arange(WORDS) >= rng.integers(4, WORDS + 1, count)[:, None]] = 0
    return words.astype(np.float32), labels


def pruned(model: Any, data: Any, out: Path, epochs: int, **settings: Any) -> Plan:
    settings = {"finetune": FinetuneSettings(epochs, batch_size=32, learning_rate=3e-3), **settings}
    return reds_core.prune(model, data, {"macs": [0.7, 0.4]}, out, settings=RunSettings(**settings))


def check(out: Path, x: np.ndarray) -> Plan:
    """Budgets recounted from the files by hand; stock libraries compute the same with them."""
    plan = load_plan(out)
    for subnetwork in plan.subnetworks:
        assert subnetwork.files["keras"] is not None
        small = keras.saving.load_model(out / subnetwork.files["keras"])
        assert count_macs(small) == subnetwork.usage["macs"] <= subnetwork.budget["macs"] * plan.full.usage["macs"]
        assert small.count_params() == subnetwork.usage["params"]
    np.save(out / "x.npy", x)
    files = [out / "subnet-40.keras", out / "subnet-40.tflite", out / "x.npy"]
    done = subprocess.run([sys.executable, "-c", STOCK, *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return plan


def test_attention_recurrence_and_dropout_are_trained_together(tmp_path: Path) -> None:
    """One epoch; every network of the family draws its own dropout."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    inputs = keras.Input((3, 4))
    x = L.MultiHeadAttention(2, 3, dropout=0.2, name="heads")(inputs, inputs)
    x = L.LSTM(4, dropout=0.2, name="units")(L.LayerNormalization()(x))
    model = keras.Model(inputs, L.Dense(2, name="out")(x))
    before = [np.asarray(v).copy() for v in model.weights]
    x, y = rng.normal(size=(60, 3, 4)).astype(np.float32), rng.integers(0, 2, 60)
    settings = RunSettings(finetune=FinetuneSettings(1, batch_size=30, dropout=1.0), scorer="magnitude")
    plan = reds_core.prune(model, ((x, y), (x, y)), {"macs": [0.6]}, tmp_path / "run", settings=settings)
    assert {g.name: g.channels for g in plan.groups} == {"heads": 2, "units": 4}
    small = keras.saving.load_model(tmp_path / "run" / "subnet-60.keras")
    assert count_macs(small) == plan.subnetworks[0].usage["macs"] <= 0.6 * plan.full.usage["macs"]
    nested = keras.saving.load_model(tmp_path / "run" / "nested.keras")
    pairs = zip(before, map(np.asarray, nested.weights), strict=True)
    moved = [np.abs(np.sort(a.ravel()) - np.sort(b.ravel())).max() for a, b in pairs]
    assert np.count_nonzero(moved) >= len(moved) - 1  # a softmax does not feel the bias of keys


@pytest.mark.slow
def test_a_text_classifier_is_pruned_trained_together_and_exported(tmp_path: Path) -> None:
    (x, y), test = texts(480, 0), texts(200, 1)
    keras.utils.set_random_seed(0)
    model = text_classifier()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=3, batch_size=32, verbose=0)
    pruned(model, ((x, y), test), tmp_path / "run", epochs=3)
    plan = check(tmp_path / "run", test[0][:4])
    assert {g.name: g.channels for g in plan.groups} == {"words": 12, "both": 8, "last": 10}
    for subnetwork in plan.subnetworks:
        found = subnetwork.accuracy
        figures = [found.after or 0.0, found.tflite or 0.0, found.tflite_int8 or 0.0]
        assert min(figures) > 0.75
        assert abs(figures[0] - figures[1]) <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("normalised", [False, True])
def test_a_vision_transformer_is_pruned_trained_together_and_exported(normalised: bool, tmp_path: Path) -> None:
    """Under normalisations channels stay unless asked for; what was asked for stands in the plan and is kept to."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = digits.images[..., None].astype(np.float32), digits.target
    keras.utils.set_random_seed(0)
    model = vision_transformer()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(x[:1400], y[:1400], epochs=12, batch_size=32, verbose=0)
    data = ((x[:1400], y[:1400]), (x[1400:], y[1400:]))
    options = {"tensorflow": {"prune_normalised": "true"}} if normalised else {}
    pruned(model, data, tmp_path / "run", epochs=8, options=options)
    plan = check(tmp_path / "run", data[1][0][:4])
    blocks = {"heads0": 4, "up0": 32, "heads1": 4, "up1": 32}
    assert {g.name: g.channels for g in plan.groups} == ({"patches": 16} if normalised else {}) | blocks
    assert plan.options["options"] == options
    for subnetwork in plan.subnetworks:
        assert (subnetwork.accuracy.after or 0.0) > 0.8
    one_more = extract(tmp_path / "run", "macs=0.55")
    assert one_more.widths.keys() == {g.name for g in plan.groups}


def test_an_option_that_the_framework_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="framework 'tensorflow' has no option 'prune_all'"):
        pruned(text_classifier(), (texts(40, 0), texts(20, 1)), tmp_path, 0, options={"tensorflow": {"prune_all": "1"}})


def test_layers_that_keep_their_states_are_refused(tmp_path: Path) -> None:
    inputs = keras.Input((4, 3), batch_size=2)
    model = keras.Model(inputs, L.Dense(2)(L.LSTM(5, stateful=True, name="stateful")(inputs)))
    with pytest.raises(UnsupportedError, match=r"'stateful' of type LSTM keeps its states .* stateful=False"):
        TensorFlowFramework().inspect(model)
