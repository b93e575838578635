"""The best single networks over a range of limits of each resource with a budget, before any training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from reds_core.cost.budget import SubnetworkBudget
from reds_core.errors import RedsError
from reds_core.formulation.statement import Statement
from reds_core.knapsack.cheapest import cheapest_choice
from reds_core.knapsack.inference import largest_table
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solver import Controls, Solver, solve
from reds_core.network.axis import Kept
from reds_core.plan_details import Exploration, ExploredBudget
from reds_core.runs.search import Search
from reds_core.scoring.scorer import ScoreTable

POINTS = 50
"""The number of limits of each resource, unless the problem is large."""
FEWEST_POINTS = 10
"""The number of limits of each resource of the largest problems that are explored."""
SMALL_TABLE, LARGEST_TABLE = 2**19, 2**22
"""Entries of the largest table of a problem: up to the first there are all points, above the second there are none."""
MEMORY_BYTES = 256 * 2**20
"""The memory limit of each solve. It is the same on every machine, since it decides what can be proven."""


def explore(
    statement: Statement,
    scores: ScoreTable,
    order: Kept,
    budgets: Sequence[SubnetworkBudget],
    search: Search,
) -> tuple[Exploration, ...]:
    """Solve the problem of a single network for evenly spaced limits of each resource with a budget.

    The other resources are not limited, the widths are not nested with those of others, and no common multiple of
    widths is sought. The size of the problem decides how many limits there are. The solver is the first of those that
    `auto` would try whose work a limit of memory bounds. No clock is read, so the result is the same on a busy machine.

    Args:
        statement: The network, and how its resources are counted.
        scores: The scores of the channels, and the values of levels.
        order: The order of the channels of each group.
        budgets: The budgets of the run.
        search: The solvers to choose from, and their options.

    Returns:
        One exploration for each resource that can be stated and solved, in the order of the budgets.
    """
    limited = {resource: budget for budget in budgets for resource in budget.amounts}
    found = []
    for resource, budget in limited.items():
        alone = dataclasses.replace(budget, amounts={resource: budget.amounts[resource]})
        try:
            problem = statement.formulate(scores, alone, order).problem
            solver = _solver(problem, search)
            explored = None if solver is None else _explored(problem, resource, statement, solver)
        except RedsError:  # the run has its networks; a solver that fails here only costs the picture of others
            continue
        if explored is not None and explored.points:
            found.append(explored)
    return tuple(found)


def _solver(problem: KnapsackProblem, search: Search) -> Solver | None:
    """The first solver of `auto` whose work a limit of memory bounds; None if there is none."""
    solvers = search.registry.solvers_for(problem, search.settings)
    return next((solver for solver in solvers if solver.memory_bounds_work), None)


def points_of(problem: KnapsackProblem) -> int:
    """How many limits are explored: fewer for problems whose tables are large, and none for the largest."""
    entries = largest_table(problem)
    if entries > LARGEST_TABLE:
        return 0
    return POINTS if entries <= SMALL_TABLE else max(POINTS * SMALL_TABLE // entries, FEWEST_POINTS)


def _explored(problem: KnapsackProblem, resource: str, statement: Statement, solver: Solver) -> Exploration:
    """Explore the only resource of `problem`, from the smallest limit to the use of the full network."""
    full = tuple(group.options - 1 for group in problem.groups)
    most = max(problem.evaluate(full).usage[resource], statement.full_usage(resource))
    least = _least_use(problem, resource)
    points = list[ExploredBudget]()
    best: tuple[int, ...] | None = None
    for limit in sorted({round(limit) for limit in np.linspace(least, most, points_of(problem)).tolist()}):
        controls = Controls(hint=best, memory_limit_bytes=MEMORY_BYTES)  # what a smaller limit allows, this one does
        solution = solve(problem.with_capacities({resource: limit}), solver, controls)
        if solution.choice is None or solution.value is None:
            continue
        best = solution.choice
        widths = {**statement.network.channels, **problem.widths(solution.choice)}
        point = ExploredBudget(
            limit=limit,
            widths=widths,
            usage=statement.usage(widths, solution.settings),
            value=solution.value,
            bound=solution.bound,
            settings=solution.settings or None,
        )
        points.append(point)
    return Exploration(resource, tuple(points), problem.evaluate(full).value)


def _least_use(problem: KnapsackProblem, resource: str) -> int:
    """The use of the narrowest network, or less if another option of a group is cheaper than its first."""
    narrowest = problem.evaluate((0,) * len(problem.groups)).usage[resource]
    choice = cheapest_choice(problem.with_capacities({resource: narrowest}))
    return narrowest if choice is None else min(narrowest, problem.evaluate(choice).usage[resource])
