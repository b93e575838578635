"""The family that a run chooses by default: the best of all, never below bottom-up, and honest where it was cut."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
from family_problems import best_beside, best_family, check_nested, conflict, families, first_infeasible, hard_family
from hypothesis import given, settings
from toy_framework import residual_model
from toy_plugins import BruteSolver, PluginModule, toy_registry
from toy_runs import NO_TRAINING, Workplace

from reds_core.errors import InfeasibleError
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.families.anchoring import FamilySolution, bottom_up, top_down
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer, Limit, Status
from reds_core.knapsack.solver import Claim, Control, Controls
from reds_core.plan import FamilyRecord, load_plan
from reds_core.registry import Registry
from reds_core.report.proof import family_sentence
from reds_core.report.run_page import run_page
from reds_core.runs import alignment, family_choice
from reds_core.runs.alignment import choose, options_of_multiples
from reds_core.runs.family_choice import choose_family, search_limit_s
from reds_core.runs.search import Search

FEW = settings(max_examples=40, deadline=None)
ANY_WIDTH, AUTO = WidthRules(align=1), WidthRules()


class SilentSolver(BruteSolver):
    """An exact solver that proves nothing."""

    name = "silent"
    claims = Claim.NONE

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        answer = super().solve(problem, controls)
        return Answer(Status.NO_SOLUTION if answer.choice is None else Status.FEASIBLE, answer.choice)


def search(solver: type[BruteSolver] = BruteSolver, controls: Controls | None = None) -> Search:
    return Search(Registry([PluginModule("toy", (solver,))]), solver.name, controls=controls or Controls())


def chosen(
    problems: Sequence[KnapsackProblem], rules: WidthRules = ANY_WIDTH, search_: Search | None = None
) -> FamilySolution:
    channels = {group.name: int(group.widths.max()) for group in problems[0].groups}
    return choose_family(search_ or search(), problems, rules, channels)


@given(families())
@FEW
def test_it_is_the_best_of_all_families(problems: list[KnapsackProblem]) -> None:
    if first_infeasible(problems):
        with pytest.raises(InfeasibleError):
            chosen(problems)
        return
    family = chosen(problems)
    check_nested(family, problems)
    assert family.optimal
    assert family.limit is None
    assert family.weighted_value == best_family(problems, (1,) * len(problems))
    for b, (problem, member) in enumerate(zip(problems, family.members, strict=True)):
        smaller = family.members[b - 1].choice if b else None
        larger = family.members[b + 1].choice if b + 1 < len(problems) else None
        assert member.solution.status is Status.OPTIMAL
        assert member.solution.bound == member.value == best_beside(problem, smaller, larger)


@pytest.fixture(params=[0.001, 0.2, 10.0])
def multiples_of_two(request: pytest.FixtureRequest) -> Iterator[float]:
    """Multiples of 2 at a highest price, so that small problems have both kinds of members."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(alignment, "MULTIPLE", 2)
        patched.setattr(alignment, "HIGHEST_PRICE", request.param)
        yield request.param


def test_multiples_are_kept_and_the_value_is_never_below_bottom_up(multiples_of_two: float) -> None:
    kinds = set()

    @given(families())
    @FEW
    def check(problems: list[KnapsackProblem]) -> None:
        channels = {group.name: int(group.widths.max()) for group in problems[0].groups}
        try:
            first = bottom_up(problems, lambda p: choose(search(), p, AUTO, channels))
        except InfeasibleError:
            return
        family = chosen(problems, AUTO)
        check_nested(family, problems)
        assert family.weighted_value >= first.weighted_value
        assert family.bound is not None
        assert family.bound >= family.weighted_value
        fits = options_of_multiples(problems[0], channels)
        for b, member in enumerate(family.members):
            own = member.solution.alignment
            assert own is not None
            if own.multiple == 2:
                assert all(mask[option] for mask, option in zip(fits, member.choice, strict=True))
                assert own.price is None or own.price <= multiples_of_two
            kinds.add(own.multiple)
            smaller = family.members[b - 1].choice if b else None
            larger = family.members[b + 1].choice if b + 1 < len(problems) else None
            most = best_beside(problems[b], smaller, larger)
            assert most is not None
            assert member.solution.bound is not None
            assert member.value <= most <= member.solution.bound

    check()
    assert kinds == {1, 2}


def test_where_budgets_disagree_the_larger_one_can_go_first() -> None:
    family = chosen(conflict())
    assert family.optimal
    assert family.anchor == 1
    assert [m.choice for m in family.members] == [(1, 0), (3, 0)]
    assert bottom_up(conflict(), search().choose).weighted_value < family.weighted_value


def test_a_search_that_is_cut_gives_an_anchored_family_with_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = hard_family()
    best = best_family(problems, (1, 1, 1))
    assert best is not None
    first = bottom_up(problems, search().choose)
    down = top_down(problems, search().choose)
    monkeypatch.setattr(family_choice, "LIMIT_FACTOR", 0.0)
    looks = count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(looks)))  # every look at the clock takes a second
    monkeypatch.setattr(family_choice, "LEAST_LIMIT_S", 1e9)
    assert chosen(problems).limit is None
    whole_s = next(looks)
    for share in (0.0, 0.1, 0.3, 0.5):
        monkeypatch.setattr(family_choice, "LEAST_LIMIT_S", 1e-9 + share * whole_s)
        family = chosen(problems)
        check_nested(family, problems)
        assert family.limit is Limit.TIME
        assert "the time limit was reached" in family.detail[0]
        assert family.bound is not None
        assert first.weighted_value <= family.weighted_value <= best <= family.bound
        assert family.weighted_value in (first.weighted_value, down.weighted_value)
        record = FamilyRecord.of(family, ["a", "b", "c"])
        assert record.order in ("bottom-up", "top-down")
        assert "The search for a better one stopped at the time limit." in family_sentence(record)


def test_the_search_takes_no_longer_than_a_solve_may(monkeypatch: pytest.MonkeyPatch) -> None:
    assert search_limit_s(0.5, None) == family_choice.LEAST_LIMIT_S
    assert search_limit_s(1000.0, None) == 1000.0 * family_choice.LIMIT_FACTOR
    assert search_limit_s(1000.0, 3.0) == 3.0
    given: list[float | None] = []

    class Recording(BruteSolver):
        name = "recording"
        controls = Control.TIME_LIMIT

        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            given.append(controls.time_limit_s)
            return super().solve(problem, controls)

    family = chosen(hard_family(), search_=search(Recording, Controls(time_limit_s=5.0)))
    assert family.optimal
    assert all(limit is not None and limit <= 5.0 for limit in given)


def test_a_solver_without_bounds_gives_the_better_anchored_family() -> None:
    for problems in (conflict(), hard_family()):
        family = chosen(problems, search_=search(SilentSolver))
        anchored = [kind(problems, search().choose).weighted_value for kind in (bottom_up, top_down)]
        assert family.weighted_value == max(anchored)
        assert family.anchor in (0, len(problems) - 1)
        assert family.bound is None
        assert "the solver gives no bound" in family.detail[0]


def test_a_verbose_run_says_how_good_the_family_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", "reds"):
        family = chosen(hard_family(), search_=search(controls=Controls(gap=0.5)))
    said = f" s: sum of values {family.weighted_value}, bound {family.bound}; not proved"
    assert sum(m.startswith("family of 3 subnetworks in ") and said in m for m in caplog.messages) == 1


def test_a_gap_ends_the_search() -> None:
    problems = hard_family()
    best = best_family(problems, (1, 1, 1))
    assert best is not None
    family = chosen(problems, search_=search(controls=Controls(gap=0.5)))
    assert family.limit is Limit.GAP
    assert family.bound is not None
    assert family.weighted_value < best <= family.bound <= 1.5 * family.weighted_value
    assert chosen(problems, search_=search(controls=Controls(gap=1e-9))).optimal


def test_the_plan_and_the_report_say_how_the_family_was_chosen(place: Workplace) -> None:
    asked: dict[str, Any] = {"model": residual_model(seed=7), "budgets": {"macs": [0.25, 0.55]}}
    # sums of squares: with these numbers bottom-up is not the best
    measured = dataclasses.replace(NO_TRAINING, options={"magnitude": {"normalise": "none"}})
    plan = place.prune(settings=measured, **asked)
    assert plan.family is not None
    assert plan.family.value == sum(s.value or 0 for s in plan.subnetworks)
    assert (plan.family.bound, plan.family.gap, plan.family.limit) == (plan.family.value, 0.0, None)
    assert plan.family.order == "top-down"
    assert load_plan(place.out).family == plan.family
    assert "it is proven that no family within these budgets" in run_page(plan, place.out)
    preview = place.prune(settings=measured, dry_run=True, out=place.folder / "dry", **asked)
    assert preview.family == plan.family


def test_one_after_the_other_nothing_is_said_of_the_family(place: Workplace) -> None:
    one = place.prune(settings=NO_TRAINING, budgets={"macs": 0.5})
    assert one.family is None
    assert [step.name for step in one.steps][:2] == ["score", "choose 50"]
    options = {"nested": {"family": "bottom-up"}}
    several = place.prune(settings=dataclasses.replace(NO_TRAINING, options=options), out=place.folder / "several")
    assert several.family is None
    assert family_sentence(several.family) == ""


def test_an_interrupted_search_ends_at_once(place: Workplace) -> None:
    class Pressed(BruteSolver):
        name = "pressed"
        asked = 0

        def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
            Pressed.asked += 1
            if Pressed.asked == 4:
                raise KeyboardInterrupt
            return super().solve(problem, controls)

    with pytest.raises(KeyboardInterrupt):
        place.prune(registry=toy_registry(Pressed), settings=dataclasses.replace(NO_TRAINING, solver="pressed"))
    assert Pressed.asked == 4
    resumed = place.resume(registry=toy_registry(Pressed), settings=dataclasses.replace(NO_TRAINING, solver="pressed"))
    straight = place.prune(settings=NO_TRAINING, out=place.folder / "straight")
    assert [s.widths for s in resumed.subnetworks] == [s.widths for s in straight.subnetworks]
    assert np.isfinite(resumed.subnetworks[0].wall_s or 0)
