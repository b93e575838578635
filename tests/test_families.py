"""Families of nested choices against brute force over every nested family."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_plugins import BruteSolver

from reds_core.enumeration import FamilyLimits, GivenUp, NearOptimal, near_optimal
from reds_core.errors import InfeasibleError, InputError, NoChoiceError
from reds_core.joint import best_chain, joint
from reds_core.nested import NestedFamily, Solve, anchored, bottom_up, top_down
from reds_core.problem import Group, KnapsackProblem, Pair, SumResource
from reds_core.region import TableTooLarge, narrow, whole
from reds_core.solution import Solution, Status
from reds_core.solver import Feature, solve
from reds_core.testing.oracle import all_choices, brute_force, usages_of, values_of
from reds_core.testing.problems import long_chain, peak_of_three, scaled
from reds_core.testing.strategies import knapsack_problems

EXAMPLES = settings(max_examples=150, deadline=None)


def exact(problem: KnapsackProblem) -> Solution:
    return solve(problem, BruteSolver())


def without_bound(problem: KnapsackProblem) -> Solution:
    """Some feasible choice, the last, and nothing proved."""
    best = exact(problem)
    if best.choice is None:
        return best
    choice = tuple(int(i) for i in feasible(problem)[0][-1])
    evaluation = problem.evaluate(choice)
    return dataclasses.replace(
        best,
        status=Status.FEASIBLE,
        choice=choice,
        value=evaluation.value,
        bound=None,
        gap=None,
        widths=problem.widths(choice),
        usage=evaluation.usage,
    )


def loosely_bounded(problem: KnapsackProblem) -> Solution:
    solution = exact(problem)
    if solution.bound is None:
        return solution
    return dataclasses.replace(solution, status=Status.FEASIBLE, bound=solution.bound + 7)


def feasible(problem: KnapsackProblem) -> tuple[np.ndarray, np.ndarray]:
    """All feasible choices and their values."""
    choices = all_choices(problem)
    usages = usages_of(problem, choices)
    fits = np.ones(len(choices), bool)
    for resource in problem.resources:
        fits &= usages[resource.name] <= resource.capacity
    return choices[fits], values_of(problem, choices[fits])


def best_family(problems: Sequence[KnapsackProblem], weights: Sequence[int]) -> int | None:
    """The largest weighted value of all nested families."""
    best: dict[tuple[int, ...], int] | None = None
    for problem, weight in zip(problems, weights, strict=True):
        reached = {}
        for choice, value in zip(*feasible(problem), strict=True):
            if best is None:
                before: int | None = 0
            else:
                inside = [v for smaller, v in best.items() if all(a <= b for a, b in zip(smaller, choice, strict=True))]
                before = max(inside, default=None)
            if before is not None:
                reached[tuple(int(i) for i in choice)] = before + weight * int(value)
        best = reached
    assert best is not None
    return max(best.values(), default=None)


def check_nested(family: NestedFamily, problems: Sequence[KnapsackProblem]) -> None:
    for smaller, larger in itertools.pairwise(family.members):
        assert all(a <= b for a, b in zip(smaller.choice, larger.choice, strict=True))
    for member, problem in zip(family.members, problems, strict=True):
        evaluation = problem.evaluate(member.choice)
        assert evaluation.feasible
        assert member.value == evaluation.value
        assert member.solution.usage == evaluation.usage
        assert member.solution.widths == problem.widths(member.choice)
        if member.bound_independent is not None:
            assert member.bound_independent >= brute_force(problem).value


@st.composite
def families(draw: st.DrawFn, features: Feature = Feature.ALL) -> list[KnapsackProblem]:
    """One to three budgets of one problem, rising, some equal; the smallest may be out of reach."""
    problem = draw(knapsack_problems(features, groups=3, options=4))
    usages = usages_of(problem, all_choices(problem))
    shares = sorted(draw(st.lists(st.floats(0, 1), min_size=1, max_size=3)))
    problems = []
    for share in shares:
        capacities = {r: int(np.quantile(used, share, method="lower")) for r, used in usages.items()}
        problems.append(problem.with_capacities(capacities))
    return problems


def first_infeasible(problems: Sequence[KnapsackProblem]) -> bool:
    return not len(feasible(problems[0])[0])


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
                ceilings = np.minimum(problem.ceilings, members[b + 1].choice)
                assert members[b].value == brute_force(problem.with_bounds(ceilings=ceilings)).value
            if b > anchor:
                floors = np.maximum(problem.floors, members[b - 1].choice)
                assert members[b].value == brute_force(problem.with_bounds(floors=floors)).value


@given(families())
@EXAMPLES
def test_members_of_a_joint_family_are_optimal_between_their_neighbours(problems: list[KnapsackProblem]) -> None:
    if first_infeasible(problems):
        return
    family = joint(problems, exact)
    for b, (problem, member) in enumerate(zip(problems, family.members, strict=True)):
        floors = np.maximum(problem.floors, family.members[b - 1].choice) if b else problem.floors
        ceilings = np.array(problem.ceilings)
        if b + 1 < len(problems):
            ceilings = np.minimum(ceilings, family.members[b + 1].choice)
        assert member.value == brute_force(problem.with_bounds(floors, ceilings)).value
        assert member.solution.bound is not None
        assert member.solution.bound >= member.value
        if member.solution.status is Status.OPTIMAL:
            assert (member.solution.bound, member.solution.gap) == (member.value, 0.0)


def conflict(budgets: int = 2) -> list[KnapsackProblem]:
    """Alone, the small budget would choose (0, 1) and the large (3, 0), which does not contain it."""
    groups = (
        Group("a", np.arange(1, 5), np.array([0, 8, 9, 30])),
        Group("b", np.arange(1, 5), np.array([0, 10, 11, 12])),
    )
    costs = (np.array([0, 2, 4, 6]), np.array([0, 2, 4, 6]))
    return [
        KnapsackProblem(f"conflict-{c}", groups, (), (SumResource("sum", c, 0, costs),)) for c in (2, 6, 6)[:budgets]
    ]


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


def hard_family(seed: int = 8) -> list[KnapsackProblem]:
    """Budgets that disagree so much that no anchored family is the best."""
    problem = long_chain(seed, groups=4, options=6)
    full = problem.evaluate(problem.ceilings).usage["sum"]
    return [problem.with_capacities({"sum": full * share // 8}) for share in (2, 4, 6)]


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

    def dense(problem: KnapsackProblem) -> None:
        raise TableTooLarge("too large")

    monkeypatch.setattr("reds_core.joint.whole", dense)
    family = joint(problems, exact)
    assert family.optimal
    assert family.weighted_value == best_family(problems, (1, 1, 1))
    family = joint(problems, exact, limits=FamilyLimits(solves=0))
    assert not family.optimal
    assert family.bound == sum(brute_force(p).value or 0 for p in problems)
    assert joint(problems, without_bound).bound is None


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


# --- enumeration ----------------------------------------------------------------------------------------------------


@given(knapsack_problems(groups=4, options=4), st.integers(0, 30))
@EXAMPLES
def test_all_choices_worth_a_target_are_found(problem: KnapsackProblem, below: int) -> None:
    choices, values = feasible(problem)
    region = whole(problem)
    if not len(values):
        assert region is None or narrow(region, -problem.magnitude) is None or not len(listed(problem, -1000).values)
        return
    target = int(values.max()) - below
    assert region is not None
    assert region.bound >= values.max()
    expected = {tuple(c) for c in choices[values >= target].tolist()}
    found = listed(problem, target)
    assert {tuple(c) for c in found.choices.tolist()} == expected
    assert len(found.choices) == len(expected)
    assert found.values.tolist() == sorted(values[values >= target].tolist(), reverse=True)


def listed(problem: KnapsackProblem, target: int) -> NearOptimal:
    region = whole(problem)
    left = None if region is None else narrow(region, target)
    if left is None:
        return NearOptimal(np.zeros((0, len(problem.groups)), np.int64), np.zeros(0, np.int64))
    return near_optimal(left, target, FamilyLimits())


@given(knapsack_problems(groups=3, options=3), st.integers(0, 30))
@EXAMPLES
def test_values_beyond_the_precision_of_floats_lose_no_choice(problem: KnapsackProblem, below: int) -> None:
    """Above 2^53 float sums cannot tell neighbouring values apart; their error is covered."""
    large = scaled(problem, 2**48 + 1)
    choices, values = feasible(large)
    if not len(values):
        return
    target = int(values.max()) - below * 2**48
    expected = {tuple(c) for c in choices[values >= target].tolist()}
    assert {tuple(c) for c in listed(large, target).choices.tolist()} == expected


def test_nothing_is_worth_more_than_the_optimum() -> None:
    problem = long_chain(5, groups=4, options=5)
    optimum = brute_force(problem).value
    assert optimum is not None
    assert len(listed(problem, optimum).values) >= 1
    assert not len(listed(problem, optimum + 1).values)


def test_a_table_beyond_the_limit_is_refused_before_it_is_built() -> None:
    groups = tuple(Group(f"g{g}", np.arange(1, 5), np.arange(4)) for g in range(3))
    triangle = KnapsackProblem("triangle", groups, (Pair(0, 1), Pair(1, 2), Pair(0, 2)))
    assert whole(triangle, 64) is not None
    with pytest.raises(TableTooLarge, match="64 entries"):
        whole(triangle, 63)


@pytest.mark.parametrize("seed", range(5))
def test_peaks_that_do_not_fit_the_tables_are_still_respected(seed: int) -> None:
    """Groups that only a peak joins: no table holds its mask, so that choices are checked at the end."""
    problem = peak_of_three(seed)
    choices, values = feasible(problem)
    target = int(np.quantile(values, 0.8))
    region = whole(problem, 30)
    assert region is not None
    assert all(len(mask.scope) == 2 for mask in region.factors.masks)
    found = near_optimal(region, target, FamilyLimits())
    assert {tuple(c) for c in found.choices.tolist()} == {tuple(c) for c in choices[values >= target].tolist()}


@pytest.mark.parametrize("limits", [FamilyLimits(choices=3), FamilyLimits(partial=3)])
def test_limits_are_kept(limits: FamilyLimits) -> None:
    region = whole(long_chain(5, groups=4, options=5))
    assert region is not None
    with pytest.raises(GivenUp, match="more than 3"):
        near_optimal(region, 0, limits)


@given(st.integers(0, 2**16), st.integers(1, 3), st.integers(1, 40))
@EXAMPLES
def test_the_best_chain_of_lists_is_found(seed: int, levels: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    lists = []
    for b in range(levels):
        values = np.sort(rng.integers(-20, 20, size))[::-1].copy()
        lists.append(NearOptimal(rng.integers(0, 4, (size, 2)) + b // 2, values))
    weights = rng.integers(1, 4, levels).tolist()
    best = -math.inf
    for chain in itertools.product(range(size), repeat=levels) if size**levels < 4000 else ():
        picked = [lists[b].choices[i] for b, i in enumerate(chain)]
        if all((a <= c).all() for a, c in itertools.pairwise(picked)):
            best = max(
                best, sum(w * int(lists[b].values[i]) for b, (w, i) in enumerate(zip(weights, chain, strict=True)))
            )
    if best == -math.inf:
        return
    goal = int(best)
    for asked in (goal, goal - 5):
        chain_found = best_chain(lists, weights, asked)
        assert chain_found is not None
        picked = [lists[b].choices[i] for b, i in enumerate(chain_found)]
        assert all((a <= c).all() for a, c in itertools.pairwise(picked))
        assert (
            sum(w * int(lists[b].values[i]) for b, (w, i) in enumerate(zip(weights, chain_found, strict=True))) == goal
        )
    assert best_chain(lists, weights, goal + 1) is None
