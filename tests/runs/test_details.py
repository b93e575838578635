"""What runs write for their report: the details and the training curves."""

from __future__ import annotations

import dataclasses
import time
from functools import partial
from pathlib import Path

import pytest
from toy_plugins import BruteSolver
from toy_runs import (
    NO_TRAINING,
    QUICK,
    Interrupted,
    Tripwire,
    contents,
    make_workplace,
    settings,
    skip_report,
    tripping_registry,
)

from reds_core.framework.epochs import EpochState
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solver import Feature
from reds_core.plan import Plan
from reds_core.plan_details import Details, load_details
from reds_core.run_history import load_history
from reds_core.runs import api, exploring
from reds_core.runs.epoch_store import EpochStore
from reds_core.testing.problems import random_problem


def made(folder: Path) -> Details:
    found = load_details(folder)
    assert found is not None
    return found


def usage_of(plan: Plan) -> dict[str, dict[str, int]]:
    return {"full": dict(plan.full.usage)} | {each.name: dict(each.usage) for each in plan.subnetworks}


def test_layers_add_up_to_the_plan_and_memory_peaks_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    plan = place.prune(settings=NO_TRAINING, budgets={"macs": [0.75, 0.5], "peak_ram": [0.9, 0.8]})
    details = made(place.out)
    usage = usage_of(plan)
    assert [network.name for network in details.networks] == ["full", *(each.name for each in plan.subnetworks)]
    for network in details.networks:
        for resource in ("macs", "params"):
            assert sum(cost.usage[resource] for cost in network.layers) == usage[network.name][resource]
        assert max(step.total_bytes for step in network.memory) == usage[network.name]["peak_ram"]
        assert [cost.layer for cost in network.layers] == [layer.name for layer in details.layers]
    groups = {group.name: group.channels for group in plan.groups}
    small = plan.subnetworks[0].widths
    for layer, full, cost in zip(details.layers, details.networks[0].layers, details.networks[1].layers, strict=True):
        if layer.group is not None:
            assert (full.output_shape[-1], cost.output_shape[-1]) == (groups[layer.group], small[layer.group])


def test_budgets_are_explored_resource_by_resource(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    plan = place.prune(settings=NO_TRAINING, budgets={"macs": [0.75, 0.5], "peak_ram": [0.9, 0.8]})
    explorations = made(place.out).explorations
    assert [each.resource for each in explorations] == ["macs", "peak_ram"]
    for each in explorations:
        limits, values = [p.limit for p in each.points], [p.value for p in each.points]
        assert limits == sorted(set(limits))
        assert limits[-1] == plan.full.usage[each.resource]
        assert values == sorted(values)
        assert values[-1] == each.full_value
        for point in each.points:
            assert point.usage[each.resource] <= point.limit
            assert point.bound is not None
            assert point.value <= point.bound
    assert explorations[0].points[0].usage["macs"] == explorations[0].points[0].limit


def _given(entries: int, _: KnapsackProblem) -> int:
    return entries


def test_the_size_of_a_problem_decides_how_many_limits_are_explored(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {}
    for entries in (1, 2**19, 2**20, 2**22, 2**22 + 1):
        monkeypatch.setattr(exploring, "largest_table", partial(_given, entries))
        counts[entries] = exploring.points_of(random_problem(0, Feature.NONE))
    assert list(counts.values()) == [50, 50, 25, 10, 0]


def test_a_slow_machine_explores_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune(settings=NO_TRAINING)
    expected = made(place.out).explorations
    assert expected
    clock = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    limited = dataclasses.replace(NO_TRAINING, time_limit_s=1.0)
    place.prune(settings=limited, out=tmp_path / "slow")
    assert made(tmp_path / "slow").explorations == expected


def test_a_solver_whose_work_is_not_bounded_explores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    monkeypatch.setattr(BruteSolver, "memory_bounds_work", False)
    place = make_workplace(tmp_path)
    place.prune(settings=NO_TRAINING)
    assert made(place.out).explorations == ()


@pytest.mark.parametrize("pruner", ["nested", "layerwise", "progressive", "oneshot", "uniform"])
def test_every_pruner_has_details(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruner: str) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    plan = place.prune(settings=settings(pruner=pruner), budgets={"macs": [0.6]})
    details = made(place.out)
    assert bool(details.explorations) == any(each.solver for each in plan.subnetworks)
    rows = load_history(place.out)
    assert {row.step for row in rows} <= {step.name for step in plan.steps}
    assert len({(row.step, row.epoch) for row in rows}) == QUICK.finetune.epochs
    assert len(rows) == len({(row.step, row.epoch, row.network) for row in rows})


def test_recall_averages_to_accuracy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    plan = place.prune(settings=NO_TRAINING)
    classes = made(place.out).classes
    accuracy = {"before": plan.full.accuracy.before, "full": plan.full.accuracy.after}
    accuracy |= {each.name: each.accuracy.after for each in plan.subnetworks}
    count = sum(each.examples for each in classes)
    for network, figure in accuracy.items():
        assert sum(each.recall.get(network, 0) * each.examples for each in classes) / count == pytest.approx(figure)


def test_an_interrupted_run_ends_with_the_same_curves_and_details(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    place, other = make_workplace(tmp_path), tmp_path / "other"
    place.prune()
    expected = contents(place.out)
    assert load_history(place.out)
    original, saved = EpochStore.save, []

    def save(self: EpochStore, state: EpochState) -> None:
        original(self, state)
        saved.append(state.done)
        if len(saved) == 1:
            raise Interrupted

    monkeypatch.setattr(EpochStore, "save", save)
    with pytest.raises(Interrupted):
        place.prune(out=other)
    assert saved == [1]
    place.resume(out=other)
    assert saved == [1, 2]
    found = contents(other)
    assert {name: found[name] for name in ("details.json", "history.csv")} == {
        name: expected[name] for name in ("details.json", "history.csv")
    }


def test_an_extraction_adds_its_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune()
    before = load_history(place.out)
    added = api.extract(place.out, {"macs": 0.4}, finetune_epochs=2, registry=tripping_registry(Tripwire()))
    details = made(place.out)
    assert [each.name for each in details.networks] == ["full", "25", "40", "50", "75"]
    assert all("40" in each.recall for each in details.classes if each.examples)
    member = details.networks[2]
    assert sum(cost.usage["macs"] for cost in member.layers) == added.usage["macs"]
    rows = load_history(place.out)
    assert rows[: len(before)] == before
    assert [(row.step, row.epoch, row.network) for row in rows[len(before) :]] == [
        ("extract 40", 1, "40"),
        ("extract 40", 2, "40"),
    ]


def test_overwriting_removes_the_curves_of_the_earlier_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune()
    place.prune(settings=NO_TRAINING, mode="overwrite")
    assert load_history(place.out) == ()
    assert not (place.out / "history.csv").exists()
