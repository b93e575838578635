"""What int8 files may lose, and which layers keep more exact numbers where they lose more."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from toy_framework import ToyFramework
from toy_plugins import toy_registry
from toy_runs import QUICK, Listener, Workplace, settings
from toy_targets import ToyFloat, ToyInt8

import reds_core
from reds_core.errors import InfeasibleError, InputError
from reds_core.framework.data import Arrays, Data
from reds_core.framework.exported import ExportedFigures, ExportedModel
from reds_core.framework.fallback import Fallback
from reds_core.framework.framework import Framework
from reds_core.framework.target import ExportSource
from reds_core.framework.task import Task
from reds_core.plan import load_plan
from reds_core.report.facts import gather
from reds_core.report.run_tables import results_table
from reds_core.runs.int8_gate import fewest

LAYERS = ("first", "second", "third", "fourth")
LOSSES = {"first": 0.04, "second": 0.03, "third": 0.0, "fourth": 0.01}
"""What 8 bits cost in each layer."""
GATED = settings(int8_drop=2.0)


class MixedFile(ExportedModel):
    """A file whose accuracy depends on the layers that have 8 bits, which are in its content."""

    def __init__(self, path: Path) -> None:
        text = path.read_text("latin-1")
        kept = text.rpartition("kept:")[2].split(",") if "kept:" in text else []
        self._accuracy = 0.9 - sum(loss for layer, loss in LOSSES.items() if layer not in kept)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        return (None,)

    def check_data(self, data: Data, what: str) -> Data:
        return data

    def evaluate(self, data: Data, task: Task) -> ExportedFigures:
        assert isinstance(data, Arrays)
        return ExportedFigures(self._accuracy, 0.0, len(data))

    def run(self, x: Any) -> Any:
        raise NotImplementedError


class Layers(Fallback):
    @property
    def layers(self) -> tuple[str, ...]:
        return LAYERS

    def write(self, kept: Collection[str], path: Path) -> None:
        path.write_text("kept:" + ",".join(kept), "latin-1")

    def latency_ns(self, path: Path) -> float | None:
        return 1e6


class Mixing(ToyInt8):
    fallbacks = ("float", "16x8")

    def fallback(self, source: ExportSource, numbers: str) -> Fallback:
        return Layers()

    def load(self, framework: Framework, path: Path) -> ExportedModel:
        return MixedFile(path)


class Exact(ToyFramework):
    """Models are right on 9 of 10 examples."""

    def accuracy(self, model: Any, data: Any, task: Task) -> float:
        return 0.9


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("fallbacks", "fallback", "load"):
        monkeypatch.setattr(ToyInt8, name, vars(Mixing)[name])
    return toy_registry(framework=Exact)


def test_a_file_that_loses_too_much_is_warned_of(place: Workplace, registry: Any) -> None:
    listener = Listener()
    plan = place.prune(registry=registry, watcher=listener, settings=GATED, budgets={"macs": [0.5]})
    gate = plan.subnetworks[0].gates["tflite_int8"]
    assert (gate.limit_points, gate.data, gate.numbers, gate.kept) == (2.0, "held-back", None, ())
    assert (gate.exact, gate.all_int8, gate.accuracy) == (0.9, pytest.approx(0.82), pytest.approx(0.82))
    assert gate.drop_points == pytest.approx(8.0)
    assert not gate.is_held
    found = [text for text in listener.warnings if "held-back examples" in text]
    assert len(found) == 1
    assert found[0].startswith("'subnet-50-int8.tflite' loses 8.00 points by quantisation to int8 on ")
    assert load_plan(place.out) == plan


def test_a_file_that_loses_little_is_measured_and_stays_as_it_is(place: Workplace, registry: Any) -> None:
    listener = Listener()
    asked = settings(int8_drop=8.0, fallback="float")
    plan = place.prune(registry=registry, watcher=listener, settings=asked, budgets={"macs": [0.5]})
    gate = plan.subnetworks[0].gates["tflite_int8"]
    assert gate.is_held
    assert gate.numbers is None
    assert not [text for text in (*listener.warnings, *listener.notes) if "held-back examples" in text]


@pytest.mark.parametrize(
    ("limit", "kept"),
    [(7.0, ("second",)), (4.0, ("first",)), (1.0, ("first", "second")), (0.0, ("first", "second", "fourth"))],
)
def test_the_fewest_sensitive_layers_fall_back(
    place: Workplace, registry: Any, limit: float, kept: tuple[str, ...]
) -> None:
    listener = Listener()
    asked = settings(int8_drop=limit, fallback="float")
    plan = place.prune(registry=registry, watcher=listener, settings=asked, budgets={"macs": [0.5]})
    gate = plan.subnetworks[0].gates["tflite_int8"]
    expected = ("first",) if limit == 7.0 else kept  # the most sensitive layer alone is enough
    assert (gate.numbers, gate.kept, gate.layers) == ("float", expected, 4)
    assert gate.drop_points <= limit + 1e-9
    content = (place.out / "subnet-50-int8.tflite").read_text("latin-1")
    assert content == "kept:" + ",".join(expected)
    assert gate.latency_ns == gate.latency_all_int8_ns == 1e6
    assert plan.subnetworks[0].accuracy.exported["tflite_int8"] == pytest.approx(0.9 - gate.drop_points / 100)
    note = next(text for text in listener.notes if "held-back examples" in text)
    assert f"has float32 in {len(expected)} of 4 layers (first" in note
    assert "bytes more, and 1 ms on this machine instead of 1 ms" in note
    assert not list(place.out.glob(".*trial*"))


def test_inputs_have_more_exact_numbers_only_if_layers_are_not_enough(
    place: Workplace, registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Layers, "layers", property(lambda self: LAYERS[1:]))
    monkeypatch.setattr(Layers, "inputs", property(lambda self: LAYERS[:1]), raising=False)
    listener = Listener()
    kept = {}
    for limit in (4.5, 3.0):
        asked = settings(int8_drop=limit, fallback="float")
        plan = place.prune(
            registry=registry, watcher=listener, settings=asked, budgets={"macs": [0.5]}, out=place.folder / f"{limit}"
        )
        gate = plan.subnetworks[0].gates["tflite_int8"]
        kept[limit] = gate.inputs, gate.kept
    assert kept == {4.5: ((), ("second", "fourth")), 3.0: (("first",), ("second",))}
    assert "and at its input" in listener.notes[-1]


def test_a_limit_that_no_layers_hold_leaves_the_file_in_8_bits(
    place: Workplace, registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Layers, "layers", property(lambda self: LAYERS[1:]))
    listener = Listener()
    asked = settings(int8_drop=1.0, fallback="16x8")
    plan = place.prune(registry=registry, watcher=listener, settings=asked, budgets={"macs": [0.5]})
    assert plan.subnetworks[0].gates["tflite_int8"].kept == ()
    assert any("still does with activations of 16 bits in all its layers" in text for text in listener.warnings)
    assert not (place.out / "subnet-50-int8.tflite").read_bytes().startswith(b"kept:")


def test_a_strict_run_fails_after_everything_is_written(place: Workplace, registry: Any) -> None:
    asked = settings(int8_drop=1.0, strict=True)
    with pytest.raises(
        InfeasibleError, match=r"'subnet-50-int8.tflite' loses 8.00 points by quantisation to int8.*all files are in"
    ):
        place.prune(registry=registry, settings=asked, budgets={"macs": [0.5]})
    assert load_plan(place.out).subnetworks[0].gates
    assert (place.out / "subnet-50-int8.tflite").is_file()


def test_a_member_that_is_added_passes_the_gate_as_well(place: Workplace, registry: Any) -> None:
    asked = settings(int8_drop=1.0, fallback="float")
    place.prune(registry=registry, settings=asked, budgets={"macs": [0.5]})
    member = reds_core.extract(place.out, 0.4, registry=registry, watcher=Listener())
    assert member.gates["tflite_int8"].kept == ("first", "second")


def test_plans_without_a_gate_say_nothing_of_it(place: Workplace) -> None:
    plan = place.prune(budgets={"macs": [0.5]})
    content = json.loads((place.out / "plan.json").read_text())
    assert "gates" not in content["subnetworks"][0]
    assert not {"int8_drop", "fallback", "calibration"} & set(plan.options)


@pytest.mark.parametrize(
    ("changes", "more", "message"),
    [
        ({"int8_drop": 1.0, "int8": False}, {}, "int8_drop limits what int8 files lose, and none are written"),
        ({"int8_drop": 1.0, "targets": ("tflite",)}, {}, "int8_drop limits what int8 files lose, and none are written"),
        (
            {"int8_drop": 1.0, "fallback": "float"},
            {},
            "target 'tflite-int8' writes files whose layers all have the same",
        ),
    ],
)
def test_gates_that_no_file_passes_are_refused(
    place: Workplace, changes: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        place.prune(settings=settings(**changes), budgets={"macs": [0.5]}, **more)
    assert not place.out.exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fallback": "float"}, "fallback is given without int8_drop"),
        ({"int8_drop": -1.0}, "is not a number of points from 0 to below 100"),
        ({"int8_drop": 1.0, "fallback": "int4"}, "fallback is 'int4'"),
    ],
)
def test_settings_out_of_range(place: Workplace, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        place.prune(**given)


def test_the_search_for_the_fewest_layers() -> None:
    names = tuple("abcdefgh")

    def needing(*needed: str) -> Any:
        return lambda kept: set(needed) <= set(kept)

    assert fewest(names, needing("a")) == ("a",)
    assert fewest(names, needing("f")) == ("f",)
    assert fewest(names, needing("b", "g")) == ("b", "g")
    assert fewest(names, needing("h")) == ("h",)
    assert fewest(names, needing("z")) is None
    assert fewest((), needing("a")) is None


def test_the_float_file_is_not_measured(place: Workplace, registry: Any) -> None:
    plan = place.prune(registry=registry, settings=GATED, budgets={"macs": [0.5]})
    assert list(plan.subnetworks[0].gates) == [ToyInt8.file.in_version_1.name]
    assert ToyFloat.file.name not in plan.subnetworks[0].gates
    assert QUICK.int8_drop is None


def test_the_report_says_what_files_lose_and_which_layers_fell_back(place: Workplace, registry: Any) -> None:
    asked = settings(int8_drop=4.0, fallback="float")
    plan = place.prune(registry=registry, settings=asked, budgets={"macs": [0.5]})
    block = results_table(gather(plan, place.out)).blocks[-1]
    assert block.title == "Loss to int8 on held-back data, at most 4 points"
    texts = {row.heading.text: [cell.text for cell in row.cells] for row in block.rows}
    assert [cells[1] for heading, cells in texts.items() if heading.endswith("points lost")] == ["4.00"]
    assert texts["with all layers in 8 bits"][1] == "8.00"
    assert texts["layers with more exact numbers"][1] == "1 of 4 (float)"
    plain = place.prune(mode="overwrite", budgets={"macs": [0.5]})
    assert not [b for b in results_table(gather(plain, place.out)).blocks if b.title.startswith("Loss to int8")]
