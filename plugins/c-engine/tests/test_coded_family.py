"""Families with weights that share a few values: the same bytes in plan, file and engine, and the same values."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")
pytest.importorskip("reds_clustering", reason="needs the plugin clustering")

from engine_runs import Run, check_bytes, check_values, odd_network, pruned
from engines import CompiledEngine, compiled, compiler
from reds_c_engine.engine_device import CEngine
from reds_litert.kernel_packing import kernel_packings_in
from reds_litert.schema import unpacked
from reds_tensorflow.framework import TensorFlowFramework

OPTIONS = {"clustering": {"levels": "16,4,2"}, "weight-bits": {"levels": "8,4"}}


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Run:
    compiler()
    model, data = odd_network()
    budgets = {"macs": [0.8, 0.3], "weight_bytes": [0.5, 0.2]}
    return pruned(
        model, data, budgets, tmp_path_factory.mktemp("coded") / "run", ["clustering", "weight-bits"], OPTIONS
    )


@pytest.fixture(scope="module")
def engine(family: Run, tmp_path_factory: pytest.TempPathFactory) -> CompiledEngine:
    return compiled(family.contents, tmp_path_factory.mktemp("coded_engine"))


def test_plan_file_and_engine_have_the_same_bytes(family: Run, engine: CompiledEngine) -> None:
    chosen = {each["clusters"] for member in family.plan.subnetworks for each in member.settings.values()}
    assert len(chosen & {2, 4, 16}) >= 2
    check_bytes(family, engine)


def test_engine_interpreter_and_reference_compute_the_same(family: Run, engine: CompiledEngine) -> None:
    check_values(family, engine, 12)


def test_files_record_the_chosen_codebooks(family: Run) -> None:
    for member, (_, content) in zip(family.plan.subnetworks, family.contents, strict=False):
        recorded = sorted(packing.clusters for packing in kernel_packings_in(unpacked(content)).values())
        levels = [(each["clusters"], each["weight_bits"]) for each in member.settings.values()]
        assert recorded == sorted(n if n < 256 else 0 for n, bits in levels if (n, bits) != (256, 8))


def test_layers_and_levels_that_the_engine_cannot_store_are_refused_with_a_reason() -> None:
    import keras
    from keras import layers

    image = keras.Input((8, 8, 3))
    x = layers.DepthwiseConv2D(3, name="spread")(layers.Conv2D(4, 3, name="plain")(image))
    x = layers.BatchNormalization(name="norm")(layers.Flatten()(layers.SeparableConv2D(5, 3, name="separate")(x)))
    network = TensorFlowFramework().inspect(keras.Model(image, layers.Dense(2, name="classes")(x)))
    refusal = CEngine().refusal
    assert [refusal(network, "plain", "clusters", level) for level in (2, 4, 16, 256)] == [None] * 4
    assert [refusal(network, "plain", "density", level) for level in (1, 50, 100)] == [None] * 3
    assert refusal(network, "spread", "clusters", 4) is None
    assert refusal(network, "plain", "clusters", 8) == "the C engine has no codebooks of 8 integers"
    assert "so few weights that a mask saves nothing" in str(refusal(network, "spread", "density", 50))
    assert refusal(network, "separate", "clusters", 4) == "the C engine stores no codebooks of SeparableConv2D layers"
    assert refusal(network, "separate", "density", 50) == "the C engine stores no masks of SeparableConv2D layers"
    for what in ("clusters", "density"):
        assert "factors of the batch norm 'norm'" in str(refusal(network, "classes", what, 4))
