"""Hypothesis strategies for knapsack problems. Needs hypothesis, which is imported when a strategy is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from reds_core.arrays import IntArray, Table
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, Resource, SumResource
from reds_core.knapsack.solver import Feature
from reds_core.testing.problems import leveled

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = [
    "joint_problems",
    "knapsack_problems",
]


def joint_problems(
    features: Feature = Feature.ALL, groups: int = 4, options: int = 4
) -> SearchStrategy[KnapsackProblem]:
    """Problems like those of `knapsack_problems`, in which the options of most groups are rows of levels.

    Levels of every nesting occur; see `reds_core.testing.problems.leveled`.

    Args:
        groups: the most groups.
        options: the most options of a group.
    """
    from hypothesis import strategies as st

    def stated(problem: KnapsackProblem, seed: int) -> KnapsackProblem:
        return replace(leveled(problem, seed), name=problem.name)

    return st.builds(stated, knapsack_problems(features, groups, options), st.integers(0, 2**16))


def knapsack_problems(
    features: Feature = Feature.ALL, groups: int = 4, options: int = 4
) -> SearchStrategy[KnapsackProblem]:
    """Problems with at most `features`, small enough for `oracle.brute_force`; they shrink towards few small numbers.

    Args:
        groups: the most groups.
        options: the most options of a group.
    """
    from hypothesis import strategies as st

    @st.composite
    def problems(draw: DrawFn) -> KnapsackProblem:
        def number(low: int, high: int) -> int:
            return draw(st.integers(low, high))

        def table(shape: tuple[int, ...], low: int, high: int) -> Table:
            if not draw(st.booleans()):
                return None
            size = int(np.prod(shape))
            entries = draw(st.lists(st.integers(low, high), min_size=size, max_size=size))
            return np.array(entries, np.int64).reshape(shape)

        def zeros_if_none(found: Table, size: int) -> IntArray:
            return np.zeros(size, np.int64) if found is None else found

        members = []
        for g in range(number(1, groups)):
            count = number(1, options)
            widths = np.cumsum([number(1, 4) for _ in range(count)])
            members.append(Group(f"g{g}", widths, zeros_if_none(table((count,), -20, 50), count)))
        counts = [m.options for m in members]
        pairs = []
        if Feature.PAIR_TERMS in features and len(members) > 1:
            possible = [(a, b) for a in range(len(members)) for b in range(a)]
            for a, b in draw(st.lists(st.sampled_from(possible), max_size=4, unique=True)):
                pairs.append(Pair(a, b, table((counts[a], counts[b]), -20, 30)))
        resources: list[Resource] = []
        for r in range(number(0, 3 if Feature.MULTI_RESOURCE in features else 1)):
            costs = tuple(table((n,), -3, 12) for n in counts)
            bilinear = tuple(number(0, 2) for _ in pairs)
            pair_costs = tuple(table((counts[p.first], counts[p.second]), -3, 12) for p in pairs)
            resources.append(SumResource(f"sum{r}", number(-5, 60), number(0, 5), costs, bilinear, pair_costs))
        if Feature.PEAK in features and draw(st.booleans()):
            steps = []
            for _ in range(number(0, 3)):
                chosen = draw(st.lists(st.integers(0, len(members) - 1), max_size=3, unique=True))
                step_costs = tuple(table((counts[g],), 0, 12) for g in chosen)
                steps.append(PeakStep(number(0, 5), tuple(chosen), step_costs))
            resources.append(PeakResource("peak", number(0, 40), tuple(steps)))
        floors: tuple[int, ...] = ()
        ceilings: tuple[int, ...] = ()
        if Feature.BOUNDS in features and draw(st.booleans()):
            floors = tuple(number(0, n - 1) for n in counts)
            ceilings = tuple(number(low, n - 1) for low, n in zip(floors, counts, strict=True))
        return KnapsackProblem("generated", tuple(members), tuple(pairs), tuple(resources), floors, ceilings)

    return problems()
