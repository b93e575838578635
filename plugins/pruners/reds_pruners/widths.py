"""The groups of a problem that have a choice, and the choice of one ratio for all groups."""

from __future__ import annotations

from reds_core.errors import InfeasibleError
from reds_core.knapsack import KnapsackProblem, choice_at_largest_ratio


def free_groups(problem: KnapsackProblem) -> tuple[str, ...]:
    """The groups with more than one option, in the problem's order."""
    return tuple(g.name for g in problem.groups if g.options > 1)


def uniform_choice(problem: KnapsackProblem) -> tuple[int, ...]:
    """The option indices of the widths floor(r x channels), where r is the largest ratio that meets the budget.

    The ratio is the same for all groups.

    Raises:
        InfeasibleError: if no ratio meets the budget.
    """
    choice = choice_at_largest_ratio(problem)
    if choice is None:
        raise InfeasibleError(f"no common ratio of channels meets the budget of '{problem.name}'", "raise the budget")
    return choice
