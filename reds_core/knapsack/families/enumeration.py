"""Enumeration of all choices of a problem that are worth at least a target.

All partial choices are extended together, one group at a time, in the order of the max-sum sweeps. Each carries its
slacks: by how much its best completion, under several Lagrange multipliers and for each resource alone, exceeds what a
feasible choice worth the target needs. Choosing an option costs its loss against the best option of its bucket. Slacks
therefore never rise, and a partial choice is dropped as soon as one of them is below 0. There is no dominance between
partial choices, because every choice worth the target is wanted. The complete choices are evaluated in exact integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack.families.limits import FamilyLimits, GivenUp, check_time
from reds_core.knapsack.families.region import LARGEST_TABLE, Region, sweeps_entries
from reds_core.knapsack.inference.maxsum import MaxSum
from reds_core.knapsack.inference.messages import Messages
from reds_core.knapsack.problem import KnapsackProblem

_SHARES = (1.0, 0.5, 0.8, 0.95, 1.05, 1.25, 2.0, 0.0)
"""Multiples of the best multipliers whose bounds cut off partial choices; used as far as the tables have room."""

_BLOCK = 2**21
"""The number of slacks that are computed at a time."""


@dataclass(frozen=True, eq=False)
class NearOptimal:
    """All feasible choices worth at least a target, best first.

    Attributes:
        choices: option indices, int64 (choices, groups).
        values: value of each choice, int64 (choices,), in falling order.
    """

    choices: IntArray
    values: IntArray


def near_optimal(region: Region, target: int, limits: FamilyLimits, deadline: float | None = None) -> NearOptimal:
    """Enumerate the feasible choices of `region` that are worth at least `target`.

    Args:
        region: the options to choose from.
        target: the smallest value of interest.
        limits: limits on the numbers of choices and partial choices.
        deadline: `time.perf_counter()` at which to give up, or None.

    Raises:
        GivenUp: if a limit is reached first.
    """
    positions = _positions(region, target, limits, deadline)
    kept = region.factors.kept
    found = [kept[g][positions[:, g]] for g in range(len(kept))]
    return _evaluated(region.problem, np.stack(found, axis=1), target, limits, deadline)


def _evaluated(
    problem: KnapsackProblem, choices: IntArray, target: int, limits: FamilyLimits, deadline: float | None
) -> NearOptimal:
    """The `choices` that are feasible and worth at least `target`, by falling value."""
    values = []
    for start, choice in enumerate(choices.tolist()):
        if start % 1024 == 0:
            check_time(deadline)
        evaluation = problem.evaluate(choice)
        values.append(evaluation.value if evaluation.feasible and evaluation.value >= target else None)
    good = np.array([i for i, v in enumerate(values) if v is not None], dtype=np.int64)
    if len(good) > limits.choices:
        raise GivenUp(f"more than {limits.choices} near-optimal choices")
    worth = np.array([values[i] for i in good.tolist()], dtype=np.int64)
    order = np.argsort(-worth, kind="stable")
    return NearOptimal(choices[good[order]], worth[order])


def _positions(region: Region, target: int, limits: FamilyLimits, deadline: float | None) -> IntArray:
    """The positions of all choices whose slacks are never below 0, int64 (choices, groups)."""
    sweeps = region.sweeps()
    weights = region.weights(_shares(region))
    messages = sweeps.sweep(weights)
    slacks = region.slacks(messages, target)[None]
    columns: dict[int, IntArray] = {}
    count = 1
    if slacks.min() < 0:
        return np.zeros((0, len(sweeps.sizes)), np.int64)
    for g in sweeps.processing:
        row, losses = _losses(sweeps, messages, g, columns, count)
        parents, options, left = [], [], []
        step = max(_BLOCK // (losses.shape[1] * losses.shape[2]), 1)
        kept = 0
        for start in range(0, count, step):
            check_time(deadline)
            part = slice(start, min(start + step, count))
            new = slacks[part, None, :] - losses[row[part]]
            parent, option = np.nonzero((new >= 0).all(axis=2))
            parents.append(parent + start)
            options.append(option)
            left.append(new[parent, option])
            kept += len(parent)
            if kept > limits.partial:
                raise GivenUp(f"more than {limits.partial} partial choices")
        if not kept:
            return np.zeros((0, len(sweeps.sizes)), np.int64)
        parent, slacks, count = np.concatenate(parents), np.concatenate(left), kept
        columns = {a: column[parent] for a, column in columns.items()}
        columns[g] = np.concatenate(options)
    return np.stack([columns[g] for g in range(len(sweeps.sizes))], axis=1)


def _shares(region: Region) -> tuple[float, ...]:
    """As many of the multiples as the size limit of the tables has room for, but always the first."""
    room = LARGEST_TABLE // max(sweeps_entries(region)) - len(region.multipliers)
    return _SHARES[: max(room, 1)] if region.multipliers.any() else _SHARES[:1]


def _losses(
    sweeps: MaxSum, messages: Messages, g: int, columns: Mapping[int, IntArray], count: int
) -> tuple[IntArray, FloatArray]:
    """The loss of each option of `g` against the best of its bucket, for each distinct assignment of its separator.

    Returns:
        The row of each of the `count` partial choices, int64 (count,), and the losses, float64 (rows, options of g, k).
    """
    separator = sweeps.separators[g]
    numbers = np.zeros(count, np.int64)
    for a in separator:
        numbers = numbers * sweeps.sizes[a] + columns[a]
    _, first, row = np.unique(numbers, return_index=True, return_inverse=True)
    at = {a: columns[a][first] for a in separator}
    table = sweeps.rows(g, messages, at, len(first))
    entry: tuple[slice | IntArray, ...] = (slice(None), *at.values())
    best = messages.upward[g][entry] if separator else messages.upward[g][:, None]
    return row, np.ascontiguousarray((best[:, :, None] - table).transpose(1, 2, 0))
