"""Joint families where too many choices remain to enumerate: branching against brute force."""

from __future__ import annotations

import pytest
from family_problems import (
    EXAMPLES,
    best_family,
    check_nested,
    exact,
    families,
    first_infeasible,
    hard_family,
    loosely_bounded,
    without_bound,
)
from hypothesis import given
from hypothesis import strategies as st

from reds_core.errors import NoChoiceError
from reds_core.knapsack.families.anchoring import Solve
from reds_core.knapsack.families.joint_family import joint
from reds_core.knapsack.families.limits import FamilyLimits, TableTooLarge
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Solution, Status
from reds_core.testing.oracle import brute_force


@given(families(), st.sampled_from([exact, loosely_bounded, without_bound]))
@EXAMPLES
def test_branching_finds_and_proves_the_best_where_nothing_is_enumerated(
    problems: list[KnapsackProblem], solver: Solve
) -> None:
    if first_infeasible(problems):
        return
    family = joint(problems, solver, limits=FamilyLimits(choices=0, solves=1000))
    best = best_family(problems, (1,) * len(problems))
    assert best is not None
    check_nested(family, problems)
    assert family.bound is not None
    assert family.weighted_value <= best <= family.bound
    assert bool(family.detail) != family.optimal
    if solver is exact:
        assert family.weighted_value == best
        assert family.optimal


def test_branching_improves_on_the_anchored_families() -> None:
    problems = hard_family()
    family = joint(problems, exact, limits=FamilyLimits(choices=0))
    assert family.optimal
    assert family.weighted_value == best_family(problems, (1, 1, 1))
    assert all(m.solution.status is Status.OPTIMAL and m.solution.gap == 0.0 for m in family.members)


@pytest.mark.parametrize("solves", [1, 2, 4, 8])
def test_branching_stops_at_its_limit_with_a_true_bound(solves: int) -> None:
    problems = hard_family()
    best = best_family(problems, (1, 1, 1))
    family = joint(problems, exact, limits=FamilyLimits(choices=0, solves=solves))
    assert best is not None
    assert family.bound is not None
    assert family.weighted_value <= best <= family.bound
    check_nested(family, problems)
    assert family.optimal or f"{solves} solves" in family.detail[0]
    assert solves > 1 or not family.optimal
    assert 0 < family.solves <= solves + 3


def test_branching_goes_on_where_the_solver_stops_now_and_then() -> None:
    problems = hard_family()
    asked: list[KnapsackProblem] = []

    def tired(problem: KnapsackProblem) -> Solution:
        asked.append(problem)
        if len(asked) > 12 and len(asked) % 3 == 0:
            raise NoChoiceError("stopped", "give it time")
        return exact(problem)

    family = joint(problems, tired, limits=FamilyLimits(choices=0))
    best = best_family(problems, (1, 1, 1))
    assert best is not None
    assert family.bound is not None
    assert family.weighted_value <= best <= family.bound
    assert len(asked) > 12


def test_a_network_too_dense_for_max_sum_is_answered_by_branching(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = hard_family()

    def dense(problem: KnapsackProblem, **limits: object) -> None:
        raise TableTooLarge("too large")

    monkeypatch.setattr("reds_core.knapsack.families.joint_family.whole", dense)
    family = joint(problems, exact)
    assert family.optimal
    assert family.weighted_value == best_family(problems, (1, 1, 1))
    family = joint(problems, exact, limits=FamilyLimits(solves=0))
    assert not family.optimal
    assert family.bound == sum(brute_force(p).value or 0 for p in problems)
    assert joint(problems, without_bound).bound is None
