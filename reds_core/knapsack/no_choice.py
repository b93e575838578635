"""Errors for solutions without a choice: the budgets cannot be met, or the solver found no choice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reds_core.errors import InfeasibleError, NoChoiceError
from reds_core.knapsack.problem import KnapsackProblem, SumResource
from reds_core.knapsack.solution import Solution, Status


def least_usage(problem: KnapsackProblem) -> Mapping[str, int]:
    """For each resource taken alone, a lower bound on its usage by any choice between the floors and ceilings.

    The bound is exact if a single choice minimises every term. That holds for every network, because its costs rise
    with widths.

    Returns:
        Usage by resource name, in the unit of the resource.
    """
    allowed = [slice(low, high + 1) for low, high in zip(problem.floors, problem.ceilings, strict=True)]
    least = {}
    for resource in problem.resources:
        if isinstance(resource, SumResource):
            total = resource.base
            total += sum(int(c[s].min()) for c, s in zip(resource.costs, allowed, strict=True) if c is not None)
            for k, pair in enumerate(problem.pairs):
                table = problem.pair_cost(resource, k)
                total += 0 if table is None else int(table[allowed[pair.first], allowed[pair.second]].min())
        else:
            steps = [
                s.base + sum(int(c[allowed[g]].min()) for g, c in zip(s.groups, s.costs, strict=True) if c is not None)
                for s in resource.steps
            ]
            total = int(np.max(steps)) if steps else 0
        least[resource.name] = total
    return least


def without_choice(problem: KnapsackProblem, solution: Solution) -> InfeasibleError | NoChoiceError:
    """The error for a solution that holds no choice."""
    if solution.status is Status.INFEASIBLE:
        return _infeasible(problem)
    why = f" at its {solution.limit.value} limit" if solution.limit else ""
    return NoChoiceError(
        f"solver '{solution.solver}' stopped{why} without a choice for problem '{problem.name}'",
        "give it more time, or choose another solver or larger budgets",
    )


def _infeasible(problem: KnapsackProblem) -> InfeasibleError:
    """The error for a problem that no choice satisfies. It reports the least usage that can be reached."""
    for group, low, high in zip(problem.groups, problem.floors, problem.ceilings, strict=True):
        if low > high:
            return InfeasibleError(f"the floor of group '{group.name}' is above its ceiling", "lower the floor")
    least = least_usage(problem)
    asked = ", ".join(f"{r.name} {r.capacity}" for r in problem.resources)
    reached = ", ".join(f"{name} {amount}" for name, amount in least.items())
    beyond = [r.name for r in problem.resources if least[r.name] > r.capacity]
    if beyond or len(least) == 1:
        fix = f"raise the budget of {', '.join(beyond or least)}"
    else:
        fix = "raise a budget: each can be met alone, but not all together"
    return InfeasibleError(f"no subnetwork meets the budget {asked} (the least that can be reached: {reached})", fix)
