"""Families of nested choices: one knapsack a budget, each within the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reds_core.problem import KnapsackProblem
from reds_core.solution import Solution

Solve = Callable[[KnapsackProblem], Solution]


@dataclass(frozen=True)
class NestedSolution:
    """One member of a family.

    Attributes:
        solution: of the problem under the floors that nesting sets.
        bound_independent: proven upper limit on the value without those floors, or None.
    """

    solution: Solution
    bound_independent: int | None


def choose_above(problem: KnapsackProblem, smaller: Sequence[int] | None, solve: Solve) -> NestedSolution:
    """The best choice of `problem` that contains the choice `smaller` (option indices), and the bound without it.

    This is one step of REDS's bottom-up family (arXiv 2311.13349): what a smaller subnetwork keeps, every larger one
    keeps.
    """
    if smaller is None:
        solution = solve(problem)
        return NestedSolution(solution, solution.bound)
    floors = [max(own, low) for own, low in zip(problem.floors, smaller, strict=True)]
    solution = solve(problem.with_bounds(floors=floors))
    return NestedSolution(solution, solve(problem).bound)


def bottom_up(problems: Sequence[KnapsackProblem], solve: Solve) -> tuple[NestedSolution, ...]:
    """A nested family, smallest budget first: `problems` differ in their capacities only, in rising order."""
    members: list[NestedSolution] = []
    for problem in problems:
        smaller = members[-1].solution.choice if members else None
        members.append(choose_above(problem, smaller, solve))
    return tuple(members)
