"""All choices of a problem that are worth a target or more.

Partial choices are extended one group at a time in the order of the shared max-sum sweeps, all of them at once. Each
carries its slacks: by how much its best completion, under several Lagrange multipliers and for each resource alone,
exceeds what a feasible choice worth the target needs. Choosing an option costs what it loses against the best of its
bucket, so slacks never rise, and a partial choice goes when one of them falls below 0. Without dominance: every choice
worth the target is wanted, not one of the best. What is left at the end is evaluated in exact integers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.knapsack.families.region import LARGEST_TABLE, Region, sweeps_entries
from reds_core.knapsack.inference.maxsum import MaxSum, Messages
from reds_core.knapsack.problem import KnapsackProblem

_SHARES = (1.0, 0.5, 0.8, 0.95, 1.05, 1.25, 2.0, 0.0)
"""Multiples of the best multipliers whose bounds cut off partial choices; those that fit the tables' limit are used."""

_BLOCK = 2**21
"""Slacks computed at a time."""


@dataclass(frozen=True)
class FamilyLimits:
    """When the search for a better family is given up.

    Attributes:
        choices: the most choices that may be enumerated for one budget.
        partial: the most partial choices at one step of an enumeration.
        solves: the most solves in branching, which follows an enumeration that was given up.
        time_limit_s: seconds of wall time, checked between solves, or None. The other limits are meant to strike first,
            so that the result does not depend on the machine.
    """

    choices: int = 20_000
    partial: int = 400_000
    solves: int = 200
    time_limit_s: float | None = 60.0


class GivenUp(Exception):
    """A limit struck before all choices were found; the text says which."""


@dataclass(frozen=True, eq=False)
class NearOptimal:
    """All feasible choices worth a target or more.

    Attributes:
        choices: option indices, int64 (choices, groups).
        values: V of each, int64 (choices,), falling.
    """

    choices: IntArray
    values: IntArray


def near_optimal(region: Region, target: int, limits: FamilyLimits, deadline: float | None = None) -> NearOptimal:
    """All feasible choices of `region` worth `target` or more.

    Args:
        region: where they are.
        target: what they must be worth.
        limits: of choices and partial choices.
        deadline: `time.perf_counter()` at which to give up, or None.

    Raises:
        GivenUp: if a limit strikes first.
    """
    positions = _positions(region, target, limits, deadline)
    kept = region.factors.kept
    found = [kept[g][positions[:, g]] for g in range(len(kept))]
    return _evaluated(region.problem, np.stack(found, axis=1), target, limits, deadline)


def _check_time(deadline: float | None) -> None:
    if deadline is not None and time.perf_counter() > deadline:
        raise GivenUp("the time limit struck")


def _evaluated(
    problem: KnapsackProblem, choices: IntArray, target: int, limits: FamilyLimits, deadline: float | None
) -> NearOptimal:
    """Those of `choices` that are feasible and worth `target`, by falling value."""
    values = []
    for start, choice in enumerate(choices.tolist()):
        if start % 1024 == 0:
            _check_time(deadline)
        evaluation = problem.evaluate(choice)
        values.append(evaluation.value if evaluation.feasible and evaluation.value >= target else None)
    good = np.array([i for i, v in enumerate(values) if v is not None], dtype=np.int64)
    if len(good) > limits.choices:
        raise GivenUp(f"more than {limits.choices} near-optimal choices")
    worth = np.array([values[i] for i in good.tolist()], dtype=np.int64)
    order = np.argsort(-worth, kind="stable")
    return NearOptimal(choices[good[order]], worth[order])


def _positions(region: Region, target: int, limits: FamilyLimits, deadline: float | None) -> IntArray:
    """Positions of all choices whose slacks stay at least 0, int64 (choices, groups)."""
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
            _check_time(deadline)
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
    """As many of the multiples as the tables' limit has room for; the first always."""
    room = LARGEST_TABLE // max(sweeps_entries(region)) - len(region.multipliers)
    return _SHARES[: max(room, 1)] if region.multipliers.any() else _SHARES[:1]


def _losses(
    sweeps: MaxSum, messages: Messages, g: int, columns: Mapping[int, IntArray], count: int
) -> tuple[IntArray, FloatArray]:
    """What each option of `g` loses against the best of its bucket, once for each assignment of its separator.

    Returns:
        For each of `count` partial choices the row of the losses, and the losses, float64 (rows, options of g, k).
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
