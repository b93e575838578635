"""Fine-tuning keeps as much of a model's dropout as it is told to."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from reds_tensorflow import baseline
from reds_tensorflow.dropping import dropout_times
from reds_tensorflow.training import finetune

from reds_core.framework import Arrays, Family, FinetuneSettings, Task, Training

layers = keras.layers


def _attention(inputs: Any) -> Any:
    return layers.MultiHeadAttention(2, 4, dropout=0.5, seed=1)(inputs, inputs)


def _convolutional_lstm(inputs: Any) -> Any:
    images = layers.Reshape((5, 6, 1))(inputs)
    return layers.ConvLSTM1D(3, 2, dropout=0.5, recurrent_dropout=0.5, seed=1)(images)


DROPPING = {
    "dropout": lambda x: layers.Dropout(0.5, seed=1)(x),
    "spatial": lambda x: layers.SpatialDropout1D(0.5, seed=1)(x),
    "alpha": lambda x: layers.AlphaDropout(0.5, seed=1)(x),
    "gaussian": lambda x: layers.GaussianDropout(0.5, seed=1)(x),
    "lstm": lambda x: layers.LSTM(4, dropout=0.5, recurrent_dropout=0.5, seed=1)(x),
    "bidirectional": lambda x: layers.Bidirectional(layers.GRU(4, dropout=0.5, seed=1))(x),
    "attention": _attention,
    "one head of attention": lambda x: layers.Attention(dropout=0.5, seed=1)([x, x]),
    "additive attention": lambda x: layers.AdditiveAttention(dropout=0.5, seed=1)([x, x]),
    "convolutional lstm": _convolutional_lstm,
    "nested": lambda x: keras.Sequential([keras.Input((5, 6)), layers.Dropout(0.5, seed=1)])(x),
}


@pytest.mark.parametrize("kind", DROPPING)
def test_without_dropout_training_computes_as_inference_does(kind: str) -> None:
    inputs = keras.Input((5, 6))
    model = keras.Model(inputs, DROPPING[kind](inputs))
    x = np.random.default_rng(2).normal(size=(7, 5, 6)).astype("float32")
    expected = np.asarray(model(x, training=False))
    with dropout_times(0.0, model):
        np.testing.assert_allclose(np.asarray(model(x, training=True)), expected, rtol=1e-5, atol=1e-6)
    assert np.abs(np.asarray(model(x, training=True)) - expected).max() > 0.01, "the model's own rates come back"


def test_a_share_of_the_rate_is_kept() -> None:
    model = keras.Sequential([keras.Input((1000,)), layers.Dropout(0.8, seed=3)])
    x = np.ones((20, 1000), np.float32)
    with dropout_times(0.5, model):
        dropped = np.asarray(model(x, training=True)) == 0
    assert 0.38 < dropped.mean() < 0.42
    assert model.layers[0].rate == 0.8


def _trained(dropout: float, rate: float | None) -> list[np.ndarray]:
    keras.utils.set_random_seed(0)
    inner = [] if rate is None else [layers.Dropout(rate, seed=1)]
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8), *inner, layers.Dense(3)])
    rng = np.random.default_rng(0)
    data = Arrays(rng.normal(size=(64, 6)).astype("float32"), rng.integers(0, 3, 64))
    settings = FinetuneSettings(epochs=1, batch_size=16, dropout=dropout)
    finetune(Family(model, (), ()), Training(data, settings, 0, lambda p: None, task=Task()))
    return [np.asarray(v) for v in model.trainable_variables]


def test_a_training_follows_the_setting() -> None:
    plain = _trained(0.0, None)
    for found, expected in zip(_trained(0.0, 0.5), plain, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert any(not np.array_equal(a, b) for a, b in zip(_trained(1.0, 0.5), plain, strict=True))


def test_a_network_trained_from_scratch_keeps_its_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Training] = []
    monkeypatch.setattr(baseline, "finetune", lambda family, training: seen.append(training))
    data = Arrays(np.zeros((4, 8, 8, 1), np.float32), np.array([0, 1, 0, 1]))
    baseline.build_baseline(Training(data, FinetuneSettings(epochs=1), 0, lambda p: None))
    assert seen[0].settings.dropout == 1.0
