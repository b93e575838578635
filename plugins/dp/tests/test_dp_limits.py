"""Limits of time and memory on problems whose tables are large."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from reds_core import Registry
from reds_core.knapsack import Controls, Group, KnapsackProblem, Limit, Pair, Solver, Status, SumResource, solve
from reds_core.knapsack.inference import open_sizes, table_bytes


def star(leaves: int, inner: int, outer: int, resources: int = 3) -> KnapsackProblem:
    """A group of `inner` options joined with `leaves` groups of `outer` by bilinear terms; no tables in the problem."""
    rng = np.random.default_rng(0)
    sizes = [inner] + [outer] * leaves
    groups = tuple(Group(f"g{i}", np.arange(1, n + 1), np.arange(n) ** 2 * 100 // n) for i, n in enumerate(sizes))
    sums = []
    for r in range(resources):
        factors = tuple(int(c) for c in rng.integers(1, 9, leaves))
        sums.append(SumResource(f"r{r}", sum(factors) * inner * outer // 2, 0, (), factors))
    return KnapsackProblem("star", groups, tuple(Pair(0, i) for i in range(1, leaves + 1)), tuple(sums))


@pytest.mark.parametrize("name", ["dp", "lagrangian", "cpsat", "scipy-milp", "scipy-lp", "pulp"])
def test_what_passes_the_memory_limit_is_told_before_it_is_allocated(name: str) -> None:
    """Tables of 8 GB: 60 pairs of 1,024 x 4,096 options, a value and three resources."""
    problem, solver = star(60, 1024, 4096), Registry().create(Solver, name)
    assert table_bytes(problem, open_sizes(problem)) > 8 * 10**9
    tracemalloc.start()
    found = solve(problem, solver, Controls(60.0, memory_limit_bytes=2**30))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.status, found.limit) == (Status.FEASIBLE, Limit.MEMORY)
    assert found.choice == problem.floors
    assert peak < 2**26


@pytest.mark.parametrize("name", ["dp", "lagrangian"])
def test_tables_stay_within_the_memory_limit(name: str) -> None:
    """With just enough for them, and with next to nothing above that for what is made of them."""
    problem, solver = star(4, 256, 512), Registry().create(Solver, name)
    needed = table_bytes(problem, open_sizes(problem))
    for limit in (needed + 2**16, 2 * needed):
        tracemalloc.start()
        found = solve(problem, solver, Controls(60.0, memory_limit_bytes=limit))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found.choice is not None
        assert peak < limit + 2**23
    refused = solve(problem, solver, Controls(60.0, memory_limit_bytes=needed - 1))
    assert (refused.status, refused.limit) == (Status.FEASIBLE, Limit.MEMORY)


@pytest.mark.parametrize("name", ["dp", "lagrangian", "cpsat", "greedy"])
def test_large_tables_are_built_by_the_clock(name: str) -> None:
    """Their 500 MB take much longer than the limit, and so do the ten milliseconds of greedy, which builds none."""
    problem, solver = star(2, 3000, 3000, resources=2), Registry().create(Solver, name)
    started = time.process_time()
    found = solve(problem, solver, Controls(1e-4))
    assert time.process_time() - started < 0.5
    assert (found.status, found.limit) == (Status.FEASIBLE, Limit.TIME)
    assert found.bound is None or found.bound >= (found.value or 0)
