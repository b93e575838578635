"""The option `family` of the nested pruner, on runs of a toy model."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
from toy_framework import residual_model
from toy_plugins import toy_registry
from toy_runs import NO_TRAINING, QUICK, Interrupted, Tripwire, Workplace, contents, tripping_registry, without_times

from reds_core import RunSettings
from reds_core.errors import InputError

FAMILIES = ("auto", "bottom-up", "top-down", "joint")


def of_family(family: str, base: RunSettings = NO_TRAINING) -> RunSettings:
    return dataclasses.replace(base, options={"nested": {"family": family}})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_nested_within_its_budgets(place: Workplace, family: str) -> None:
    plan = place.prune(settings=of_family(family, QUICK))
    assert [s.name for s in plan.subnetworks] == ["25", "50", "75"]
    for smaller, larger in itertools.pairwise(plan.subnetworks):
        for group, channels in smaller.kept.items():
            assert larger.kept[group][: len(channels)] == channels
    for record in plan.subnetworks:
        assert record.usage["macs"] <= int(record.budget["macs"] * plan.full.usage["macs"])
        assert record.value is not None
        assert record.bound_independent is not None
        assert record.bound_independent >= record.value
        assert record.status == "optimal"
        assert record.bound == record.value


def test_steps_decide_one_budget_each_or_all_at_once(place: Workplace) -> None:
    names = {}
    for family in FAMILIES:
        plan = place.prune(settings=of_family(family), out=place.folder / family)
        names[family] = [step.name for step in plan.steps]
        deciding = [step for step in plan.steps if step.groups]
        assert all(step.groups == tuple(g.name for g in plan.groups) for step in deciding)
        assert deciding[-1].widths == plan.subnetworks[-1].widths
        assert all(step.search_s is not None for step in deciding)
    assert names["bottom-up"] == ["score", "choose 25", "choose 50", "choose 75", "extract"]
    assert names["auto"] == names["top-down"] == names["joint"] == ["score", "choose", "extract"]


@pytest.mark.parametrize(("low", "high", "better"), [(0.25, 0.55, "top-down"), (0.3, 0.5, "bottom-up")])
def test_joint_sides_with_the_better_of_the_others(place: Workplace, low: float, high: float, better: str) -> None:
    values: dict[str, list[int]] = {}
    free: set[tuple[int | None, ...]] = set()
    for family in FAMILIES:
        asked: dict[str, Any] = {"model": residual_model(seed=7), "budgets": {"macs": [low, high]}}
        settings = of_family(family)
        # sums of squares: with these numbers the two families differ
        settings = dataclasses.replace(settings, options={**settings.options, "magnitude": {"normalise": "none"}})
        plan = place.prune(settings=settings, out=place.folder / family, **asked)
        values[family] = [s.value for s in plan.subnetworks if s.value is not None]
        free.add(tuple(s.bound_independent for s in plan.subnetworks))
    assert free == {(values["bottom-up"][0], values["top-down"][1])}
    assert sum(values["bottom-up"]) != sum(values["top-down"])
    assert sum(values["auto"]) == sum(values["joint"]) == sum(values[better])
    assert sum(values[better]) == max(map(sum, values.values()))


@pytest.mark.parametrize("family", ["joint", *(pytest.param(f, marks=pytest.mark.slow) for f in ("auto", "top-down"))])
def test_a_killed_run_is_resumed_to_the_same_plan(place: Workplace, family: str) -> None:
    asked = {"settings": of_family(family, QUICK)}
    whole = Tripwire()
    straight = place.prune(out=place.folder / "straight", registry=tripping_registry(whole), **asked)
    for at in range(0, whole.calls, 4):
        out = place.folder / f"killed-{at}"
        with pytest.raises(Interrupted):
            place.prune(out=out, registry=tripping_registry(Tripwire(at)), **asked)
        resumed = place.resume(out=out, **asked)
        assert without_times(resumed) == without_times(straight)
        assert contents(out) == contents(place.folder / "straight")


def test_resuming_as_another_family_is_refused(place: Workplace) -> None:
    with pytest.raises(Interrupted):
        place.prune(settings=of_family("joint"), registry=tripping_registry(Tripwire(6)))
    with pytest.raises(InputError, match="was started with options"):
        place.resume(settings=of_family("top-down"))


def test_an_unknown_family_is_refused_with_those_there_are(place: Workplace) -> None:
    refused: dict[str, Any] = {"settings": of_family("sideways"), "registry": toy_registry()}
    with pytest.raises(InputError, match="auto, bottom-up, top-down, joint"):
        place.prune(**refused)
