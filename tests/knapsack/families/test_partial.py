"""The best choice that contains what is decided of some groups, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_plugins import BruteSolver

from reds_core.errors import InfeasibleError
from reds_core.knapsack.families.anchoring import choose_above
from reds_core.knapsack.families.partial import between, choose_containing
from reds_core.knapsack.levels import WIDTH, Dimension, Nesting
from reds_core.knapsack.problem import Group, KnapsackProblem
from reds_core.knapsack.solution import Solution
from reds_core.knapsack.solver import Feature, solve
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import random_problem


def exact(problem: KnapsackProblem) -> Solution:
    return solve(problem, BruteSolver())


def roomy(seed: int) -> KnapsackProblem:
    problem = random_problem(seed, Feature.PAIR_TERMS, groups=3, options=4, low=0.5, high=0.8)
    capacity = problem.resources[0].capacity
    return problem.with_capacities({problem.resources[0].name: capacity + 30})


@given(st.integers(0, 2**16), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_only_the_groups_that_are_decided_are_restricted(seed: int, chosen: int) -> None:
    problem = roomy(seed)
    random = np.random.default_rng(chosen)
    floors = [int(random.integers(g.options)) if random.integers(2) else 0 for g in problem.groups]
    decided = {
        Dimension(g.name, WIDTH): int(g.widths[floor]) for g, floor in zip(problem.groups, floors, strict=True) if floor
    }
    wanted = brute_force(problem.with_bounds(floors=floors)).value
    if wanted is None:
        with pytest.raises(InfeasibleError):
            choose_containing(problem, decided, exact)
        return
    found = choose_containing(problem, decided, exact)
    assert found.value == wanted
    assert found.bound_independent == brute_force(problem).value


@given(st.integers(0, 2**16), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_choices_between_members_are_those_that_nest_with_both(seed: int, chosen: int) -> None:
    problem = roomy(seed)
    random = np.random.default_rng(chosen)
    floors = [int(random.integers(g.options)) if random.integers(2) else 0 for g in problem.groups]
    tops = [g.options - 1 for g in problem.groups]
    ceilings = [
        int(random.integers(floor, top + 1)) if random.integers(2) else top
        for floor, top in zip(floors, tops, strict=True)
    ]
    smaller, larger = dict[Dimension, int](), dict[Dimension, int]()
    for group, floor, ceiling, top in zip(problem.groups, floors, ceilings, tops, strict=True):
        dimension = Dimension(group.name, WIDTH)
        if floor:
            smaller[dimension] = int(group.widths[floor])
        if ceiling < top:
            larger[dimension] = int(group.widths[ceiling])
    restricted = between(problem, smaller, larger)
    assert brute_force(restricted).value == brute_force(problem.with_bounds(floors, ceilings)).value
    assert restricted.groups == problem.groups, "solvers that take shares of the full width need it"
    assert (restricted.floors, restricted.ceilings) == (tuple(floors), tuple(ceilings))


def test_nothing_lies_between_members_that_are_not_nested() -> None:
    problem = roomy(7)
    group = problem.groups[0]
    dimension = Dimension(group.name, WIDTH)
    with pytest.raises(InfeasibleError, match=f"no option of {group.name} in problem"):
        between(problem, {dimension: int(group.widths[2])}, {dimension: int(group.widths[1])})


def test_a_whole_choice_restricts_as_a_smaller_member_does() -> None:
    problem = roomy(7)
    smaller = tuple(1 for _ in problem.groups)
    decided = {Dimension(g.name, WIDTH): int(g.widths[1]) for g in problem.groups}
    found, wanted = choose_containing(problem, decided, exact), choose_above(problem, smaller, exact)
    assert found.choice == wanted.choice
    assert (found.value, found.bound_independent) == (wanted.value, wanted.bound_independent)


@pytest.mark.parametrize(("nesting", "left"), [(Nesting.RISING, 8), (Nesting.EQUAL, 4), (Nesting.FREE, 8)])
def test_levels_are_restricted_as_they_nest(nesting: Nesting, left: int) -> None:
    """Bits of 4 are decided of one layer; the best is 8 unless all members have equal bits."""
    dimensions = (Dimension("g", WIDTH), Dimension("layer", "weight_bits"))
    levels = np.array([[1, 4], [1, 8], [2, 4], [2, 8]], np.int64)
    group = Group("g", levels[:, 0], np.array([1, 2, 3, 5], np.int64), dimensions, levels)
    problem = KnapsackProblem("levels", (group,), nesting={WIDTH: Nesting.RISING, "weight_bits": nesting})
    found = choose_containing(problem, {dimensions[1]: 4}, exact)
    assert int(levels[found.choice[0], 1]) == left
    below = between(problem, {}, {dimensions[1]: 4}).groups[0].levels
    assert below is not None
    assert sorted(set(below[:, 1].tolist())) == ([4, 8] if nesting is Nesting.FREE else [4])
