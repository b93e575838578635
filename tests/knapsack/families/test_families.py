"""Families of nested choices against brute force over every nested family."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from family_problems import (
    EXAMPLES,
    best_beside,
    best_family,
    check_nested,
    conflict,
    exact,
    families,
    first_infeasible,
    hard_family,
    loosely_bounded,
    without_bound,
)
from hypothesis import given
from hypothesis import strategies as st

from reds_core.errors import InfeasibleError, InputError, NoChoiceError
from reds_core.knapsack.families.anchoring import Solve, anchored, bottom_up, choose_above, top_down
from reds_core.knapsack.families.joint_family import joint
from reds_core.knapsack.families.limits import FamilyLimits
from reds_core.knapsack.levels import WIDTH, Dimension, Nesting
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, SumResource
from reds_core.knapsack.solution import Solution, Status
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import long_chain


@given(families(), st.data(), st.sampled_from([exact, without_bound, loosely_bounded]))
@EXAMPLES
def test_joint_is_the_best_of_all_families_whoever_solves(
    problems: list[KnapsackProblem], data: st.DataObject, solver: Solve
) -> None:
    weights = data.draw(st.lists(st.integers(1, 5), min_size=len(problems), max_size=len(problems)))
    if first_infeasible(problems):
        with pytest.raises(InfeasibleError):
            joint(problems, solver, weights)
        return
    family = joint(problems, solver, weights)
    check_nested(family, problems)
    assert family.optimal
    assert family.weighted_value == best_family(problems, weights)
    assert family.weighted_value == sum(w * m.value for w, m in zip(weights, family.members, strict=True))


@given(families(), st.sampled_from([exact, without_bound, loosely_bounded]), st.sampled_from([bottom_up, top_down]))
@EXAMPLES
def test_anchored_families_are_nested_and_bounded(problems: list[KnapsackProblem], solver: Solve, kind: object) -> None:
    assert callable(kind)
    try:
        family = kind(problems, solver)
    except InfeasibleError:
        assert first_infeasible(problems) or kind is top_down
        return
    check_nested(family, problems)
    best = best_family(problems, (1,) * len(problems))
    assert best is not None
    assert family.weighted_value <= best
    if family.bound is None:
        assert solver is without_bound
    else:
        assert family.bound >= best
        assert family.optimal <= (family.weighted_value == best)


@given(families())
@EXAMPLES
def test_every_member_is_the_best_beside_the_one_decided_before(problems: list[KnapsackProblem]) -> None:
    if first_infeasible(problems):
        return
    for anchor in range(len(problems)):
        try:
            members = anchored(problems, exact, anchor).members
        except InfeasibleError:
            continue
        assert members[anchor].value == brute_force(problems[anchor]).value
        for b, problem in enumerate(problems):
            if b < anchor:
                assert members[b].value == best_beside(problem, larger=members[b + 1].choice)
            if b > anchor:
                assert members[b].value == best_beside(problem, smaller=members[b - 1].choice)


@given(families())
@EXAMPLES
def test_members_of_a_joint_family_are_optimal_between_their_neighbours(problems: list[KnapsackProblem]) -> None:
    if first_infeasible(problems):
        return
    family = joint(problems, exact)
    for b, (problem, member) in enumerate(zip(problems, family.members, strict=True)):
        smaller = family.members[b - 1].choice if b else None
        larger = family.members[b + 1].choice if b + 1 < len(problems) else None
        assert member.value == best_beside(problem, smaller, larger)
        assert member.solution.bound is not None
        assert member.solution.bound >= member.value
        if member.solution.status is Status.OPTIMAL:
            assert (member.solution.bound, member.solution.gap) == (member.value, 0.0)


def test_bottom_up_pays_where_the_budgets_disagree() -> None:
    up, down, best = (kind(conflict(), exact) for kind in (bottom_up, top_down, joint))
    assert [m.value for m in up.members] == [10, 19]
    assert [m.choice for m in down.members] == [m.choice for m in best.members] == [(1, 0), (3, 0)]
    assert best.optimal
    assert not up.optimal


def test_joint_finds_what_no_anchored_family_reaches() -> None:
    problems = hard_family()
    best = joint(problems, exact)
    assert best.optimal
    assert best.weighted_value == best_family(problems, (1, 1, 1))
    assert all(anchored(problems, exact, a).weighted_value < best.weighted_value for a in range(3))
    assert all(count > 0 for count in best.enumerated)


def test_weights_decide_who_gives_way() -> None:
    problems = conflict()
    for weights in [(1, 1), (100, 1), (1, 100)]:
        family = joint(problems, exact, weights)
        assert family.optimal
        assert family.weighted_value == best_family(problems, weights)
    assert joint(problems, exact, (100, 1)).members[0].choice == (0, 1)
    assert joint(problems, exact, (1, 100)).members[1].choice == (3, 0)


@pytest.mark.parametrize(
    "limits",
    [FamilyLimits(choices=0, solves=0), FamilyLimits(partial=1, solves=0), FamilyLimits(time_limit_s=1e-9)],
    ids=["choices", "partial", "time"],
)
def test_at_a_limit_the_best_anchored_family_comes_with_a_bound(limits: FamilyLimits) -> None:
    problems = hard_family()
    best = joint(problems, exact)
    stopped = joint(problems, exact, limits=limits)
    assert best.optimal
    assert best.weighted_value == best_family(problems, (1, 1, 1))
    assert not stopped.optimal
    assert stopped.bound is not None
    assert stopped.weighted_value <= best.weighted_value <= stopped.bound
    every = [anchored(problems, exact, a).weighted_value for a in range(3)]
    assert stopped.weighted_value == max(every)
    assert "not proved" in stopped.detail[0]


def test_a_budget_that_cannot_be_met_is_refused_with_the_least() -> None:
    problems = [conflict()[0].with_capacities({"sum": -1}), *conflict()]
    for kind in (bottom_up, top_down, joint):
        with pytest.raises(InfeasibleError, match="least that can be reached: sum 0"):
            kind(problems, exact)


def test_top_down_says_where_nothing_fits_inside_a_larger_choice() -> None:
    """Costs that fall as widths rise: the small budget needs the wide option that the large one does not want."""
    groups = (Group("a", np.array([1, 2]), np.array([5, 0])),)
    costs = (np.array([9, 1]),)
    problems = [KnapsackProblem("falling", groups, (), (SumResource("sum", c, 0, costs),)) for c in (2, 9)]
    with pytest.raises(InfeasibleError):
        top_down(problems, exact)
    family = joint(problems, exact)
    assert family.optimal
    assert [m.choice for m in family.members] == [(1,), (1,)]


def shared_bits() -> list[KnapsackProblem]:
    """Two members that share the bits of a layer: alone, the small one would take 4 bits and the large one 8 bits."""
    dimensions = (Dimension("a", WIDTH), Dimension("conv", "bits"))
    levels = np.array([[1, 4], [2, 4], [1, 8], [2, 8]])
    group = Group("a", levels[:, 0], np.array([5, 6, 7, 20]), dimensions, levels)
    costs = SumResource("bits", 0, 0, (levels.prod(axis=1),))
    problem = KnapsackProblem("shared bits", (group,), (), (costs,), nesting={"bits": Nesting.EQUAL})
    return [problem.with_capacities({"bits": capacity}) for capacity in (4, 16)]


def test_members_that_share_bits_have_the_same_bits() -> None:
    up = bottom_up(shared_bits(), exact)
    assert [m.solution.settings.at("conv", "bits") for m in up.members] == [4, 4]
    assert [m.value for m in up.members] == [5, 6]
    with pytest.raises(InfeasibleError, match="at the levels that the members decided before share"):
        top_down(shared_bits(), exact)
    best = joint(shared_bits(), exact)
    assert best.optimal
    assert [m.choice for m in best.members] == [(0,), (1,)]


def test_choose_above_says_that_no_choice_has_the_levels_of_the_smaller_member() -> None:
    small = shared_bits()[0]
    assert choose_above(small, (0,), exact).choice == (0,)
    with pytest.raises(InfeasibleError, match="least that can be reached: bits 8"):
        choose_above(small, (2,), exact)
    only_eight = small.with_bounds(floors=(2,))
    with pytest.raises(InfeasibleError, match=r"no choice .* is nested with the members decided before"):
        choose_above(only_eight.with_capacities({"bits": 16}), (0,), exact)


def test_members_with_files_of_their_own_choose_bits_freely() -> None:
    problems = [replace(problem, nesting={"bits": Nesting.FREE}) for problem in shared_bits()]
    for kind in (bottom_up, top_down, joint):
        family = kind(problems, exact)
        assert family.optimal
        assert [m.choice for m in family.members] == [(0,), (3,)]


def test_one_budget_is_solved_once() -> None:
    asked = []

    def counted(problem: KnapsackProblem) -> Solution:
        asked.append(problem)
        return exact(problem)

    family = joint(conflict()[:1], counted)
    assert family.optimal
    assert len(asked) == 1


def test_equal_budgets_have_equal_values() -> None:
    problems = conflict(3)[1:]
    for kind in (bottom_up, top_down, joint):
        family = kind(problems, exact)
        assert family.optimal
        assert family.members[0].value == family.members[1].value


def test_a_solve_that_nests_by_itself_is_not_repeated() -> None:
    asked = []

    def counted(problem: KnapsackProblem) -> Solution:
        asked.append(problem)
        return exact(problem)

    problem = long_chain(1, groups=3, options=4)
    roomy = problem.evaluate(problem.ceilings).usage["sum"]
    bottom_up([problem.with_capacities({"sum": roomy + extra}) for extra in (0, 1, 2)], counted)
    assert len(asked) == 3


def test_a_solver_that_stops_without_a_choice_is_an_error() -> None:
    def idle(problem: KnapsackProblem) -> Solution:
        return dataclasses.replace(exact(problem), status=Status.NO_SOLUTION, choice=None, value=None, bound=None)

    for kind in (bottom_up, top_down, joint):
        with pytest.raises(NoChoiceError):
            kind(conflict(), idle)


def test_a_solver_that_finds_some_budgets_only_still_gives_a_family() -> None:
    """The smallest budget solved freely fails; inside a larger choice it succeeds."""
    problems = conflict()

    def picky(problem: KnapsackProblem) -> Solution:
        if problem.resources[0].capacity == 2 and problem.ceilings == (3, 3):
            raise NoChoiceError("stopped", "give it time")
        return exact(problem)

    with pytest.raises(NoChoiceError):
        bottom_up(problems, picky)
    family = joint(problems, picky)
    assert family.optimal
    assert family.weighted_value == best_family(problems, (1, 1))


@pytest.mark.parametrize("kind", [bottom_up, top_down, joint])
def test_what_is_no_family_is_refused(kind: object) -> None:
    assert callable(kind)
    small, large = conflict()
    other = long_chain(0, groups=2, options=3)
    renamed = KnapsackProblem("renamed", small.groups, (), (SumResource("other", 6),))
    for problems, message in [
        ([], "no budgets"),
        ([large, small], "falling capacities"),
        ([small, other], "different groups"),
        ([small, renamed], "different resources"),
    ]:
        with pytest.raises(InputError, match=message):
            kind(problems, exact)


@pytest.mark.parametrize("weights", [(1,), (1, 0), (1, -1), (1, 1.5), (1, True)])
def test_weights_must_be_whole_and_above_zero(weights: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="weights"):
        joint(conflict(), exact, weights)


def test_weights_that_could_overflow_are_refused() -> None:
    with pytest.raises(InputError, match="smaller weights"):
        joint(conflict(), exact, (2**61, 2**61))


def test_the_budgets_of_a_family_share_their_tables() -> None:
    rng = np.random.default_rng(0)
    groups = tuple(Group(f"g{g}", np.arange(1, 4), rng.integers(0, 9, 3)) for g in range(2))
    pairs = (Pair(0, 1, rng.integers(0, 9, (3, 3)), rng.random((3, 3))),)
    problem = KnapsackProblem("p", groups, pairs, (SumResource("r", 9, 0, (None, rng.integers(0, 9, 3)), (2,)),))
    table = problem.pair_cost(problem.sum_resources[0], 0)
    for variant in (problem.with_capacities({"r": 5}), problem.with_bounds(floors=(1, 0))):
        resource = variant.sum_resources[0]
        assert variant.groups[0].values is problem.groups[0].values
        assert variant.pairs[0].values is problem.pairs[0].values
        assert variant.pairs[0].kernel is problem.pairs[0].kernel
        assert resource.costs[1] is problem.sum_resources[0].costs[1]
        assert variant.pair_cost(resource, 0) is table


def test_read_only_views_of_arrays_that_may_change_are_copied() -> None:
    values = np.array([1, 2, 3])
    view = values.view()
    view.setflags(write=False)
    group = Group("a", np.arange(1, 4), view)
    values[0] = 99
    assert group.values.tolist() == [1, 2, 3]
