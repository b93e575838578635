"""The smallest network that loses at most the given points on held-back data."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Reds
from stopped_runs import TOY, StoppableRun, check_end, finished, moments
from toy_framework import ToyFramework, ToyModel, describe, residual_model
from toy_plugins import toy_registry
from toy_runs import Interrupted, Listener, Tripwire, Workplace, contents, settings, tripping_registry, without_times

from reds_core.cost.resources import usage
from reds_core.errors import InfeasibleError, InputError
from reds_core.framework.data import Arrays
from reds_core.framework.family import Family
from reds_core.framework.finetuning import FinetuneSettings
from reds_core.framework.task import Task
from reds_core.framework.training import Training
from reds_core.plan import Plan, load_plan
from reds_core.registry import Registry
from reds_core.runs.api import extract
from reds_core.runs.checkpoint import has_progress
from reds_core.runs.drop_goal import SHARES, DropGoal
from reds_core.runs.folder import Mode

EPOCHS = FinetuneSettings(epochs=6, batch_size=16, learning_rate=0.05)
SEARCH = settings(scorer="magnitude", holdout=0.4, finetune=EPOCHS)
FULL_MACS = usage(describe(residual_model()), describe(residual_model()).channels)["macs"]


class Graded(ToyFramework):
    """Accuracies that depend only on the size of a network and on how long it was trained."""

    def finetune(self, family: Family[Any], training: Training) -> None:
        super().finetune(family, training)
        for member in family.members:
            for name, weight in member.weights.items():
                if name.endswith("/mean"):  # saved with the model
                    weight[...] = training.settings.epochs

    def accuracy(self, model: ToyModel, data: Arrays, task: Task) -> float:
        network = describe(model)
        share = usage(network, network.channels)["macs"] / FULL_MACS
        epochs = next(float(w.flat[0]) for name, w in model.weights.items() if name.endswith("/mean"))
        return 0.9 if share == 1 else self.grade(share, round(epochs))

    def grade(self, share: float, epochs: int) -> float:
        return 0.9 - 0.2 * (1 - share)


class WorseFully(Graded):
    """Networks below a fifth of the MACs are worse after a full training."""

    def grade(self, share: float, epochs: int) -> float:
        return 0.0 if epochs == EPOCHS.epochs and share < 0.2 else 0.9


class AllWorseFully(Graded):
    def grade(self, share: float, epochs: int) -> float:
        return 0.0 if epochs == EPOCHS.epochs else 0.9


class BetterFully(Graded):
    """Short trainings lose three times as much."""

    def grade(self, share: float, epochs: int) -> float:
        return 0.9 - (0.1 if epochs == EPOCHS.epochs else 0.3) * (1 - share)


class Hopeless(Graded):
    def grade(self, share: float, epochs: int) -> float:
        return 0.1


def registry(framework: type[ToyFramework] = Graded) -> Registry:
    return toy_registry(framework=framework)


def search(place: Workplace, limit: float, **changes: Any) -> Plan:
    asked: dict[str, Any] = {"budgets": None, "settings": SEARCH, "registry": registry(), "max_drop": limit}
    return place.prune(**(asked | changes))


def budget_of(plan: Plan) -> float:
    (member,) = plan.subnetworks
    return member.budget["macs"]


@pytest.mark.parametrize("pruner", ["nested", pytest.param("uniform", marks=pytest.mark.slow)])
def test_the_answer_is_that_of_an_exhaustive_search(place: Workplace, pruner: str) -> None:
    asked = dataclasses.replace(SEARCH, pruner=pruner, finetune=dataclasses.replace(EPOCHS, epochs=1))
    drops = {}
    for share in range(1, SHARES + 1):
        budget = {"macs": share / SHARES}
        with suppress(InfeasibleError):  # below the narrowest network
            out = place.folder / f"{share}"
            plan = place.prune(budgets=budget, settings=asked, registry=registry(), out=out)
            drops[share] = 20 * (1 - plan.subnetworks[0].usage["macs"] / FULL_MACS)
    for limit in (0.0, 0.5, 5.0, 10.0, 14.0, 99.0):
        expected = min(share for share, drop in drops.items() if drop <= limit + 1e-9)
        plan = search(place, limit, settings=asked, out=place.folder / f"limit-{limit}")
        assert budget_of(plan) == expected / SHARES, limit
        assert plan.max_drop is not None
        assert len(plan.max_drop.probes) <= 6


def test_what_the_plan_says(place: Workplace) -> None:
    listener = Listener()
    plan = search(place, 10.0, registry=registry(BetterFully), watcher=listener)
    record = plan.max_drop
    assert record is not None
    assert (record.limit_points, record.resource, record.examples, record.accuracy) == (10.0, "macs", 24, 0.9)
    assert {probe.epochs for probe in record.probes} == {2}  # a third of 6
    for probe in record.probes:
        share = probe.usage["macs"] / FULL_MACS
        assert share <= probe.budget["macs"]
        assert probe.drop_points == pytest.approx(30 * (1 - share))
        assert probe.seconds > 0
    assert [found.epochs for found in record.trainings] == [6]
    assert record.found.budget == plan.subnetworks[0].budget
    assert record.found.usage == plan.subnetworks[0].usage
    assert record.found.drop_points == pytest.approx(10 * (1 - record.found.usage["macs"] / FULL_MACS))
    assert load_plan(place.out) == plan
    assert plan.options["budgets"] == []
    first = listener.notes[0]
    assert first.startswith("probe at 50 % of the MACs loses ") or first.startswith("probe at 52 % of the MACs loses ")
    assert len(listener.notes) == len(record.probes) + 1
    assert listener.warnings == []


def test_a_plan_of_given_budgets_says_nothing_of_it(place: Workplace) -> None:
    place.prune()
    assert "max_drop" not in set(json.loads((place.out / "plan.json").read_text()))


@pytest.mark.parametrize("resource", ["params", "peak_ram", "arena"])
def test_another_resource(place: Workplace, resource: str) -> None:
    plan = search(place, 8.0, max_drop_resource=resource)
    assert plan.max_drop is not None
    assert plan.max_drop.resource == resource
    (member,) = plan.subnetworks
    assert member.usage[resource] <= member.budget[resource] * plan.full.usage[resource] < plan.full.usage[resource]
    smaller = [p for p in plan.max_drop.probes if p.budget[resource] < member.budget[resource]]
    assert all((p.drop_points or 0) > 8.0 for p in smaller)


def test_longer_probes(place: Workplace) -> None:
    plan = search(place, 10.0, settings=dataclasses.replace(SEARCH, max_drop=10.0, max_drop_epochs=4))
    assert plan.max_drop is not None
    assert {probe.epochs for probe in plan.max_drop.probes} == {4}


def test_a_network_that_loses_too_much_when_trained_fully_gives_way_to_the_next(place: Workplace) -> None:
    plan = search(place, 1.0, registry=registry(WorseFully))
    assert plan.max_drop is not None
    *rejected, found = plan.max_drop.trainings
    assert rejected
    assert all(t.drop_points == pytest.approx(90) for t in rejected)
    assert found.drop_points == pytest.approx(0)
    assert [t.budget["macs"] for t in plan.max_drop.trainings] == sorted(
        t.budget["macs"] for t in plan.max_drop.trainings
    )
    assert {t.budget["macs"] for t in plan.max_drop.trainings} <= {p.budget["macs"] for p in plan.max_drop.probes}
    assert budget_of(plan) == found.budget["macs"] >= 0.2


def test_the_full_network_is_kept_where_nothing_smaller_holds(place: Workplace) -> None:
    plan = search(place, 1.0, registry=registry(AllWorseFully))
    assert plan.max_drop is not None
    (member,) = plan.subnetworks
    assert member.name == "100"
    assert member.widths == {group.name: group.channels for group in plan.groups}
    assert plan.max_drop.found.epochs == 0
    assert plan.max_drop.found.drop_points == 0
    x = np.load(place.data)["x_test"]
    given = ToyFramework().load_model(place.model)
    kept = ToyFramework().load_model(place.out / "subnet-100.keras")
    np.testing.assert_allclose(ToyFramework().predict(kept, x), ToyFramework().predict(given, x), rtol=1e-5, atol=1e-6)
    added = extract(place.out, {"macs": 0.5}, registry=registry())
    assert added.usage["macs"] <= FULL_MACS / 2


def test_other_budgets_hold_as_well(place: Workplace) -> None:
    free = search(place, 12.0)
    limit = free.subnetworks[0].usage["peak_ram"] - 1
    plan = search(place, 16.0, budgets={"peak_ram": limit}, out=place.folder / "limited")
    assert plan.max_drop is not None
    for tried in (*plan.max_drop.probes, *plan.max_drop.trainings):
        assert tried.usage["peak_ram"] <= limit
        assert tried.budget["peak_ram"] == limit
    assert plan.max_drop.probes[0].budget["macs"] == 1  # whether anything within the limit can hold
    assert plan.subnetworks[0].usage["peak_ram"] <= limit
    assert budget_of(plan) < 1


def test_where_nothing_within_the_other_budgets_holds(place: Workplace) -> None:
    with pytest.raises(
        InfeasibleError,
        match=r"no subnetwork within params=0\.6 loses at most 1 point of accuracy on held-back data: the largest, "
        r"trained for 6 epochs, loses 80\.00 points; allow a larger budget or more points, or train for more epochs",
    ):
        search(place, 1.0, budgets={"params": 0.6}, registry=registry(Hopeless))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"data": None}, "max_drop is measured on held-back training data, and no data is given; give data"),
        ({"settings": settings(holdout=0.0)}, "nothing is held back; give a holdout above 0"),
        ({"finetune_epochs": 0}, "the number of epochs is 0; give finetune_epochs of 1 or more"),
        ({"settings": settings(task=Task(metric="MeanIoU"))}, "metric 'MeanIoU' is not an accuracy between 0 and 1"),
        ({"max_drop": -0.5}, "max_drop -0.5 is not a number of points from 0 to below 100"),
        ({"max_drop": float("nan")}, "max_drop is nan, not a number"),
        ({"budgets": {"params": [0.5, 0.25]}}, "budgets of 2 subnetworks are given; give one amount for each"),
        (
            {"budgets": {"macs": 0.5}},
            "finds the least macs, and a budget of macs is given; leave out the budget of macs",
        ),
        ({"max_drop_resource": "flops"}, "unknown resource 'flops'"),
        ({"max_drop_resource": "latency"}, "a latency budget needs measurements"),
        (
            {"max_drop": None, "max_drop_resource": "macs"},
            "max_drop_resource is given without max_drop; give max_drop=1.0",
        ),
        ({"max_drop": None, "settings": settings(max_drop_epochs=1)}, "max_drop_epochs is given without max_drop"),
        ({"settings": settings(max_drop_epochs=3)}, "max_drop_epochs 3 is not from 1 to the 2 epochs of fine-tuning"),
    ],
)
def test_what_is_refused(place: Workplace, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError) as refused:
        search(place, **({"limit": 1.0} | {("limit" if k == "max_drop" else k): v for k, v in changes.items()}))
    assert why in str(refused.value)
    assert not (place.out / "plan.json").exists()


def test_too_little_data_to_hold_any_back(place: Workplace) -> None:
    arrays = dict(np.load(place.data))
    np.savez(place.data, **{k: v[:1] if k.endswith("train") else v for k, v in arrays.items()})
    with pytest.raises(InputError, match="training data is too small to hold any back; give more training data"):
        search(place, 1.0)


def test_a_limit_finer_than_one_example_is_warned_of(place: Workplace) -> None:
    listener = Listener()
    search(place, 2.0, watcher=listener)
    assert any(
        "one of the 24 held-back examples is 4.2 points, which is more than the limit of 2;" in w
        for w in listener.warnings
    )


def test_a_drop_of_exactly_the_limit_is_allowed_in_float32() -> None:
    goal = DropGoal(1.0, "macs", 1)
    drops = [100 * (float(np.float32(n / 100)) - float(np.float32((n - 1) / 100))) for n in range(1, 101)]
    assert max(drops) > 1
    assert all(goal.allows(drop) for drop in drops)
    assert not goal.allows(1.01)
    assert not goal.allows(float("nan"))


def test_channels_are_scored_once(place: Workplace) -> None:
    passes = []

    class Counting(Graded):
        def gradients(self, *arguments: Any) -> Any:
            passes.append(1)
            return super().gradients(*arguments)

    plan = search(place, 10.0, settings=dataclasses.replace(SEARCH, scorer="taylor"), registry=registry(Counting))
    assert plan.max_drop is not None
    assert len(plan.max_drop.probes) > 3
    assert len(passes) == 1


def test_a_search_killed_anywhere_is_resumed_to_the_same_end(place: Workplace) -> None:
    wire, whole = Tripwire(), place.folder / "whole"
    asked: dict[str, Any] = {"limit": 5.0, "settings": dataclasses.replace(SEARCH, scorer="taylor")}
    expected = without_times(search(place, **asked, registry=tripping_registry(wire), out=whole))
    assert expected.max_drop is not None
    assert len(expected.max_drop.probes) > 3
    for at in range(0, wire.calls, 5):
        out = place.folder / f"killed-{at}"
        with pytest.raises(Interrupted):
            search(place, **asked, registry=tripping_registry(Tripwire(at)), out=out)
        plan = search(place, **asked, registry=toy_registry(), out=out, mode=Mode.RESUME)
        assert without_times(plan) == expected, f"killed at call {at}"
        assert contents(out) == contents(whole), f"killed at call {at}"


def test_a_search_that_fails_keeps_what_it_has_tried(place: Workplace) -> None:
    """After an error, such as that of a full disk, no network that was tried is tried again."""

    class Failing(Listener):
        def note(self, text: str) -> None:
            super().note(text)
            if len(self.notes) == 3:
                raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        search(place, 5.0, watcher=Failing())
    assert has_progress(place.out)
    listener = Listener()
    plan = search(place, 5.0, mode=Mode.RESUME, watcher=listener)
    begun = {stage.partition(":")[0] for stage in listener.stages if stage.startswith("probe")}
    assert plan.max_drop is not None
    assert len(begun) == len(plan.max_drop.probes) - 3
    with pytest.raises(InputError, match=r"was started with max_drop 5\.0, not 4\.0"):
        search(place, 4.0, mode=Mode.RESUME)


@pytest.mark.slow
def test_a_search_in_a_process_that_is_killed_is_resumed_to_the_same_end(place: Workplace) -> None:
    options = ("--max-drop", "5", "--holdout", "0.4", "--finetune-epochs", "10", "--batch-size", "16")
    arguments = ("--data", str(place.data), *options, "--learning-rate", "0.05")
    run = StoppableRun(place.folder, (str(place.model), *arguments), TOY)
    whole = place.folder / "whole"
    whole_s = run.straight(whole)
    expected = without_times(load_plan(whole))
    for number, after_s in moments(6, whole_s, seed=4):
        out = place.folder / f"stopped-{number}-{after_s:.3f}"
        check_end(run.stopped(out, number, after_s), number, out)
        ended = finished(run.start(out, "--resume"))
        assert ended.status == 0, ended.err
        assert without_times(load_plan(out)) == expected
        assert contents(out) == contents(whole)
        assert run.trained(out) <= run.trained(whole) + 1


def test_overwriting_leaves_no_file_of_the_search(place: Workplace) -> None:
    class Broken(Graded):
        def export(self, model: ToyModel, path: Path, calibration: Arrays | None, quantise: bool) -> None:
            if not path.name.startswith("full"):
                raise Interrupted
            super().export(model, path, calibration, quantise)

    with pytest.raises(Interrupted):
        search(place, 10.0, registry=registry(Broken))
    (left,) = place.out.glob("subnet-*.keras")
    place.prune(mode=Mode.OVERWRITE, budgets={"macs": 0.99})
    assert not left.exists()


def test_its_recipe_makes_the_same_plan_again(place: Workplace) -> None:
    plan = search(place, 10.0, max_drop_resource="params")
    again = place.prune(
        recipe=place.out / "recipe.yaml", settings=None, budgets=None, model=None, data=None, registry=registry(),
        out=place.folder / "again",
    )  # fmt: skip
    assert without_times(again) == without_times(plan)


def test_the_command_line(place: Workplace, reds: Reds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reds_core.runs.api.Registry", registry)
    asked = ("prune", place.model, "--data", place.data, "--out", place.out, "--holdout", "0.4", "--max-drop")
    outcome = reds(*asked, "10", "--max-drop-epochs", "1", "--batch-size", "16", "--learning-rate", "0.05")
    assert outcome.status == 0, outcome.err
    assert "The smallest network by MACs that loses at most 10 points of accuracy needs " in outcome.out
    assert "It was chosen on held-back training data; accuracy on test data was only measured" in outcome.out
    assert outcome.out.count("short trainings") > 3
    assert outcome.out.count("full trainings") == 1
    assert "probe at 52 % of the MACs loses" in outcome.err
    reds(*asked, "10", "--budget", "params=0.5,0.25", "--overwrite").check_error(2, "budgets of 2 subnetworks")
    for bad in ("ten", "nan", "1MB", "-1"):
        reds(*asked, bad).check_error(2, f"'{bad}' is not a number of points; give --max-drop 1.0 or 1%")
    reds(*asked, "100%", "--overwrite").check_error(2, "--max-drop 100.0 is not a number of points from 0 to below 100")
    reds(*asked, "10%", "--max-drop-resource", "ram", "--overwrite").check_error(2, "did you mean 'peak_ram'")
