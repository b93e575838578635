"""The first choice of a sequence that is within all budgets, for pruning rules with a single parameter."""

from __future__ import annotations

import numpy as np

from reds_core.arrays import BoolArray, IntArray
from reds_core.knapsack.problem import KnapsackProblem, PeakResource, PeakStep, SumResource


def first_within(problem: KnapsackProblem, choices: IntArray) -> tuple[int, ...] | None:
    """The first row of `choices` that is within all budgets, or None.

    All rows are examined, because usage need not fall along the sequence.

    Args:
        problem: the problem.
        choices: option indices within floors and ceilings, int64 (choices, groups).
    """
    fits = np.ones(len(choices), bool)
    for resource in problem.resources:
        if isinstance(resource, PeakResource):
            fits &= _within_peak(resource, choices)
        else:
            fits &= _sum_usage(problem, resource, choices) <= resource.capacity
    found = np.flatnonzero(fits)
    return tuple(int(k) for k in choices[found[0]]) if found.size else None


def _sum_usage(problem: KnapsackProblem, resource: SumResource, choices: IntArray) -> IntArray:
    usage = np.full(len(choices), resource.base, np.int64)
    for g, costs in enumerate(resource.costs):
        if costs is not None:
            usage += costs[choices[:, g]]
    row = 1 + problem.sum_resources.index(resource)
    for pair, terms in zip(problem.pairs, problem.pair_terms, strict=True):
        term = terms[row]
        if term is not None:
            usage += term.along(choices[:, pair.first], choices[:, pair.second])
    return usage


def _within_peak(resource: PeakResource, choices: IntArray) -> BoolArray:
    # without steps the usage is 0
    fits = np.ones(len(choices), bool)
    for step in resource.steps or (PeakStep(0),):
        usage = np.full(len(choices), step.base, np.int64)
        for g, costs in zip(step.groups, step.costs, strict=True):
            if costs is not None:
                usage += costs[choices[:, g]]
        fits &= usage <= resource.capacity
    return fits
