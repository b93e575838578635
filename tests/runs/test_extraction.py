"""One more member of a finished family: within its budget, between its neighbours, without training."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_framework import ToyFramework, describe, residual_model
from toy_plugins import BruteSolver, IdleSolver, toy_registry
from toy_runs import NO_TRAINING, QUICK, Listener, Workplace, contents, make_workplace, skip_report

from reds_core.cost import resources
from reds_core.errors import InfeasibleError, InputError, NoChoiceError
from reds_core.framework.profile_records import ProfileRecord, load_profiles, save_profiles
from reds_core.framework.task import Task
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer, Status
from reds_core.knapsack.solver import Controls
from reds_core.plan import Plan, load_plan
from reds_core.runs.dataset import load_data
from reds_core.runs.extraction import extract
from reds_core.runs.extraction_request import ExtractionRequest
from reds_core.runs.saved_plan import SavedSubnetwork
from reds_core.watcher import Watcher

TOY = ToyFramework()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune(budgets={"macs": [0.25, 0.75]})
    return place


def more(
    place: Workplace, *budgets: str, watcher: Watcher | None = None, registry: Any = None, **asked: Any
) -> SavedSubnetwork:
    request = ExtractionRequest(budgets, **asked)
    return extract(place.out, request, registry or toy_registry(), watcher or Watcher())


def full_usage() -> dict[str, int]:
    network = describe(residual_model())
    return resources.usage(network, network.channels)


def check_nested(plan: Plan) -> None:
    for small, large in itertools.pairwise(plan.subnetworks):
        assert all(small.widths[g] <= large.widths[g] for g in small.widths)
        assert all(set(small.kept[g]) <= set(large.kept[g]) for g in small.kept)


@pytest.mark.parametrize(
    ("budget", "name", "position"),
    [
        ("macs=0.5", "50", 1),
        ("macs=0.2", "20", 0),
        ("macs=0.9", "90", 2),
        ("params=0.5", "50", 1),
        ("macs=1", "100", 2),
    ],
)
def test_the_new_member_stands_between_its_neighbours(place: Workplace, budget: str, name: str, position: int) -> None:
    before = load_plan(place.out)
    record = more(place, budget)
    plan = load_plan(place.out)
    assert [s.name for s in plan.subnetworks].index(name) == position
    assert plan.subnetworks[position] == record
    assert tuple(s for s in plan.subnetworks if s != record) == before.subnetworks
    check_nested(plan)
    resource, share = budget.split("=")
    assert record.usage[resource] <= int(float(share) * full_usage()[resource])
    exported = TOY.load_model(place.out / str(record.files["keras"]))
    own = describe(exported)
    assert own.channels == record.widths
    assert resources.usage(own, own.channels) == record.usage


def test_a_member_under_several_budgets(place: Workplace) -> None:
    record = more(place, "macs=0.6", "peak_ram=36")
    assert record.name == "60"
    assert record.usage["peak_ram"] <= 36
    assert record.usage["macs"] <= int(0.6 * full_usage()["macs"])
    assert record.budget == {"macs": 0.6, "peak_ram": 36}


def test_weights_are_those_of_the_member_above(place: Workplace) -> None:
    record = more(place, "macs=0.5")
    above = TOY.load_model(place.out / "subnet-75.keras")
    mine = TOY.load_model(place.out / "subnet-50.keras")
    width = record.widths["stem"]
    np.testing.assert_array_equal(mine.weights["stem/kernel"], above.weights["stem/kernel"][:, :width])
    np.testing.assert_array_equal(mine.weights["norm/gamma"], above.weights["norm/gamma"][:width])


def test_statistics_are_measured_on_training_data(place: Workplace) -> None:
    """Those of the member above belong to other activations. The toy framework measures 1 % more each time."""
    member = more(place, "macs=0.5")
    above = TOY.load_model(place.out / "subnet-75.keras").weights["norm/mean"][: member.widths["stem"]]
    np.testing.assert_allclose(member.load().weights["norm/mean"], 1.01 * above, rtol=1e-6)


def test_statistics_stay_where_they_cannot_be_measured_or_the_run_kept_them(place: Workplace, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_workplace(tmp_path / "other")
    other.prune(
        budgets={"macs": [0.25, 0.75]},
        settings=dataclasses.replace(QUICK, finetune=dataclasses.replace(QUICK.finetune, recalibrate=False)),
    )
    place.data.unlink()
    for each in (place, other):
        member = more(each, "macs=0.5")
        above = TOY.load_model(each.out / "subnet-75.keras").weights["norm/mean"][: member.widths["stem"]]
        np.testing.assert_array_equal(member.load().weights["norm/mean"], above)


def test_above_all_members_weights_are_those_of_the_full_network(place: Workplace) -> None:
    record = more(place, "macs=0.95")
    nested, mine = TOY.load_model(place.out / "nested.keras"), TOY.load_model(place.out / "subnet-95.keras")
    width = record.widths["stem"]
    np.testing.assert_array_equal(mine.weights["stem/kernel"], nested.weights["stem/kernel"][:, :width])
    np.testing.assert_allclose(mine.weights["norm/mean"], 1.01 * nested.weights["norm/mean"][:width], rtol=1e-6)


def test_figures_of_the_new_member(place: Workplace) -> None:
    record = more(place, "macs=0.5")
    test = load_data(str(place.data), TOY).test
    mine = TOY.load_model(place.out / "subnet-50.keras")
    task = Task()
    assert record.accuracy.after == TOY.accuracy(mine, test, task)
    assert record.accuracy.before is not None
    exported = record.accuracy.exported
    assert exported["tflite"] == TOY.exported_accuracy(place.out / "subnet-50.tflite", test, task)
    assert exported["tflite_int8"] == TOY.exported_accuracy(place.out / "subnet-50-int8.tflite", test, task)
    assert record.status == "optimal"
    assert record.value == record.bound
    assert record.bound_independent is not None
    assert record.value is not None
    assert record.bound_independent >= record.value


def test_the_value_compares_with_those_of_the_run(place: Workplace) -> None:
    """Asked with the budget of a member under another name, the same choice has the same value."""
    plan = load_plan(place.out)
    member = plan.subnetworks[0]
    again = more(place, f"macs={member.usage['macs']}")
    assert again.widths == member.widths
    assert again.kept == member.kept
    assert again.value == member.value


def test_members_can_be_added_one_after_the_other_in_any_order(place: Workplace) -> None:
    for budget in ("macs=0.6", "macs=0.3", "macs=0.9", "macs=0.5", "params=0.4", "peak_ram=41"):
        more(place, budget)
    plan = load_plan(place.out)
    assert len(plan.subnetworks) == 8
    check_nested(plan)
    used = [s.usage["macs"] for s in plan.subnetworks]
    assert used == sorted(used)


def test_the_kept_channels_are_named_as_in_the_input_model(place: Workplace) -> None:
    record = more(place, "macs=1")
    assert {g: sorted(k) for g, k in record.kept.items()} == {"stem": list(range(6)), "inside": list(range(5))}
    full = load_plan(place.out).subnetworks[1].kept
    assert record.kept["inside"][: len(full["inside"])] == full["inside"]


@pytest.mark.parametrize(
    ("budgets", "why"),
    [
        (["macs=0.25"], "already holds a subnetwork '25'"),
        (["macs=0.4,0.5"], "2 budgets are given"),
        (["macs=zero"], "malformed"),
        (["mcas=0.5"], "unknown resource 'mcas'"),
        ([], "no budget is given"),
    ],
)
def test_budgets_that_are_refused(place: Workplace, budgets: list[str], why: str) -> None:
    before = contents(place.out)
    with pytest.raises(InputError, match=why):
        more(place, *budgets)
    assert contents(place.out) == before


def test_a_budget_out_of_reach(place: Workplace) -> None:
    with pytest.raises(
        InfeasibleError, match=r"budget '1': macs is limited to 2, but the least that can be reached is \d+"
    ):
        more(place, "macs=1%")


def test_a_budget_that_does_not_bind_is_remarked(place: Workplace) -> None:
    heard = Listener()
    more(place, "MACS=1G", watcher=heard)
    assert [w for w in heard.warnings if "budget '1G' does not bind: the full network uses 270 of macs" in w]


def test_solvers_without_a_choice(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BruteSolver, "solve", lambda *_: Answer(Status.NO_SOLUTION))
    with pytest.raises(NoChoiceError, match=r"solver '\w+' stopped without a choice"):
        more(place, "macs=0.5", registry=toy_registry(IdleSolver))


def test_an_independent_solve_without_a_choice_only_costs_the_bound(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = BruteSolver.solve

    def hurried(solver: BruteSolver, problem: KnapsackProblem, controls: Controls) -> Answer:
        free = not any(problem.floors)
        return Answer(Status.NO_SOLUTION) if free else whole(solver, problem, controls)

    monkeypatch.setattr(BruteSolver, "solve", hurried)
    record = more(place, "macs=0.5")
    assert record.bound_independent is None
    assert record.value == record.bound


def test_a_folder_without_a_finished_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no finished run"):
        extract(tmp_path, ExtractionRequest(("macs=0.5",)), toy_registry(), Watcher())


@pytest.mark.parametrize("file", ["nested.keras", "scores.npz", "order.npz", "subnet-75.keras"])
@pytest.mark.parametrize("damage", ["gone", "cut", "garbage"])
def test_files_that_are_gone_or_damaged_are_named(place: Workplace, file: str, damage: str) -> None:
    path = place.out / file
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"garbage")
    if damage == "gone":
        path.unlink()
    with pytest.raises(InputError) as caught:
        more(place, "macs=0.5")
    assert file in str(caught.value)


def test_a_plan_of_another_version_is_named(place: Workplace) -> None:
    path = place.out / "plan.json"
    plan = json.loads(path.read_text())
    plan["options"]["surprise"] = 1
    path.write_text(json.dumps(plan))
    with pytest.raises(InputError, match=r"the options in '.*plan\.json' are not those of this version .*surprise"):
        more(place, "macs=0.5")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"exit": "exit_1"}, r"exit 'exit_1' of subnetwork '25' in '.*plan.json' is not of the network"),
        ({"widths": {"stem": 1}}, r"the groups of subnetwork '25' in '.*plan.json' are not of the network"),
        (
            {"widths": {"stem": 1, "inside": 1, "nowhere": 1}},
            r"the groups of subnetwork '25' in .* are not of the",
        ),
    ],
)
def test_a_plan_of_another_network_is_named(place: Workplace, change: dict[str, Any], why: str) -> None:
    path = place.out / "plan.json"
    plan = json.loads(path.read_text())
    assert plan["subnetworks"][0]["widths"].keys() == {"stem", "inside"}
    plan["subnetworks"][0] |= change
    path.write_text(json.dumps(plan))
    with pytest.raises(InputError, match=why):
        more(place, "macs=0.5")


def test_a_member_that_is_replaced_leaves_its_profile(place: Workplace) -> None:
    more(place, "macs=0.5")
    records = [ProfileRecord(f"subnet-{name}.tflite", name, "toy-micro", "slow", latency_ns=7) for name in ("50", "75")]
    save_profiles(place.out, records)
    more(place, "macs=0.5", finetune_epochs=1)
    assert load_profiles(place.out) == (records[1],)


def test_files_of_different_runs_are_refused(place: Workplace) -> None:
    other = make_workplace_of(place.folder / "other", width=7)
    (place.out / "scores.npz").write_bytes((other.out / "scores.npz").read_bytes())
    with pytest.raises(InputError, match=r"scores.npz, order.npz and nested.keras .* do not belong to one run"):
        more(place, "macs=0.5")


def make_workplace_of(folder: Path, width: int) -> Workplace:
    folder.mkdir()
    place = make_workplace(folder)
    TOY.save_model(residual_model(width), place.model)
    place.prune(budgets={"macs": 0.5})
    return place


def test_without_the_run_s_data_there_are_no_accuracies(place: Workplace) -> None:
    place.data.unlink()
    listener = Listener()
    record = more(place, "macs=0.5", watcher=listener)
    assert record.accuracy.after is None
    assert record.files["tflite_int8"] is None
    assert "the data of the run cannot be read" in listener.warnings[0]
    assert ["was not trained" in warning for warning in listener.warnings[1:]] == [True]


def test_changed_data_is_not_used(place: Workplace) -> None:
    arrays = dict(np.load(place.data))
    np.savez(place.data, **(arrays | {"x_test": arrays["x_test"] + 1}))
    listener = Listener()
    record = more(place, "macs=0.5", watcher=listener)
    assert record.accuracy.after is None
    assert "has changed since the run" in listener.warnings[0]


def test_a_run_without_data_is_extended_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    place = make_workplace(tmp_path)
    place.prune(data=None, settings=NO_TRAINING)
    listener = Listener()
    assert more(place, "macs=0.4", watcher=listener).accuracy.after is None
    assert listener.warnings == []
