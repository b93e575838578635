"""Values scaled differently from those of a model's training are remarked, and right ones are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import layers as L
from reds_tensorflow import input_range
from reds_tensorflow.framework import TensorFlowFramework

ASSETS = Path("../shared/assets")
SPEECH = "speech_commands"
PREPARED: dict[str, tuple[str, float]] = {
    "arm_kws_cnn_s.keras": (SPEECH, 1.0),
    "arm_kws_ds_cnn_s.keras": (SPEECH, 1.0),
    "arm_kws_ds_cnn_m.keras": (SPEECH, 1.0),
    "mlperf_tiny_kws_ds_cnn.keras": (SPEECH, 1.0),
    "mlperf_tiny_resnet8_cifar10.h5": ("cifar10", 1.0),
    "mlperf_tiny_vww_96.keras": ("cifar10", 1 / 255),
}
"""Real models, each with a data set like that of its training and the factor of its preprocessing."""


def examples(name: str, count: int = 128) -> npt.NDArray[np.float32]:
    with np.load(ASSETS / "data" / f"{name}.npz") as archive:
        x = archive["x_train"]
    return x[np.random.default_rng(0).permutation(len(x))[:count]].astype(np.float32)


@pytest.mark.skipif(not ASSETS.exists(), reason="no ../shared/assets")
@pytest.mark.parametrize("name", PREPARED)
def test_real_models(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The factors measured on these models with the right scale are from 0.70 to 1.09."""
    model = TensorFlowFramework().load_model(ASSETS / "models" / name)
    data, right = PREPARED[name]
    x = examples(data)
    if name == "mlperf_tiny_vww_96.keras":
        x = np.repeat(np.repeat(x, 3, axis=1), 3, axis=2)
    x = right * x
    for scale in (1, 2, 1 / 2, 3, 1 / 3):
        assert input_range.input_notes(model, scale * x) == (), scale
    [more] = input_range.input_notes(model, 255 * x)
    assert "times as much as those on which the model was trained" in more
    [less] = input_range.input_notes(model, x / 255)
    assert "vary about 1/" in less
    monkeypatch.setattr(input_range, "FACTOR", 1.5)
    assert input_range.input_notes(model, x) == (), "right data is far from the threshold"


def images(scale: float = 255.0, count: int = 64) -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).uniform(0, scale, (count, 8, 8, 3)).astype(np.float32)


def built(*before: Any) -> Any:
    return keras.Sequential([keras.Input((8, 8, 3)), *before, L.Flatten(), L.Dense(2)])


@pytest.mark.parametrize(("scale", "told"), [(255, None), (1, "run from 0 to 1, but"), (65535, "to 65534.8, but")])
def test_a_rescaling_layer_says_what_it_is_made_for(scale: float, told: str | None) -> None:
    notes = input_range.input_notes(built(L.Rescaling(1 / 255)), np.round(images(scale), 1))
    if told is None:
        assert notes == ()
    else:
        assert told in notes[0]
        assert "is made for a range of about 255" in notes[0]


@pytest.mark.parametrize(("scale", "told"), [(255, None), (1, "about 1/255 as much"), (65535, "about 257 times")])
def test_a_normalization_layer_says_what_it_is_made_for(scale: float, told: str | None) -> None:
    layer = L.Normalization()
    layer.adapt(images())
    notes = input_range.input_notes(built(layer), images(scale))
    assert (notes == ()) if told is None else (told in notes[0])


def test_a_batch_norm_that_was_never_trained_says_nothing() -> None:
    assert input_range.input_notes(built(L.Conv2D(4, 3), L.BatchNormalization()), images(1e6)) == ()
    assert input_range.input_notes(built(L.Conv2D(4, 3)), images(1e6)) == (), "nor does a model without one"


def test_nested_models_several_inputs_and_small_types() -> None:
    norm = L.BatchNormalization(name="norm")
    inner = keras.Sequential([keras.Input((8, 8, 3)), norm])
    first, second = keras.Input((8, 8, 3), name="image"), keras.Input((2,), name="other")
    joined = L.Concatenate()([L.Flatten()(inner(first)), second])
    model = keras.Model([first, second], L.Dense(2)(joined))
    norm.moving_mean.assign([127.0] * 3)
    norm.moving_variance.assign([5400.0] * 3)
    other = np.zeros((64, 2), np.float32)
    assert input_range.input_notes(model, (images().astype(np.uint8), other)) == ()
    [said] = input_range.input_notes(model, (images(1), other))
    assert "by the statistics of layer 'norm'" in said
    assert model.predict([images(1), other], verbose=0).shape == (64, 2), "the model is left as it was"


def test_dead_channels_and_few_examples_are_not_judged() -> None:
    norm = L.BatchNormalization(axis=-1)
    model = built(norm)
    norm.moving_variance.assign([0.0, 0.0, 5400.0])
    assert input_range.input_notes(model, images()) == ()
    assert input_range.input_notes(model, images(1, count=15)) == ()
    assert input_range.input_notes(model, images(1, count=16)) != ()
    assert input_range.input_notes(model, np.zeros((64, 8, 8, 3), np.float32)) == ()
