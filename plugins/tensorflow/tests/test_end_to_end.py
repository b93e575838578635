"""The main job from a real model to files: budgets recounted, nesting, reload without reds, accuracy."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from keras_reference import count_macs, count_macs_by_running, masked_outputs
from reds_tensorflow.framework import TensorFlowFramework
from stock_scripts import STOCK_KERAS, STOCK_LITERT

import reds_core
from reds_core import Plan, RunSettings, load_details, load_history, load_plan
from reds_core.framework import FinetuneSettings

ASSETS = Path(__file__).resolve().parents[3].parent / "shared" / "assets"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on digits, with a network that is trained for two epochs only."""
    out = tmp_path_factory.mktemp("run")
    x = inputs = keras.Input((8, 8, 1))
    x = layers.Rescaling(1 / 16)(x)
    for block, filters in enumerate((12, 16)):
        start = keras.initializers.HeNormal(seed=block)
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=start)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(10, kernel_initializer=keras.initializers.GlorotUniform(seed=9))(x))
    settings = RunSettings(finetune=FinetuneSettings(epochs=2))
    budgets = {"macs": [0.75, 0.4], "params": [0.8, 0.5], "peak_ram": 1.0}
    reds_core.prune(model, "digits", budgets, out, settings=settings)
    return out


@pytest.fixture(scope="module")
def plan(folder: Path) -> Plan:
    return load_plan(folder)


def test_budgets_hold_as_recounted_on_the_exported_files(folder: Path, plan: Plan) -> None:
    for s in plan.subnetworks:
        assert s.files["keras"] is not None
        model = keras.saving.load_model(folder / s.files["keras"])
        macs, params = count_macs(model), model.count_params()
        assert (macs, params) == (s.usage["macs"], s.usage["params"])
        assert macs <= s.budget["macs"] * plan.full.usage["macs"]
        assert params <= s.budget["params"] * plan.full.usage["params"]
        assert s.usage["peak_ram"] <= plan.full.usage["peak_ram"]


def test_kept_channels_are_nested(plan: Plan) -> None:
    for small, large in pairwise(plan.subnetworks):
        for group, channels in small.kept.items():
            assert channels == large.kept[group][: len(channels)]


def test_subnetworks_share_the_weights_of_the_nested_network(folder: Path, plan: Plan) -> None:
    full = keras.saving.load_model(folder / "nested.keras")
    for s in plan.subnetworks:
        assert s.files["keras"] is not None
        member = keras.saving.load_model(folder / s.files["keras"])
        for layer in full.layers:
            own = member.get_layer(layer.name)
            for shared, cut in zip(layer.trainable_variables, own.trainable_variables, strict=True):
                assert np.array_equal(np.asarray(shared)[tuple(slice(n) for n in cut.shape)], np.asarray(cut))


def test_every_file_loads_without_reds(folder: Path, plan: Plan) -> None:
    models = [str(folder / "nested.keras"), *(str(folder / str(s.files["keras"])) for s in plan.subnetworks)]
    device = [str(folder / str(f)) for s in plan.subnetworks for f in (s.files["tflite"], s.files["tflite_int8"])]
    for script, paths in ((STOCK_KERAS, models), (STOCK_LITERT, device)):
        done = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_accuracies_are_those_of_the_files(folder: Path, plan: Plan) -> None:
    data = reds_core.load_data("digits", TensorFlowFramework())
    for s in plan.subnetworks:
        outputs = keras.saving.load_model(folder / str(s.files["keras"])).predict(data.test.x, verbose=0)
        assert s.accuracy.after == pytest.approx(float((outputs.argmax(1) == data.test.y).mean()), abs=1e-6)
        assert s.accuracy.exported["tflite"] == pytest.approx(s.accuracy.after, abs=0.01)


def test_details_and_curves_are_those_of_the_plan(folder: Path, plan: Plan) -> None:
    details, rows = load_details(folder), load_history(folder)
    assert details is not None
    assert [network.name for network in details.networks] == ["full", *(s.name for s in plan.subnetworks)]
    for network, s in zip(details.networks, (plan.full, *plan.subnetworks), strict=True):
        for resource in ("macs", "params"):
            assert sum(cost.usage[resource] for cost in network.layers) == s.usage[resource]
        assert max(step.total_bytes for step in network.memory) == s.usage["peak_ram"]
    count = sum(each.examples for each in details.classes)
    for name, figure in (("full", plan.full.accuracy.after), *((s.name, s.accuracy.after) for s in plan.subnetworks)):
        assert sum(each.recall[name] * each.examples for each in details.classes) / count == pytest.approx(figure)
    assert {each.resource for each in details.explorations} == {"macs", "params", "peak_ram"}
    names = [*(s.name for s in plan.subnetworks), "full"]
    assert [(row.epoch, row.network) for row in rows] == [(epoch, name) for epoch in (1, 2) for name in names]
    assert all(row.val_metric is not None for row in rows)
    assert all((row.loss is not None) == (row.network == "full") for row in rows)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_plan(folder: Path, plan: Plan, tmp_path: Path) -> None:
    settings = RunSettings(finetune=FinetuneSettings(epochs=0), targets=("tflite",))
    nested = folder / "nested.keras"
    plans = [
        reds_core.prune(nested, "digits", {"macs": [0.6, 0.3]}, tmp_path / name, settings=settings) for name in "ab"
    ]
    first, second = ([(s.widths, s.kept, s.value, s.accuracy) for s in p.subnetworks] for p in plans)
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_digits_lose_less_than_three_points_at_a_quarter(tmp_path: Path, seed: int) -> None:
    settings = RunSettings(seed=seed)
    plan = reds_core.prune(None, "digits", {"macs": [0.75, 0.5, 0.25]}, tmp_path, settings=settings)
    before = plan.full.accuracy.before
    assert before is not None
    assert before >= 0.97
    quarter = plan.subnetworks[0].accuracy.after
    assert quarter is not None
    assert quarter > before - 0.03


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("arm_kws_cnn_s.keras", marks=pytest.mark.slow),
        pytest.param("arm_kws_dnn_s.keras", marks=pytest.mark.slow),
        "arm_kws_ds_cnn_s.keras",
        pytest.param("mlperf_tiny_resnet8_cifar10.h5", marks=pytest.mark.slow),
        pytest.param("mlperf_tiny_streaming_wakeword.keras", marks=pytest.mark.slow),
        pytest.param("mlperf_tiny_vww_96.keras", marks=pytest.mark.slow),
    ],
)
def test_real_models_keep_their_promises_without_data(tmp_path: Path, name: str) -> None:
    path = ASSETS / "models" / name
    if not path.exists():
        pytest.skip("the real models are not here")
    settings = RunSettings(scorer="magnitude", finetune=FinetuneSettings(epochs=0))
    plan = reds_core.prune(path, None, {"macs": [0.5, 0.25], "params": 0.9}, tmp_path, settings=settings)
    framework = TensorFlowFramework()
    model = framework.load_model(path)
    network = framework.inspect(model)
    x = np.random.default_rng(0).normal(size=(8, *model.input_shape[1:])).astype(np.float32)
    for s in plan.subnetworks:
        member = keras.saving.load_model(tmp_path / str(s.files["keras"]))
        assert count_macs(member) == s.usage["macs"] <= s.budget["macs"] * plan.full.usage["macs"]
        assert member.count_params() == s.usage["params"] <= 0.9 * plan.full.usage["params"]
        kept = {group: np.array(channels) for group, channels in s.kept.items()}
        expected = masked_outputs(model, network, kept, x)[0]
        assert s.files["tflite_int8"] is None
        error = np.abs(framework.predict(member, x) - np.asarray(expected)).max()
        assert error <= 1e-4 * np.ptp(framework.predict(model, x))


def test_models_of_several_inputs_and_outputs_are_pruned_without_data(tmp_path: Path) -> None:
    """Nothing but the loss needs to know which output is which."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(6, 3), layers.Flatten(), layers.Dense(8)])
    left, right = keras.Input((8, 8, 1), name="left"), keras.Input((8, 8, 1), name="right")
    apart = keras.ops.abs(encoder(left) - encoder(right))
    model = keras.Model([left, right], {"far": layers.Dense(1)(apart), "kind": layers.Dense(3)(encoder(left))})
    settings = RunSettings(scorer="magnitude", finetune=FinetuneSettings(epochs=0))
    plan = reds_core.prune(model, None, {"macs": [0.5]}, tmp_path, settings=settings)
    (half,) = plan.subnetworks
    member = keras.saving.load_model(tmp_path / str(half.files["keras"]))
    x = list(np.random.default_rng(0).normal(size=(2, 8, 8, 8, 1)).astype(np.float32))
    assert count_macs_by_running(member, *x) == half.usage["macs"] <= 0.5 * plan.full.usage["macs"]
    network = TensorFlowFramework().inspect(model)
    kept = {group: np.array(channels) for group, channels in half.kept.items()}
    for actual, expected in zip(member(x).values(), masked_outputs(model, network, kept, *x), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-4)
    assert (tmp_path / str(half.files["tflite"])).exists()
    assert half.files["tflite_int8"] is None
