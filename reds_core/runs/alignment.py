"""Choices whose widths are multiples of 4, where these cost almost nothing.

Kernels of processors, and of training, are faster at such widths. Unless the rules of a run name a number of which
widths are multiples, every problem is solved twice: with all widths and with multiples of 4. The second choice is taken
if its value is close enough to what is possible with all widths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.formulation.width_rules import WidthRules
from reds_core.knapsack.problem import Group, KnapsackProblem
from reds_core.knapsack.solution import Alignment, Limit, Solution, Status, relative_gap
from reds_core.runs.search import Search

MULTIPLE = 4
"""The number of which widths are multiples. Fine-tuning is slower at other widths (docs/guide/finetuning.md)."""
HIGHEST_PRICE = 0.001
"""The largest share of its value that a choice of multiples may lack of what is possible with all widths."""


def choose(
    search: Search, problem: KnapsackProblem, rules: WidthRules, channels: Mapping[str, int] | None = None
) -> Solution:
    """Solve a problem, with widths in multiples of `MULTIPLE` if the rules leave that open and it costs little.

    The price of a choice of multiples is (bound - value) / |value|, as for every gap and for thinned widths. The bound
    is the proven one on the value with all widths, or the value found with all widths if the solver proves no bound.
    The choice is taken if its price is at most `HIGHEST_PRICE`, or if it is worth no less than the one found with all
    widths.

    Args:
        search: The solver and its limits, which apply to each of the two solves.
        problem: The problem, with all widths that the rules allow.
        rules: The rules for widths.
        channels: The full number of channels of each group, which need not be a multiple. None means the largest width
            of each group in the problem.

    Returns:
        A solution of `problem`: bound and gap refer to all of its widths. If the rules leave the multiple open, its
        `alignment` says which choice was taken, and at what price.

    Raises:
        InfeasibleError: If no choice is feasible; the message says the least that can be reached.
        NoChoiceError: If the solver stopped before it found one.
    """
    found = search.choose(problem)
    value = found.value
    if rules.align is not None or found.choice is None or value is None:
        return found
    bound = value if found.bound is None else found.bound
    fits = options_of_multiples(problem, channels)
    if _is_aligned(fits, found.choice):
        return replace(found, alignment=Alignment(MULTIPLE, relative_gap(value, bound)))
    options = [
        _aligned_options(fitting, low, high)
        for fitting, low, high in zip(fits, problem.floors, problem.ceilings, strict=True)
    ]
    aligned_problem = problem.restricted(options)
    aligned = search.answer(aligned_problem.problem)
    found = replace(found, wall_s=found.wall_s + aligned.wall_s)
    if aligned.choice is None or aligned.value is None:
        return replace(found, alignment=Alignment(1, None))
    price = relative_gap(aligned.value, max(bound, aligned.value))
    is_cheap = price is not None and price <= HIGHEST_PRICE
    if not is_cheap and aligned.value < value:
        return replace(found, alignment=Alignment(1, price))
    choice = aligned_problem.outer(aligned.choice)
    limit = found.limit or aligned.limit
    if limit is Limit.GAP and not search.controls.is_close_enough(aligned.value, found.bound):
        limit = None  # each search reached the gap, but their difference adds to it
    multiple = MULTIPLE if _is_aligned(fits, choice) else 1  # floors and ceilings may exclude all multiples
    return replace(
        aligned,
        choice=choice,
        status=Status.OPTIMAL if aligned.value == found.bound else Status.FEASIBLE,
        limit=limit,
        bound=found.bound,
        gap=relative_gap(aligned.value, found.bound),
        wall_s=found.wall_s,
        alignment=Alignment(multiple, price),
    )


def has_multiples(solution: Solution) -> bool:
    """Whether a run decided that the widths of a solution are multiples of `MULTIPLE`, or the full ones."""
    return solution.alignment is not None and solution.alignment.multiple == MULTIPLE


def options_of_multiples(problem: KnapsackProblem, channels: Mapping[str, int] | None = None) -> list[BoolArray]:
    """For each group, which options have a width that is a multiple of `MULTIPLE` or the full one, bool (options,).

    Args:
        problem: The problem.
        channels: As for `choose`.
    """
    return [_fits(group, (channels or {}).get(group.name)) for group in problem.groups]


def _is_aligned(fits: Sequence[BoolArray], choice: Sequence[int]) -> bool:
    """Whether each group keeps a multiple of `MULTIPLE`, or all of its channels."""
    return all(fitting[option] for fitting, option in zip(fits, choice, strict=True))


def _fits(group: Group, channels: int | None) -> BoolArray:
    """Whether the width of each option, at any level, is a multiple of `MULTIPLE` or the full one, bool (options,)."""
    full = group.widths.max() if channels is None else channels
    fits: BoolArray = (group.widths % MULTIPLE == 0) | (group.widths == full)
    return fits


def _aligned_options(fits: BoolArray, low: int, high: int) -> IntArray:
    """The options between floor and ceiling that fit, or all between them if none does; int64 (kept,)."""
    allowed = np.arange(low, high + 1)
    fitting = allowed[fits[allowed]]
    return fitting if fitting.size else allowed
