"""Runs that decide bits of weights together with widths, on a real network with real files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reds_core
from reds_core import Plan, load_plan

OPTIONS = {"weight-bits": {"levels": "8,4"}}
BUDGETS = {"macs": [0.8, 0.5], "weight_bytes": [0.6, 0.4]}
ASKED: dict[str, Any] = {
    "transforms": "weight-bits",
    "targets": "tflite-int8",
    "options": OPTIONS,
    "finetune_epochs": 2,
    "verbose": 0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network of a few convolutions, trained for two epochs, and a finished run."""
    keras = pytest.importorskip("keras")
    pytest.importorskip("reds_quantization")
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 1))
    for filters in (8, 16):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(10)(x))
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(digits.images[:1400, ..., None] / 16, digits.target[:1400], epochs=2, verbose=0)
    where = tmp_path_factory.mktemp("levels")
    model.save(where / "model.keras")
    reds_core.prune(where / "model.keras", "digits", BUDGETS, where / "run", **ASKED)
    return where


@pytest.fixture(scope="module")
def plan(folder: Path) -> Plan:
    return load_plan(folder / "run")


def kernels(model: Any) -> dict[str, Any]:
    return {layer.name: layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")}


def test_both_budgets_are_met_and_nested(plan: Plan) -> None:
    assert plan.format == "reds-plan/2"
    small, large = plan.subnetworks
    for member, macs, weight_bytes in ((small, 0.5, 0.4), (large, 0.8, 0.6)):
        assert member.usage["macs"] <= macs * plan.full.usage["macs"]
        assert member.usage["weight_bytes"] <= weight_bytes * plan.full.usage["weight_bytes"]
    assert all(small.widths[group] <= large.widths[group] for group in small.widths)
    levels = {levels["weight_bits"] for member in plan.subnetworks for levels in member.settings.values()}
    assert levels <= {4, 8}
    assert 4 in levels


def test_saved_models_have_integers_of_their_bits_times_a_scale(plan: Plan) -> None:
    for member in plan.subnetworks:
        for layer, kernel in kernels(member.load()).items():
            if member.levels.at(layer, "weight_bits") == 4:
                columns = kernel.reshape(-1, kernel.shape[-1]).T
                assert max(len(np.unique(column)) for column in columns) <= 15
    assert all(len(np.unique(kernel)) > 60 for kernel in kernels(plan.full.load()).values())


def test_the_int8_files_are_written_and_accurate(plan: Plan, folder: Path) -> None:
    for member in plan.subnetworks:
        assert member.files.keys() == {"keras", "tflite-int8"}
        assert (folder / "run" / str(member.files["tflite-int8"])).stat().st_size > 0
        after, exported = member.accuracy.after, member.accuracy.exported["tflite-int8"]
        assert after is not None
        assert exported is not None
        assert abs(after - exported) < 0.05


def test_a_run_without_training_is_projected_after_training(folder: Path) -> None:
    plan = reds_core.prune(
        folder / "model.keras", "digits", BUDGETS, folder / "untrained", **(ASKED | {"finetune_epochs": 0})
    )
    for member in plan:
        for layer, kernel in kernels(member.load()).items():
            if member.levels.at(layer, "weight_bits") == 4:
                columns = kernel.reshape(-1, kernel.shape[-1]).T
                assert max(len(np.unique(column)) for column in columns) <= 15


def test_a_member_is_added_to_the_run(folder: Path) -> None:
    member = reds_core.extract(folder / "run", {"macs": 0.65, "weight_bytes": 0.5}, verbose=0)
    assert member.usage["weight_bytes"] <= 0.5 * load_plan(folder / "run").full.usage["weight_bytes"]
    assert member.settings
