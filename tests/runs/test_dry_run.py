"""A dry run chooses what a run chooses, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from toy_framework import ToyFramework, residual_model
from toy_plugins import FIRST_PARTY, PluginModule, toy_registry
from toy_runs import NO_TRAINING, QUICK, Listener, Workplace, settings, without_times

from reds_core.errors import InfeasibleError, InputError
from reds_core.plan import Accuracy, FullAccuracy, Plan, load_plan
from reds_core.runs.folder import Mode


def unmeasured(plan: Plan) -> Plan:
    """`plan` as far as it can be known without training and files."""
    members = tuple(dataclasses.replace(s, accuracy=Accuracy(), files={}) for s in plan.subnetworks)
    full = dataclasses.replace(plan.full, accuracy=FullAccuracy(), files={})
    return without_times(dataclasses.replace(plan, subnetworks=members, full=full))


@pytest.mark.parametrize("pruner", ["nested", "oneshot", "uniform", "progressive", "layerwise"])
def test_a_dry_run_makes_the_plan_of_a_run_that_does_not_train(place: Workplace, pruner: str) -> None:
    asked = {"settings": dataclasses.replace(NO_TRAINING, pruner=pruner)}
    dry = place.prune(dry_run=True, **asked)
    assert not place.out.exists()
    assert without_times(dry) == unmeasured(place.prune(**asked))


def test_a_strategy_that_chooses_first_chooses_the_same_as_when_it_trains(place: Workplace) -> None:
    listener = Listener()
    dry, trained = place.prune(dry_run=True, watcher=listener), place.prune()
    assert [s.widths for s in dry.subnetworks] == [s.widths for s in trained.subnetworks]
    assert dry.options == trained.options
    assert listener.warnings == []


def test_a_strategy_that_trains_in_between_is_warned_of(place: Workplace) -> None:
    listener = Listener()
    place.prune(dry_run=True, settings=settings(pruner="layerwise"), watcher=listener)
    (warning,) = listener.warnings
    assert warning == "pruner 'layerwise' trains between its choices, so that a run may choose other widths"


def test_a_dry_run_leaves_the_run_in_its_folder_as_it_is(place: Workplace) -> None:
    place.prune(settings=NO_TRAINING)
    before = {p: p.read_bytes() for p in place.out.rglob("*") if p.is_file()}
    place.prune(settings=QUICK, dry_run=True, mode=Mode.OVERWRITE)
    assert {p: p.read_bytes() for p in place.out.rglob("*") if p.is_file()} == before


def test_model_objects_are_not_changed(place: Workplace) -> None:
    model = residual_model()
    weights = {name: array.copy() for name, array in model.weights.items()}
    place.prune(model=model, dry_run=True)
    assert all((model.weights[name] == array).all() for name, array in weights.items())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": None}, "a dry run needs a model, since it trains none; give a model"),
        ({"max_drop": 1.0, "budgets": None}, "max_drop trains networks to find a budget"),
        ({"mode": Mode.RESUME}, "a dry run has nothing to resume"),
        ({"data": None}, "scorer 'taylor' needs training data"),
    ],
)
def test_what_a_dry_run_cannot_do(place: Workplace, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        place.prune(dry_run=True, **changes)
    assert not place.out.exists()


def test_a_budget_that_cannot_be_met(place: Workplace) -> None:
    with pytest.raises(InfeasibleError, match="the least that can be reached"):
        place.prune(budgets={"macs": 0.001}, dry_run=True)


def test_the_command(reds: Reds, place: Workplace) -> None:
    given: tuple[object, ...] = ("prune", place.model, "--data", place.data, "--out", place.out, "--budget", "macs=0.5")
    shown = reds(*given, "--dry-run")
    assert shown.status == 0
    assert "This was a dry run: nothing was trained or written." in shown.out
    network = place.prune(budgets={"macs": 0.5}, dry_run=True, registry=toy_registry()).subnetworks[0]
    for group, width in network.widths.items():
        (line,) = [line.split() for line in shown.out.splitlines() if line.split()[:1] == [group]]
        assert line[-1] == str(width)
    plan = reds(*given, "--dry-run", "--json").json
    assert plan["subnetworks"][0]["widths"] == network.widths
    assert not place.out.exists()
    reds(*given, "--dry-run", "--resume").check_error(2, "nothing to resume; leave out --dry-run or --resume")
    without_budget = given[:-2]
    reds(*without_budget, "--dry-run", "--max-drop", "1").check_error(
        2, "--max-drop trains networks to find a budget, which a dry run does not; give --budget instead"
    )


def test_an_interrupted_command_keeps_nothing(reds: Reds, place: Workplace) -> None:
    class Interrupted(ToyFramework):
        def inspect(self, *arguments: Any) -> Any:
            raise KeyboardInterrupt

    reds.install(PluginModule("toy", (*FIRST_PARTY, Interrupted)))
    given = ("prune", place.model, "--data", place.data, "--out", place.out, "--dry-run")
    reds(*given).check_error(130, "interrupted; nothing is kept, so run the command again")
    assert not place.out.exists()


def test_the_plan_of_a_run_is_printed_as_json(reds: Reds, place: Workplace) -> None:
    done = reds("prune", place.model, "--data", place.data, "--out", place.out, "--finetune-epochs", 1, "--json")
    assert done.status == 0
    assert done.out == (place.out / "plan.json").read_text()
    assert done.json == json.loads((place.out / "plan.json").read_text())
    assert Path(place.out / "report.html").exists()
    assert load_plan(place.out).subnetworks


def test_a_member_of_a_dry_run_says_why_it_has_no_files(place: Workplace) -> None:
    member = place.prune(dry_run=True).subnetworks[0]
    with pytest.raises(InputError, match="no files, since a dry run writes none; prune without dry_run"):
        member.load()
