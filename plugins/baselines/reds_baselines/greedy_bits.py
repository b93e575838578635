"""Bits of layers by a greedy rule: the layer that loses least for each byte saved is given fewer bits, repeatedly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from reds_baselines.bits import Mask, bits_not_above, most_bits
from reds_core.knapsack import Evaluation, KnapsackProblem


def greedy_bits(problem: KnapsackProblem, allowed: Sequence[Mask]) -> list[Mask]:
    """Lower bits, starting from the most that are allowed, until all capacities hold or nothing more can be saved.

    A step lowers the bits of one layer by one level, or those of several layers at once if their bits are only offered
    in common. Of all steps, the one that loses the least value for each byte saved is taken. What is saved counts for
    the resources whose capacity is exceeded, as a share of that capacity.

    Args:
        problem: The problem.
        allowed: The options of each group, which differ in nothing but bits.

    Returns:
        The one option of each group that is left. It may still exceed a capacity. A group without options keeps none.
    """
    if not all(mask.any() for mask in allowed):
        return list(allowed)
    choice = [most_bits(group, mask) for group, mask in zip(problem.groups, allowed, strict=True)]
    found = problem.evaluate(choice)
    while not found.feasible:
        steps = []
        for index, option in _steps_down(problem, allowed, choice):
            lower = problem.evaluate([*choice[:index], option, *choice[index + 1 :]])
            saved = _saved(problem, found, lower)
            if saved > 0:
                steps.append(((found.value - lower.value) / saved, index, option))
        if not steps:
            break
        _, index, option = min(steps)
        choice[index] = option
        found = problem.evaluate(choice)
    return [np.arange(group.options) == option for group, option in zip(problem.groups, choice, strict=True)]


def _steps_down(problem: KnapsackProblem, allowed: Sequence[Mask], choice: Sequence[int]) -> list[tuple[int, int]]:
    """For each group, the options with fewer bits than that of `choice` but no option in between."""
    steps = []
    for index, (group, mask, now) in enumerate(zip(problem.groups, allowed, choice, strict=True)):
        below = {int(o) for o in np.flatnonzero(mask & bits_not_above(group, now))} - {now}
        reached: Mapping[int, Mask] = {option: bits_not_above(group, option) for option in below}
        steps += [(index, o) for o in sorted(below) if not any(reached[other][o] for other in below - {o})]
    return steps


def _saved(problem: KnapsackProblem, before: Evaluation, after: Evaluation) -> float:
    """How much less is used of the resources that are exceeded, as shares of their capacities."""
    return sum(
        (before.usage[r.name] - after.usage[r.name]) / max(r.capacity, 1)
        for r in problem.resources
        if before.usage[r.name] > r.capacity
    )
