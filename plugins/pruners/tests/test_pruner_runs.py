"""Every strategy in whole runs of a toy model: its plan, and the same plan after being killed at any step."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
from toy_framework import ToyFramework
from toy_plugins import toy_registry
from toy_runs import (
    NO_TRAINING,
    QUICK,
    Interrupted,
    Listener,
    Tripwire,
    Workplace,
    contents,
    tripping_registry,
    without_times,
)

from reds_core import RunSettings
from reds_core.errors import InputError
from reds_core.formulation import WidthRules
from reds_core.framework import Family, Training

ONE: dict[str, Any] = {"macs": 0.5}
THREE: dict[str, Any] = {"macs": [0.75, 0.5, 0.25]}
RUNS: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("layerwise", {}, ONE),
    ("layerwise", {"order": "sensitivity", "horizon": "local"}, THREE),
    ("layerwise", {"order": "backward", "block": "2", "finetune": "joint"}, ONE),
    ("progressive", {"steps": "2"}, THREE),
    ("progressive", {"steps": "3", "schedule": "geometric", "final": "0"}, ONE),
    ("oneshot", {}, THREE),
    ("uniform", {}, THREE),
    ("uniform", {}, ONE),
    ("nested", {}, ONE),
]


def asked(pruner: str, options: dict[str, str], budgets: dict[str, Any], base: RunSettings = QUICK) -> dict[str, Any]:
    return {"settings": dataclasses.replace(base, pruner=pruner, options={pruner: options}), "budgets": budgets}


class KilledAt(Listener):
    """Kills the run at the beginning of a step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._prefix = f"step {step} of "

    def stage(self, text: str) -> None:
        super().stage(text)
        if text.startswith(self._prefix):
            raise Interrupted


@pytest.mark.parametrize(("pruner", "options", "budgets"), RUNS)
def test_the_plan(place: Workplace, pruner: str, options: dict[str, str], budgets: dict[str, Any]) -> None:
    plan = place.prune(**asked(pruner, options, budgets))
    assert plan.pruner == pruner
    groups = {g.name: g.channels for g in plan.groups}
    for record in plan.subnetworks:
        assert record.usage["macs"] <= int(record.budget["macs"] * plan.full.usage["macs"])
        assert record.value is not None
        for bound in (record.bound, record.bound_independent):
            assert bound is None or bound >= record.value
        assert (record.bound is None) == (pruner == "uniform")
        assert record.accuracy.before is not None
    for smaller, larger in itertools.pairwise(plan.subnetworks):
        assert all(set(channels) <= set(larger.kept[g]) for g, channels in smaller.kept.items())
    for step in plan.steps:
        assert step.groups == tuple(step.widths)
        assert all(1 <= w <= groups[g] for g, w in step.widths.items())
    decided: dict[str, int] = {}
    for step in plan.steps:
        decided |= step.widths
    last = plan.subnetworks[0] if pruner in ("layerwise", "progressive") else plan.subnetworks[-1]
    assert decided == last.widths


@pytest.mark.parametrize(("pruner", "options", "budgets"), RUNS)
def test_killed_at_any_step_a_run_is_resumed_to_the_same_plan(
    place: Workplace, pruner: str, options: dict[str, str], budgets: dict[str, Any]
) -> None:
    run = asked(pruner, options, budgets)
    straight = place.prune(out=place.folder / "straight", **run)
    for step in range(1, len(straight.steps) + 1):
        out = place.folder / f"killed-{step}"
        with pytest.raises(Interrupted):
            place.prune(out=out, watcher=KilledAt(step), **run)
        again = Listener()
        assert without_times(place.resume(out=out, watcher=again, **run)) == without_times(straight)
        assert contents(out) == contents(place.folder / "straight")
        assert sum(stage.startswith("step ") for stage in again.stages) == len(straight.steps) - step + 1


@pytest.mark.parametrize("order", ["forward", "sensitivity"])
def test_a_group_that_stays_whole_takes_no_step_of_a_run_killed_at_any(place: Workplace, order: str) -> None:
    base = dataclasses.replace(QUICK, widths=WidthRules(keep=("inside",)))
    run = asked("layerwise", {"order": order}, {"macs": [0.95, 0.7]}, base)
    straight = place.prune(out=place.folder / "straight", **run)
    assert [step.groups for step in straight.steps] == [(), ("stem",), ("stem",), ()]
    assert [record.widths["inside"] for record in straight.subnetworks] == [5, 5]
    for step in range(1, len(straight.steps) + 1):
        out = place.folder / f"killed-{step}"
        with pytest.raises(Interrupted):
            place.prune(out=out, watcher=KilledAt(step), **run)
        assert without_times(place.resume(out=out, **run)) == without_times(straight)
        assert contents(out) == contents(place.folder / "straight")


def test_killed_within_a_step_a_run_is_resumed_to_the_same_plan(place: Workplace) -> None:
    run = asked("layerwise", {"order": "sensitivity"}, ONE)
    whole = Tripwire()
    straight = place.prune(out=place.folder / "straight", registry=tripping_registry(whole), **run)
    for at in range(0, whole.calls, 3):
        out = place.folder / f"killed-{at}"
        with pytest.raises(Interrupted):
            place.prune(out=out, registry=tripping_registry(Tripwire(at)), **run)
        assert without_times(place.resume(out=out, **run)) == without_times(straight)
        assert contents(out) == contents(place.folder / "straight")


@pytest.mark.parametrize("budgets", [ONE, THREE])
@pytest.mark.parametrize("pruner", ["layerwise", "progressive", "oneshot", "uniform", "nested"])
def test_every_subnetwork_is_trained_for_the_epochs_of_the_run(
    place: Workplace, pruner: str, budgets: dict[str, Any]
) -> None:
    """So that comparisons are fair: in families together, in `oneshot` one after the other."""

    class Counting(ToyFramework):
        total = 0

        def finetune(self, family: Family[Any], training: Training) -> None:
            Counting.total += training.settings.epochs
            super().finetune(family, training)

    settings = dataclasses.replace(QUICK, finetune=dataclasses.replace(QUICK.finetune, epochs=7))
    plan = place.prune(registry=toy_registry(framework=Counting), **asked(pruner, {}, budgets, settings))
    each_alone = len(plan.subnetworks) if pruner == "oneshot" else 1
    assert Counting.total == 7 * each_alone


def test_a_sensitivity_order_needs_data(place: Workplace) -> None:
    run = asked("layerwise", {"order": "sensitivity"}, ONE, NO_TRAINING)
    with pytest.raises(InputError, match="measures losses, which needs training data; give data"):
        place.prune(data=None, **run)
    assert place.prune(data=None, **asked("layerwise", {}, ONE, NO_TRAINING)).subnetworks


def test_a_sensitivity_order_never_sees_test_data(place: Workplace) -> None:
    seen: list[int] = []

    class Watching(ToyFramework):
        def loss(self, model: Any, data: Any, task: Any) -> float:
            seen.append(len(data))
            return super().loss(model, data, task)

    run = asked("layerwise", {"order": "sensitivity"}, ONE, NO_TRAINING)
    place.prune(registry=toy_registry(framework=Watching), **run)
    # A tenth of 60 is held back. When everything is decided, three files are measured on the 30 test examples: the int8
    # file of the full network, and two of the subnetwork.
    assert seen == [6, 6, 30, 30, 30]
    seen.clear()
    settings = dataclasses.replace(run["settings"], holdout=0.0)
    place.prune(registry=toy_registry(framework=Watching), out=place.folder / "all", **(run | {"settings": settings}))
    assert seen == [60, 60, 30, 30, 30]


@pytest.mark.parametrize(
    ("pruner", "option", "message"),
    [
        ("layerwise", {"order": "sideways"}, "forward, backward, sensitivity"),
        ("layerwise", {"block": "0"}, "layerwise.block is 0"),
        ("layerwise", {"final": "2"}, "final is 2.0, which is not a share"),
        ("layerwise", {"finetune": "alone"}, "only for a single budget"),
        ("progressive", {"steps": "0"}, "progressive.steps is 0"),
        ("progressive", {"schedule": "cubic"}, "linear, geometric"),
        ("uniform", {"finetune": "never"}, "auto, joint, alone"),
    ],
)
def test_bad_options_are_refused(place: Workplace, pruner: str, option: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        place.prune(**asked(pruner, option, THREE))
    assert not place.out.exists()
