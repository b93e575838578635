"""The smallest network that loses at most the given points, if transforms decide levels of layers as well."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_framework import ToyFramework
from toy_plugins import toy_registry
from toy_runs import Interrupted, Listener, Workplace, settings, without_times
from toy_transforms import ToyBits, ToyRank, ToyTarget

from reds_core.errors import InputError
from reds_core.formulation.width_rules import WidthRules
from reds_core.framework.data import Arrays
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.loaded_model import LoadedModel
from reds_core.framework.target import ExportSource
from reds_core.framework.task import Task
from reds_core.plan import Plan, SubnetworkRecord, load_plan
from reds_core.registry import Registry
from reds_core.runs.splitting import split_validation

SEARCH = settings(
    transforms=("toy-bits",),
    targets=("toy-device",),
    holdout=0.4,
    finetune=FinetuneSettings(epochs=3, batch_size=16, learning_rate=0.05),
)


def registry() -> Registry:
    return toy_registry(ToyBits, ToyTarget)


def search(place: Workplace, limit: float, **changes: Any) -> Plan:
    asked: dict[str, Any] = {"budgets": None, "settings": SEARCH, "registry": registry(), "max_drop": limit}
    return place.prune(**(asked | changes))


def held_back(place: Workplace) -> Arrays:
    data = np.load(place.data)
    return split_validation(Arrays(data["x_train"], data["y_train"]), SEARCH.holdout, SEARCH.seed)[1]


def lowered(member: SubnetworkRecord) -> list[int]:
    return [level["weight_bits"] for level in (member.settings or {}).values() if level["weight_bits"] < 8]


def test_the_search_is_for_the_fewest_bytes_and_measures_networks_at_their_levels(place: Workplace) -> None:
    plan = search(place, 30.0)
    (member,), record = plan.subnetworks, plan.max_drop
    assert record is not None
    assert (record.resource, record.target) == ("weight_bytes", None)
    assert set(record.found.budget) == {"weight_bytes"}
    assert lowered(member)
    assert record.found.usage == member.usage
    assert member.usage["weight_bytes"] <= record.found.budget["weight_bytes"] * plan.full.usage["weight_bytes"]
    framework = ToyFramework()
    model = framework.load_model(
        place.out / str(member.files["keras"] if "keras" in member.files else next(iter(member.files.values())))
    )
    found = framework.accuracy(model, held_back(place), Task())
    assert record.found.accuracy == pytest.approx(found)
    assert record.found.drop_points is not None
    assert record.found.drop_points <= 30.0 + 1e-9


def test_fewer_bits_make_a_smaller_network_than_widths_alone(place: Workplace) -> None:
    sizes = []
    for transforms in ((), ("toy-bits",)):
        asked = dataclasses.replace(SEARCH, transforms=transforms)
        plan = search(
            place, 30.0, settings=asked, max_drop_resource="weight_bytes", out=place.folder / f"{len(transforms)}"
        )
        sizes.append(plan.subnetworks[0].usage["weight_bytes"])
    assert sizes[1] < sizes[0]


def test_other_resources_can_be_the_least(place: Workplace) -> None:
    plan = search(place, 30.0, max_drop_resource="macs", budgets={"weight_bytes": 0.6})
    assert plan.max_drop is not None
    assert set(plan.max_drop.found.budget) == {"macs", "weight_bytes"}
    assert plan.subnetworks[0].usage["weight_bytes"] <= 0.6 * plan.full.usage["weight_bytes"]


def test_a_network_that_may_lose_nothing_keeps_all_its_bits(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []

    def falling(self: ToyFramework, model: Any, data: Any, task: Task) -> float:
        calls.append(1.0)
        return 0.9 if len(calls) == 1 else 0.2

    monkeypatch.setattr(ToyFramework, "accuracy", falling)
    plan = search(place, 0.0)
    assert plan.max_drop is not None
    assert plan.max_drop.found.epochs == 0
    assert not lowered(plan.subnetworks[0])
    assert plan.subnetworks[0].usage == plan.full.usage


def test_the_drop_can_be_measured_on_the_files_of_a_target(place: Workplace) -> None:
    plan = search(place, 30.0, max_drop_target="toy-device")
    (member,), record = plan.subnetworks, plan.max_drop
    assert record is not None
    assert record.target == "toy-device"
    file = ToyTarget().load(ToyFramework(), place.out / str(member.files["toy-device"]))
    assert record.found.accuracy == pytest.approx(file.evaluate(held_back(place), Task()).metric)
    assert load_plan(place.out) == plan
    assert not (place.out / ".checkpoint").exists()


def test_networks_whose_layers_are_replaced_are_measured_as_files_hold_them(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Any] = []
    accuracy = ToyFramework.accuracy

    def listening(self: ToyFramework, model: Any, data: Any, task: Task) -> float:
        measured.append((model.copy(), data))
        return accuracy(self, model, data, task)

    monkeypatch.setattr(ToyFramework, "accuracy", listening)
    asked = dataclasses.replace(SEARCH, transforms=("toy-rank", "toy-bits"), widths=WidthRules(keep=("*",)))
    plugins = toy_registry(ToyRank, ToyBits, ToyTarget)
    for target in (None, "toy-device"):
        out = place.folder / str(target)
        least = {"max_drop_resource": "macs", "max_drop_target": target, "budgets": {"weight_bytes": 0.75}}
        plan = search(place, 99.0, settings=asked, registry=plugins, out=out, **least)
        (member,) = plan.subnetworks
        assert any(level.get("rank", 100) < 100 for level in (member.settings or {}).values())
        framework, held = ToyFramework(), held_back(place)
        model = framework.load_model(out / str(member.files["keras"]))
        if target is not None:
            file = ToyTarget().load(framework, out / str(member.files[target]))
            assert isinstance(file, LoadedModel)
            model = file.model
        assert any(_alike(model, other) for other, data in measured if len(data) == len(held))
        measured.clear()


def _alike(model: Any, other: Any) -> bool:
    return model.weights.keys() == other.weights.keys() and all(
        np.allclose(values, other.weights[name]) for name, values in model.weights.items()
    )


def test_a_stopped_search_ends_as_one_that_was_not_stopped(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = search(place, 30.0, max_drop_target="toy-device", out=tmp_path / "whole")
    export, calls = ToyTarget.export, list[Path]()

    def stopping(self: ToyTarget, source: ExportSource, path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise Interrupted
        export(self, source, path)

    monkeypatch.setattr(ToyTarget, "export", stopping)
    with pytest.raises(Interrupted):
        search(place, 30.0, max_drop_target="toy-device")
    assert len(calls) == 3
    found = search(place, 30.0, max_drop_target="toy-device", mode="resume")
    assert without_times(found).subnetworks == without_times(expected).subnetworks
    assert len({path for path in calls if "trial" in path.name}) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_drop_target": "tflite"}, "max_drop_target 'tflite' is not a target of the run; choose from: toy-device"),
        (
            {"max_drop": None, "max_drop_target": "toy-device", "budgets": {"macs": 0.5}},
            "max_drop_target is given without max_drop",
        ),
    ],
)
def test_targets_that_are_not_measured_are_refused(place: Workplace, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        search(place, 1.0, **changes, watcher=Listener())
    assert not place.out.exists()
