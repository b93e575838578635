"""What solvers that read an option as a number of channels say about other problems."""

from __future__ import annotations

from reds_core.knapsack import KnapsackProblem


def refusal_of_levels(problem: KnapsackProblem) -> str | None:
    """Why a solver that needs options to be widths alone cannot take `problem`, or None if it can."""
    if not problem.has_levels:
        return None
    leveled = next(g.name for g in problem.groups if g.dimensions)
    return f"it chooses numbers of channels alone, and the options of group '{leveled}' are rows of levels"
