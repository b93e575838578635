"""Widths by name and option indices of a problem, and the widths of one ratio for all groups."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from reds_core.errors import InfeasibleError
from reds_core.problem import KnapsackProblem


def choice_of(problem: KnapsackProblem, widths: Mapping[str, int]) -> tuple[int, ...]:
    """The option indices of `widths`, each of which must be an option."""
    return tuple(int(g.widths.searchsorted(widths[g.name])) for g in problem.groups)


def free_groups(problem: KnapsackProblem) -> tuple[str, ...]:
    """The groups with more than one option, in the problem's order."""
    return tuple(g.name for g in problem.groups if g.options > 1)


def uniform_choice(problem: KnapsackProblem) -> tuple[int, ...]:
    """Option indices of the widths floor(r x channels), one ratio r for all groups, the largest that meets the budget.

    A group keeps its narrowest option at least, and never more than its ceiling. Every ratio is looked at, the largest
    first: measured costs need not fall with it.

    Raises:
        InfeasibleError: if no ratio meets the budget.
    """
    ratios = sorted({Fraction(int(w), int(g.widths[-1])) for g in problem.groups for w in g.widths})

    def at(ratio: Fraction) -> tuple[int, ...]:
        fitting = (int(g.widths.searchsorted(int(ratio * int(g.widths[-1])), side="right")) - 1 for g in problem.groups)
        return tuple(min(max(k, 0), high) for k, high in zip(fitting, problem.ceilings, strict=True))

    def meets(choice: tuple[int, ...]) -> bool:
        usage = problem.evaluate(choice).usage
        return all(usage[r.name] <= r.capacity for r in problem.resources)

    for choice in dict.fromkeys(map(at, reversed(ratios))):
        if meets(choice):
            return choice
    raise InfeasibleError(f"no common ratio of channels meets the budget of '{problem.name}'", "raise the budget")
