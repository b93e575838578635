"""Codebooks and masks from models to engines: the same bytes in plan, file and engine, and the same values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from engine_runs import check_bytes, check_values, odd_network, pruned
from engines import KernelObjects, compiled, compiler
from int8_graphs import examples, tflite_micro_outputs
from reds_c_engine.engine_device import CEngine
from reds_c_engine.member_weights import weight_bytes
from reds_c_engine.reference import run
from reds_litert.graph import read_graph
from reds_litert.kernel_packing import KernelPacking, kernel_packings_in
from reds_litert.schema import unpacked
from reds_tensorflow.framework import TensorFlowFramework

from reds_core.framework import Arrays, ExportSource
from reds_core.network import Weight, WeightKind
from reds_core.transforms import LevelSettings, UniformQuantiser

FRAMEWORK = TensorFlowFramework()
LEVELS: dict[str, dict[str, int]] = {
    "stem": {"clusters": 16},
    "spread": {"clusters": 4},
    "mixed": {"density_percent": 50},
    "last": {"clusters": 4, "density_percent": 25},
    "hidden": {"density_percent": 50, "weight_bits": 4},
    "classes": {"clusters": 16, "weight_bits": 4},
}
"""The levels of the layers of a network."""
PACKINGS = {
    "stem": KernelPacking(4, 16),
    "spread": KernelPacking(2, 4),
    "mixed": KernelPacking(8, density_percent=50),
    "last": KernelPacking(2, 4, 25),
    "hidden": KernelPacking(4, density_percent=50),
    "classes": KernelPacking(4, 16),
}
"""How they are packed."""
CHANNELS = {"stem": 13, "spread": 13, "mixed": 18, "last": 9, "hidden": 11, "classes": 5}
"""Their output channels."""


def at_levels(values: npt.NDArray[np.float32], of: Weight, levels: Mapping[str, int]) -> npt.NDArray[np.float32]:
    """A kernel whose smallest weights are 0, and of which each output channel has few values."""
    along = range(len(of.scales_along))
    rows = np.moveaxis(np.asarray(values, np.float64), of.scales_along, along)
    made = rows.reshape(math.prod(rows.shape[: len(along)]), -1).copy()
    if "density_percent" in levels:
        made[np.abs(made) < np.sort(np.abs(made), axis=None)[-(made.size * levels["density_percent"] // 100)]] = 0
    if "clusters" in levels:
        largest, steps = np.abs(made).max(axis=1, keepdims=True), levels["clusters"] // 2
        made = np.ceil(np.abs(made) / largest * steps) * np.sign(made) * largest / steps
    made = np.moveaxis(made.reshape(rows.shape), along, of.scales_along)
    bits = levels.get("weight_bits", 8)
    return (made if bits == 8 else UniformQuantiser(bits).quantised(made, of.scales_along)).astype(np.float32)


def test_a_file_has_the_bytes_and_the_values_of_its_engine(tmp_path: Path, objects: KernelObjects) -> None:
    model, (data, _) = odd_network()
    network = FRAMEWORK.inspect(model)
    weights = [
        at_levels(values, of, LEVELS[of.layer]) if of.kind is WeightKind.KERNEL else values
        for values, of in zip(FRAMEWORK.weights(model, network), network.weights, strict=True)
    ]
    FRAMEWORK.assign(model, network, weights)
    path, target = tmp_path / "coded.tflite", CEngine()
    target.export(ExportSource(FRAMEWORK, model, network, LevelSettings(LEVELS), Arrays(*data)), path)
    content = path.read_bytes()
    assert set(kernel_packings_in(unpacked(content)).values()) == set(PACKINGS.values())
    counted = sum(
        PACKINGS[of.layer].size_bytes(values.size, CHANNELS[of.layer]) + 8 * CHANNELS[of.layer]
        for values, of in zip(weights, network.weights, strict=True)
        if of.kind is WeightKind.KERNEL
    )
    engine = objects.linked([("full", content)], tmp_path / "engine")
    assert target.usage(path)["weight_bytes"] == counted == weight_bytes(engine.engine.family.members[0])
    inputs = examples(content, 12)
    expected = tflite_micro_outputs(content, inputs)
    assert len(np.unique(expected)) > 4
    np.testing.assert_array_equal(engine.outputs(0, inputs), expected)
    np.testing.assert_array_equal(run(read_graph(content), inputs), expected)


OF_RUNS: dict[str, Mapping[str, str]] = {
    "clustering": {"levels": "16,4,2"},
    "weight-bits": {"levels": "8,4"},
    "sparsity": {"sparsity": "50,75"},
}
"""The options of the transforms of runs."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "transforms", [["clustering", "weight-bits"], ["sparsity"], ["sparsity", "clustering"]], ids="-".join
)
def test_plan_files_and_engine_of_a_run_agree(transforms: list[str], tmp_path: Path) -> None:
    pytest.importorskip("reds_clustering", reason="needs the plugin clustering")
    pytest.importorskip("reds_sparsity", reason="needs the plugin sparsity")
    compiler()
    model, data = odd_network()
    budgets = {"macs": [0.8, 0.3], "weight_bytes": [0.55, 0.25]}
    options = {name: OF_RUNS[name] for name in transforms}
    family = pruned(model, data, budgets, tmp_path / "run", transforms, options)
    engine = compiled(family.contents, tmp_path / "engine")
    check_bytes(family, engine)
    check_values(family, engine, 12)
    found = [packing for _, content in family.contents for packing in kernel_packings_in(unpacked(content)).values()]
    levels = [each for member in family.plan.subnetworks for each in member.settings.values()]
    clusters = [level.get("clusters", 256) for level in levels]
    assert sorted(packing.clusters for packing in found if packing.clusters) == sorted(n for n in clusters if n < 256)
    sparse = [level.get("density_percent", 100) < 100 for level in levels]
    assert sum(packing.has_mask for packing in found) == sum(sparse)
    assert any(packing.clusters or packing.has_mask for packing in found)


def test_layers_and_levels_that_the_engine_cannot_store_are_refused_with_a_reason() -> None:
    import keras
    from keras import layers

    image = keras.Input((8, 8, 3))
    x = layers.ReLU(name="relu")(layers.Conv2D(4, 3, name="plain")(image))
    x = layers.DepthwiseConv2D(3, name="spread")(x)
    x = layers.BatchNormalization(name="norm")(layers.Flatten()(layers.SeparableConv2D(5, 3, name="separate")(x)))
    network = FRAMEWORK.inspect(keras.Model(image, layers.Dense(2, name="classes")(x)))
    refusal = CEngine().refusal
    assert [refusal(network, "plain", "clusters", level) for level in (2, 4, 16, 256)] == [None] * 4
    assert [refusal(network, "plain", "density_percent", level) for level in (1, 50, 100)] == [None] * 3
    assert refusal(network, "spread", "clusters", 4) is None
    assert (
        refusal(network, "relu", "density_percent", 50) is None
    )  # transforms that give all layers one level ask for all
    assert refusal(network, "plain", "clusters", 8) == "the C engine cannot store codebooks of 8 integers"
    assert "so few weights that a mask saves nothing" in str(refusal(network, "spread", "density_percent", 50))
    assert (
        refusal(network, "separate", "clusters", 4) == "the C engine cannot store codebooks of SeparableConv2D layers"
    )
    assert (
        refusal(network, "separate", "density_percent", 50)
        == "the C engine cannot store masks of SeparableConv2D layers"
    )
    for what in ("clusters", "density_percent"):
        assert "factors of the batch norm 'norm'" in str(refusal(network, "classes", what, 4))
