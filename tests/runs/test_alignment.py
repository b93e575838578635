"""Multiples of 4 are taken where they cost little, and never otherwise; bounds refer to all widths."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from toy_framework import ToyFramework, chain_model, toy_arrays
from toy_plugins import BruteSolver, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Workplace

from reds_core.errors import InfeasibleError
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource
from reds_core.knapsack.solution import Alignment, Answer, Limit, Status
from reds_core.knapsack.solver import Claim, Control, Controls, Feature
from reds_core.plan import SubnetworkRecord, load_plan
from reds_core.registry import Registry
from reds_core.runs import alignment, api
from reds_core.runs.alignment import choose
from reds_core.runs.search import Search
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import random_problem
from reds_core.watcher import Watcher

AUTO = WidthRules()


class SilentSolver(BruteSolver):
    """An exact solver that proves nothing."""

    name = "silent"
    claims = Claim.NONE

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        return Answer(Status.NO_SOLUTION if answer.choice is None else Status.FEASIBLE, answer.choice)


class LazySolver(BruteSolver):
    """Takes the first options, and proves a bound of 1,000,000."""

    name = "lazy"
    claims = Claim.BOUND

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.FEASIBLE, tuple(problem.floors), 1_000_000, Limit.TIME)


def search(solver: type[BruteSolver] = BruteSolver) -> Search:
    return Search(Registry([PluginModule("toy", (solver,))]), solver.name)


def one_group(values: Sequence[int], capacity: int, **bounds: Any) -> KnapsackProblem:
    """A group whose option i keeps i + 1 channels and costs as much."""
    widths = np.arange(1, len(values) + 1)
    channels = SumResource("channels", capacity, 0, (widths,))
    return KnapsackProblem("one group", (Group("g", widths, np.array(values)),), (), (channels,), **bounds)


def is_aligned(problem: KnapsackProblem, choice: Sequence[int]) -> bool:
    return all(int(g.widths[i]) % 4 == 0 or i == g.options - 1 for g, i in zip(problem.groups, choice, strict=True))


@pytest.mark.parametrize(
    ("at_five", "width", "found"),
    [
        (100_100, 4, Alignment(4, 0.001)),  # exactly the highest price
        (100_101, 5, Alignment(1, 101 / 100_000)),
        (90_000, 4, Alignment(4, 0.0)),  # the best choice is a multiple anyway
    ],
)
def test_the_price_decides(at_five: int, width: int, found: Alignment) -> None:
    problem = one_group([1, 2, 3, 100_000, at_five, 200_000], 5)
    solution = choose(search(), problem, AUTO)
    assert solution.widths == {"g": width}
    assert solution.alignment is not None
    assert solution.alignment.multiple == found.multiple
    assert solution.alignment.price == pytest.approx(found.price)
    best = max(100_000, at_five)
    assert solution.bound == best
    assert (solution.status is Status.OPTIMAL) == (solution.value == best)
    assert solution.gap == pytest.approx((best - solution.value) / solution.value)


@pytest.mark.parametrize("rules", [WidthRules(align=1), WidthRules(align=2)])
def test_a_given_multiple_is_one_exact_search(rules: WidthRules) -> None:
    problem = one_group([1, 2, 3, 100_000, 100_001, 200_000], 5)
    found = choose(search(), problem, rules)
    assert found.widths == {"g": 5}
    assert found.alignment is None


def test_negative_values_are_priced_by_their_magnitude() -> None:
    """Values of logarithms may be negative."""
    cheap = choose(search(), one_group([-200_000, -200_000, -200_000, -100_050, -100_000, 0], 5), AUTO)
    assert cheap.widths == {"g": 4}
    assert cheap.alignment == Alignment(4, pytest.approx(50 / 100_050))
    dear = choose(search(), one_group([-200_000, -200_000, -200_000, -100_200, -100_000, 0], 5), AUTO)
    assert dear.widths == {"g": 5}


def test_the_full_width_counts_as_a_multiple() -> None:
    solution = choose(search(), one_group([1, 2, 3, 4, 100_001, 100_000], 6), AUTO)
    assert solution.widths == {"g": 6}
    assert solution.alignment == Alignment(4, 0.00001)


def test_multiples_that_are_better_than_what_was_found_are_taken_at_any_price() -> None:
    solution = choose(search(LazySolver), one_group([1, 2, 3, 50, 60, 70], 6), AUTO)
    assert solution.widths == {"g": 4}
    assert (solution.status, solution.limit, solution.bound) == (Status.FEASIBLE, Limit.TIME, 1_000_000)
    assert solution.alignment == Alignment(4, pytest.approx(999_950 / 50))


class NearSolver(BruteSolver):
    """Stops with a bound that is 60 above the optimum, where the gap allows it."""

    name = "near"
    controls = Control.GAP

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        best = super().solve(problem, controls)
        assert best.bound is not None
        if not controls.is_close_enough(best.bound, best.bound + 60):
            return best
        return Answer(Status.FEASIBLE, best.choice, best.bound + 60, Limit.GAP)


@pytest.mark.parametrize(("gap", "limit"), [(0.001, Limit.GAP), (0.0006, None)])
def test_multiples_are_within_the_gap_only_if_their_own_distance_from_the_bound_is(
    gap: float, limit: Limit | None
) -> None:
    found = choose(
        Search(Registry([PluginModule("test", (NearSolver,))]), controls=Controls(gap=gap)),
        one_group([1, 2, 3, 100_000, 100_020, 200_000], 5),
        AUTO,
    )
    assert found.widths == {"g": 4}
    assert (found.status, found.bound, found.limit) == (Status.FEASIBLE, 100_080, limit)


def test_without_feasible_multiples_any_width_is_taken() -> None:
    solution = choose(search(), one_group([1, 2, 3, 4, 5], 3), AUTO)
    assert solution.widths == {"g": 3}
    assert solution.alignment == Alignment(1, None)


def test_an_infeasible_problem_is_refused() -> None:
    with pytest.raises(InfeasibleError, match="channels 0"):
        choose(search(), one_group([1, 2, 3, 4, 5], 0), AUTO)


def test_multiples_stay_within_floors_and_ceilings() -> None:
    values = [*range(100_000, 100_016), 200_000]
    assert choose(search(), one_group(values, 16, floors=(8,), ceilings=(14,)), AUTO).widths == {"g": 12}
    pinned = choose(search(), one_group(values, 16, floors=(8,), ceilings=(9,)), AUTO)
    assert pinned.widths == {"g": 10}
    assert pinned.alignment is not None
    assert pinned.alignment.multiple == 1


def test_a_solver_without_bounds_is_priced_by_what_it_found() -> None:
    solution = choose(search(SilentSolver), one_group([1, 2, 3, 100_000, 100_050, 200_000], 5), AUTO)
    assert solution.widths == {"g": 4}
    assert (solution.bound, solution.gap, solution.status) == (None, None, Status.FEASIBLE)
    assert solution.alignment == Alignment(4, 0.0005)


@pytest.mark.parametrize("seed", range(40))
def test_random_problems_are_answered_as_the_rule_says(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "HIGHEST_PRICE", 0.2)
    problem = random_problem(seed, Feature.ALL)
    truth = brute_force(problem)
    if truth.value is None:
        return
    found = choose(search(), problem, AUTO)
    assert found.choice is not None
    assert found.value is not None
    evaluation = problem.evaluate(found.choice)
    assert evaluation.feasible
    assert (found.value, found.usage, found.widths) == (
        evaluation.value,
        evaluation.usage,
        problem.widths(found.choice),
    )
    assert found.bound == truth.value
    assert (found.status is Status.OPTIMAL) == (found.value == truth.value)
    if found.value < truth.value:
        assert (truth.value - found.value) / abs(found.value) <= 0.2
    assert found.alignment is not None
    assert found.alignment.multiple == (4 if is_aligned(problem, found.choice) else 1)


@pytest.fixture
def wide(place: Workplace) -> Workplace:
    """A workplace whose model has groups of 12 and 16 channels."""
    model = chain_model((12, 16))
    ToyFramework().save_model(model, place.model)
    np.savez(place.data, **toy_arrays(model))
    return place


def aligned_members(members: Sequence[SubnetworkRecord], channels: Mapping[str, int]) -> list[bool]:
    return [all(w % 4 == 0 or w == channels[g] for g, w in m.widths.items()) for m in members]


PRUNERS: dict[str, tuple[str, Mapping[str, Mapping[str, str]]]] = {
    "auto": ("nested", {}),
    "bottom-up": ("nested", {"nested": {"family": "bottom-up"}}),
    "oneshot": ("oneshot", {}),
    "top-down": ("nested", {"nested": {"family": "top-down"}}),
    "layerwise": ("layerwise", {}),
    "local": ("layerwise", {"layerwise": {"horizon": "local", "order": "backward"}}),
    "progressive": ("progressive", {"progressive": {"steps": "2"}}),
}


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("price", [10.0, -1.0])
def test_every_strategy_that_searches_takes_multiples(
    wide: Workplace, monkeypatch: pytest.MonkeyPatch, pruner: str, price: float
) -> None:
    monkeypatch.setattr(alignment, "HIGHEST_PRICE", price)
    name, options = PRUNERS[pruner]
    settings = dataclasses.replace(NO_TRAINING, pruner=name, options=options)
    plan = wide.prune(settings=settings, budgets={"macs": [0.8, 0.4]})
    more = api.extract(wide.out, ("macs=0.6",), registry=toy_registry(), watcher=Watcher())
    members = sorted((*plan.subnetworks, more), key=lambda m: m.usage["macs"])
    channels = {g.name: g.channels for g in plan.groups}
    if price > 0:
        assert all(aligned_members(members, channels))
        assert {m.align for m in members} == {4}
        assert all(m.align_price is not None and m.align_price >= 0 for m in members)
    else:
        assert not all(aligned_members(members, channels))
        assert 1 in {m.align for m in members}
    for small, large in itertools.pairwise(members):
        assert all(set(small.kept[g]) <= set(large.kept[g]) for g in channels)
    for member in members:
        assert member.bound_independent is None or member.value is None or member.bound_independent >= member.value


def test_a_joint_family_is_the_best_over_all_widths(wide: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "HIGHEST_PRICE", 10.0)
    joint = dataclasses.replace(NO_TRAINING, options={"nested": {"family": "joint"}})
    exact = dataclasses.replace(joint, widths=WidthRules(align=1))
    found = wide.prune(settings=joint).subnetworks
    wanted = wide.prune(settings=exact, out=wide.folder / "exact").subnetworks
    assert [m.widths for m in found] == [m.widths for m in wanted]


def test_the_plan_is_the_same_when_read_again(wide: Workplace) -> None:
    plan = wide.prune(settings=NO_TRAINING)
    assert load_plan(wide.out).subnetworks == plan.subnetworks
    assert all(m.align in (1, 4) for m in plan.subnetworks)
    wide.prune(settings=dataclasses.replace(NO_TRAINING, widths=WidthRules(align=1)), out=wide.folder / "exact")
    written = json.loads((wide.folder / "exact" / "plan.json").read_text())["subnetworks"][0]
    assert not {"align", "align_price"} & set(written)


def test_the_largest_price_of_several_searches_is_kept() -> None:
    assert Alignment(4, 0.0).with_earlier(None) == Alignment(4, 0.0)
    assert Alignment(4, 0.0).with_earlier(Alignment(1, 0.5)) == Alignment(4, 0.5)
    assert Alignment(4, 0.1).with_earlier(Alignment(4, None)) == Alignment(4, 0.1)
    assert Alignment(1, None).with_earlier(Alignment(4, None)) == Alignment(1, None)
