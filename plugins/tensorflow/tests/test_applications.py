"""Networks of keras.applications: groups known by hand, removed equals masked, costs against a count of what runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import keras_reference as reference
import numpy as np
import pytest
from keras import applications as A
from keras_precision import precision
from reds_tensorflow.extraction import extract
from reds_tensorflow.tracing import inspect

from reds_core.cost import macs, params

SIDE = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
"""Pixels that a network needs, where 64 are not enough."""
FAMILIES: dict[str, tuple[Callable[..., Any], int, float]] = {
    # name -> how it is built, its groups, the least share of parameters that can be pruned
    "MobileNet": (A.MobileNet, 14, 0.99),
    "MobileNetV3Small": (A.MobileNetV3Small, 27, 0.99),
    "MobileNetV3Large": (A.MobileNetV3Large, 30, 0.99),
    "ResNet50": (A.ResNet50, 37, 0.99),
    "ResNet50V2": (A.ResNet50V2, 37, 0.99),
    "DenseNet121": (A.DenseNet121, 120, 0.99),
    "InceptionV3": (A.InceptionV3, 94, 0.99),
    "InceptionResNetV2": (A.InceptionResNetV2, 204, 0.99),
    "Xception": (A.Xception, 28, 0.99),
    "VGG16": (A.VGG16, 15, 0.99),
    "EfficientNetB0": (A.EfficientNetB0, 40, 0.99),
    "EfficientNetV2B0": (A.EfficientNetV2B0, 44, 0.99),
    "NASNetMobile": (A.NASNetMobile, 128, 0.99),
    "ConvNeXtTiny": (A.ConvNeXtTiny, 18, 0.9),
}


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """Deep networks of random weights amplify rounding; in double precision every real difference stands out."""
    with precision("float64"):
        yield


def check(model: Any, groups: int, least_share: float) -> Any:
    """Everything about a network of which half the channels of each group go; the smaller one."""
    x = np.random.default_rng(0).uniform(-1, 1, (6, *model.inputs[0].shape[1:]))
    x += np.random.default_rng(1).uniform(-2, 2, (6, 1, 1, 3))  # images that differ as a whole
    reference.enliven(model, x)
    network = inspect(model)
    assert len(network.groups) == groups
    assert network.prunable_share >= least_share
    kept = reference.random_kept(network, 0.5, seed=0)
    small = extract(model, network, kept)
    (masked,) = reference.masked_outputs(model, network, kept, x)
    assert reference.relative_error(np.asarray(small(x)), masked) < 1e-6
    widths = {group: len(channels) for group, channels in kept.items()}
    for whole, at in ((model, network.channels), (small, widths)):
        assert macs(network).at(at) == reference.count_macs_by_running(whole, x)
        assert params(network).at(at) == whole.count_params()
    return small


def test_mobilenet_v2(tmp_path: Path) -> None:
    model = A.MobileNetV2((64, 64, 3), alpha=0.35, weights=None, classes=10, classifier_activation=None)
    small = check(model, 25, 0.99)
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras", compile=False, safe_mode=True)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3))
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(small(x)))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_families(name: str) -> None:
    build, groups, least_share = FAMILIES[name]
    side = SIDE.get(name, 64)
    check(build(input_shape=(side, side, 3), weights=None, classes=10, classifier_activation=None), groups, least_share)
