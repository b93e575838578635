"""Families with weights of 8, 4 and 2 bits: the same bytes in plan, file and engine, and the same values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow")
pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")

from engine_runs import Run, check_bytes, check_values, odd_network, pruned
from engines import CompiledEngine, compiled, compiler
from reds_litert.graph import read_graph
from reds_litert.kernel_operators import WITH_KERNELS
from reds_litert.kernel_packing import read_packed_graph
from reds_litert.schema import WEIGHTS

import reds_core

MODELS = Path(__file__).parents[3] / ".." / "shared" / "assets"
LEVELS = {"weight-bits": {"levels": "8,4,2"}}
BUDGETS: Mapping[str, list[float]] = {"macs": [0.8, 0.3], "weight_bytes": [0.5, 0.22]}


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A family of odd widths, whose rows do not fill whole bytes."""
    compiler()
    model, data = odd_network()
    return pruned(model, data, BUDGETS, tmp_path_factory.mktemp("packed") / "run", ["weight-bits"], LEVELS)


def chosen_bits(run: Run) -> set[int]:
    return {level for member in run.plan.subnetworks for each in member.settings.values() for level in each.values()}


@pytest.fixture(scope="module")
def engine(family: Run, tmp_path_factory: pytest.TempPathFactory) -> CompiledEngine:
    return compiled(family.contents, tmp_path_factory.mktemp("packed_engine"))


def test_plan_file_and_engine_have_the_same_bytes(family: Run, engine: CompiledEngine) -> None:
    assert chosen_bits(family) == {2, 4, 8}
    check_bytes(family, engine)


def test_engine_interpreter_and_reference_compute_the_same(family: Run, engine: CompiledEngine) -> None:
    check_values(family, engine, 24)


def test_files_hold_the_integers_of_the_chosen_bits(family: Run) -> None:
    for member, (_, content) in zip(family.plan.subnetworks, family.contents, strict=False):
        graph, plain = read_packed_graph(content), read_graph(content)
        kernels = [operator.inputs[WEIGHTS] for operator in graph.operators if operator.kind in WITH_KERNELS]
        assert {plain.tensors[index].bits for index in kernels} == {8}
        sites = ("stem", "spread", "mixed", "last", "hidden", "classes")
        assert [graph.tensors[index].bits for index in kernels] == [member.settings[s]["weight_bits"] for s in sites]
        for tensor in (graph.tensors[index] for index in kernels):
            assert tensor.data is not None
            assert np.abs(tensor.data).max() == (1 << (tensor.bits - 1)) - 1


def test_the_files_are_exported_profiled_and_evaluated(family: Run, tmp_path: Path) -> None:
    made = reds_core.export(family.folder, "c-engine", members="30", out=tmp_path / "engine", verbose=0)
    assert made.members == ("30", "full")
    member, full = (family.contents[0], family.contents[-1])
    assert made.weights_bytes == len(compiled([member, full], tmp_path / "two").engine.family.store)
    records = reds_core.profile(family.folder, "c-engine", verbose=0)
    assert [record.member for record in records] == [*(each.name for each in family.plan.subnetworks), "full"]
    assert records[0].flash_weights < records[-1].flash_weights
    path = family.folder / str(family.plan.subnetworks[0].files["c-engine"])
    found = reds_core.evaluate(path, family.data, verbose=0)
    assert found.value == family.plan.subnetworks[0].accuracy.exported["c-engine"]


@pytest.mark.slow
def test_a_network_that_hears_keywords_in_few_bits(tmp_path: Path) -> None:
    model, data = MODELS / "models" / "arm_kws_ds_cnn_s.keras", MODELS / "data" / "speech_commands.npz"
    if not model.exists() or not data.exists():
        pytest.skip(f"{model} or {data} is missing")
    budgets = {"macs": [0.75, 0.5, 0.25], "weight_bytes": [0.5, 0.3, 0.15]}
    found = pruned(model, data, budgets, tmp_path / "run", ["weight-bits"], LEVELS)
    assert {2, 4} <= chosen_bits(found)
    made = compiled(found.contents, tmp_path / "engine")
    check_bytes(found, made)
    check_values(found, made, 16)
