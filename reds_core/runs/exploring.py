"""The best single networks over a range of limits of each resource with a budget, before any training."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from reds_core.cost.budget import SubnetworkBudget
from reds_core.errors import RedsError
from reds_core.formulation.statement import Statement
from reds_core.knapsack.cheapest import cheapest_choice
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Limit
from reds_core.network.axis import Kept
from reds_core.plan_details import Exploration, ExploredBudget
from reds_core.runs.search import Search
from reds_core.scoring.scorer import ScoreTable

POINTS = 50
"""The number of limits of each resource."""
SECONDS = 5.0
"""The time in seconds that all explorations of a run may take. What was not solved by then is left out."""


def explore(
    statement: Statement,
    scores: ScoreTable,
    order: Kept,
    budgets: Sequence[SubnetworkBudget],
    search: Search,
    seconds: float = SECONDS,
) -> tuple[Exploration, ...]:
    """Solve the problem of a single network for evenly spaced limits of each resource with a budget.

    The other resources are not limited, the widths are not nested with those of others, and no common multiple of
    widths is sought. The limits are solved from coarse to fine, so that they are evenly thinned if the time does not
    suffice. A point that a limit of time or memory stopped is left out, so that each point is the same in every run.

    Args:
        statement: The network, and how its resources are counted.
        scores: The scores of the channels, and the values of levels.
        order: The order of the channels of each group.
        budgets: The budgets of the run.
        search: The solver of the run.
        seconds: The time that all solves together may take.

    Returns:
        One exploration for each resource that can be stated and solved, in the order of the budgets.
    """
    limited = {resource: budget for budget in budgets for resource in budget.amounts}
    found, ends = [], time.monotonic() + seconds
    for place, (resource, budget) in enumerate(limited.items()):
        alone = dataclasses.replace(budget, amounts={resource: budget.amounts[resource]})
        now = time.monotonic()
        until = now + max(ends - now, 0.0) / (len(limited) - place)  # what one resource leaves, the others get
        try:
            problem = statement.formulate(scores, alone, order).problem
            explored = _explored(problem, resource, statement, search, until)
        except RedsError:  # the run has its networks; a solver that fails here only costs the picture of others
            continue
        if explored.points:
            found.append(explored)
    return tuple(found)


def _explored(
    problem: KnapsackProblem, resource: str, statement: Statement, search: Search, until: float
) -> Exploration:
    """Explore the only resource of `problem` until a time of `time.monotonic`."""
    full = tuple(group.options - 1 for group in problem.groups)
    most = max(problem.evaluate(full).usage[resource], statement.full_usage(resource))
    least = _least_use(problem, resource)
    limits = sorted({round(limit) for limit in np.linspace(least, most, POINTS).tolist()})
    points: dict[int, ExploredBudget] = {}
    for limit in _coarse_to_fine(limits):
        left = until - time.monotonic()
        if left <= 0:
            break
        known = search.controls.time_limit_s
        controls = dataclasses.replace(search.controls, time_limit_s=left if known is None else min(left, known))
        solution = dataclasses.replace(search, controls=controls).answer(problem.with_capacities({resource: limit}))
        if solution.choice is None or solution.value is None or solution.limit in (Limit.TIME, Limit.MEMORY):
            continue
        widths = {**statement.network.channels, **problem.widths(solution.choice)}
        points[limit] = ExploredBudget(
            limit=limit,
            widths=widths,
            usage=statement.usage(widths, solution.settings),
            value=solution.value,
            bound=solution.bound,
            settings=solution.settings or None,
        )
    return Exploration(resource, tuple(points[limit] for limit in sorted(points)), problem.evaluate(full).value)


def _least_use(problem: KnapsackProblem, resource: str) -> int:
    """The use of the narrowest network, or less if another option of a group is cheaper than its first."""
    narrowest = problem.evaluate((0,) * len(problem.groups)).usage[resource]
    choice = cheapest_choice(problem.with_capacities({resource: narrowest}))
    return narrowest if choice is None else min(narrowest, problem.evaluate(choice).usage[resource])


def _coarse_to_fine(limits: Sequence[int]) -> Iterator[int]:
    """The first and the last limit, then those between, each time about halving the gaps that are left."""
    last = len(limits) - 1
    seen: set[int] = set()
    denominator = 1
    while len(seen) < len(limits):
        for numerator in range(denominator + 1):
            place = round(Fraction(numerator * last, denominator))
            if place not in seen:
                seen.add(place)
                yield limits[place]
        denominator *= 2
