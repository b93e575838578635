"""Families of small problems, solvers of several strengths, and the best nested family by brute force."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from toy_plugins import BruteSolver

from reds_core.knapsack.families.anchoring import FamilySolution
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource
from reds_core.knapsack.solution import Solution, Status
from reds_core.knapsack.solver import Feature, solve
from reds_core.testing.oracle import all_choices, brute_force, is_nested, usages_of, values_of
from reds_core.testing.problems import long_chain
from reds_core.testing.strategies import joint_problems, knapsack_problems

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
        settings=problem.settings(choice),
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
                inside = [v for smaller, v in best.items() if is_nested(problem, smaller, choice)]
                before = max(inside, default=None)
            if before is not None:
                reached[tuple(int(i) for i in choice)] = before + weight * int(value)
        best = reached
    assert best is not None
    return max(best.values(), default=None)


def best_beside(
    problem: KnapsackProblem, smaller: Sequence[int] | None = None, larger: Sequence[int] | None = None
) -> int | None:
    """The largest value of a choice that contains `smaller` and lies within `larger`."""
    choices, values = feasible(problem)
    return max(
        (
            int(value)
            for choice, value in zip(choices.tolist(), values, strict=True)
            if (smaller is None or is_nested(problem, smaller, choice))
            and (larger is None or is_nested(problem, choice, larger))
        ),
        default=None,
    )


def check_nested(family: FamilySolution, problems: Sequence[KnapsackProblem]) -> None:
    for smaller, larger in itertools.pairwise(family.members):
        assert is_nested(problems[0], smaller.choice, larger.choice)
    for member, problem in zip(family.members, problems, strict=True):
        evaluation = problem.evaluate(member.choice)
        assert evaluation.feasible
        assert member.value == evaluation.value
        assert member.solution.usage == evaluation.usage
        assert member.solution.choice == member.choice
        assert member.solution.widths == problem.widths(member.choice)
        assert member.solution.settings == problem.settings(member.choice)
        if member.bound_independent is not None:
            assert member.bound_independent >= brute_force(problem).value


@st.composite
def families(draw: st.DrawFn, features: Feature = Feature.ALL) -> list[KnapsackProblem]:
    """One to three budgets of one problem, rising, some equal; the smallest may be out of reach.

    Options are widths or rows of levels.
    """
    problem = draw(knapsack_problems(features, groups=3, options=4) | joint_problems(features, groups=3, options=4))
    usages = usages_of(problem, all_choices(problem))
    shares = sorted(draw(st.lists(st.floats(0, 1), min_size=1, max_size=3)))
    problems = []
    for share in shares:
        capacities = {r: int(np.quantile(used, share, method="lower")) for r, used in usages.items()}
        problems.append(problem.with_capacities(capacities))
    return problems


def first_infeasible(problems: Sequence[KnapsackProblem]) -> bool:
    return not len(feasible(problems[0])[0])


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


def hard_family(seed: int = 8) -> list[KnapsackProblem]:
    """Budgets that disagree so much that no anchored family is the best."""
    problem = long_chain(seed, groups=4, options=6)
    full = problem.evaluate(problem.ceilings).usage["sum"]
    return [problem.with_capacities({"sum": full * share // 8}) for share in (2, 4, 6)]
