"""Options without channels: every solver that is installed answers problems with them as brute force does."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.knapsack import Group, KnapsackProblem, Pair, Status, SumResource, solve
from reds_core.knapsack.solver import Solver
from reds_core.registry import Registry
from reds_core.testing.oracle import brute_force


def problem(seed: int) -> KnapsackProblem:
    """A chain of groups, every other of which may have no channels; what is beside it is then cheaper."""
    rng = np.random.default_rng(seed)
    groups = []
    for place in range(4):
        widths = np.arange(0 if place % 2 else 1, 4)
        values = np.cumsum(rng.integers(1, 100, len(widths)))
        groups.append(Group(f"g{place}", widths, values - values[0]))
    pairs = [Pair(place, place + 1) for place in range(3)]
    tables = tuple(
        np.where(groups[p.first].widths[:, None] * groups[p.second].widths[None, :] > 0, int(rng.integers(1, 9)), 0)
        for p in pairs
    )
    bilinear = tuple(int(n) for n in rng.integers(1, 9, 3))
    full = sum(9 * b for b in bilinear) + sum(int(table[-1, -1]) for table in tables)
    used = SumResource("macs", full // 3, 0, (None,) * 4, bilinear, tables)
    return KnapsackProblem("skipping", tuple(groups), tuple(pairs), (used,))


@pytest.mark.parametrize("seed", range(3))
def test_every_solver_answers_as_brute_force_does(seed: int) -> None:
    stated = problem(seed)
    truth = brute_force(stated)
    solvers = Registry().solvers_for(stated)
    proven = 0
    for solver in solvers:
        solution = solve(stated, solver)
        assert solution.choice is not None, solver.name
        assert stated.evaluate(solution.choice).feasible
        proven += solution.status is Status.OPTIMAL
        if solution.status is Status.OPTIMAL:
            assert solution.value == truth.value, solver.name
    assert proven


def test_the_optimum_may_have_groups_without_channels() -> None:
    optima = [brute_force(problem(seed)).optima for seed in range(6)]
    assert any((rows[:, 1::2] == 0).any() for rows in optima)


def test_named_solvers_take_options_without_channels() -> None:
    stated, registry = problem(0), Registry()
    truth = brute_force(stated)
    for name in ("dp", "highs", "lagrangian", "greedy"):
        solution = solve(stated, registry.create(Solver, name, {}))
        assert solution.choice is not None, name
        assert (solution.value or 0) <= (truth.value or 0)
        if solution.status is Status.OPTIMAL:
            assert solution.value == truth.value, name
