"""All solvers of the linear model, on models without presolve: a gap ends the search, and a start is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Limit, Solution, Status
from reds_core.knapsack.solver import Controls, Feature, Solver, solve
from reds_core.registry import Registry
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import correlated

pytestmark = pytest.mark.parametrize("name", ["cpsat", "scipy-milp", "pulp", "highs", "scip", "gurobi"])


def solved(name: str, problem: KnapsackProblem, **controls: Any) -> Solution:
    registry = Registry()
    if name not in registry.available(Solver):
        pytest.skip(f"the library behind {name} is not installed")
    return solve(problem, registry.create(Solver, name, {name: {"presolve": False}}), Controls(**controls))


def test_a_gap_ends_the_search(name: str) -> None:
    problem = correlated(0, Feature.PAIR_TERMS)
    truth = brute_force(problem).value
    solution = solved(name, problem, gap=0.5, seed=0, threads=1)
    assert truth is not None
    assert solution.value is not None
    assert solution.bound is not None
    assert solution.value <= truth <= solution.bound
    assert solution.limit is (None if solution.status is Status.OPTIMAL else Limit.GAP)


def test_a_search_that_starts_at_the_optimum_proves_it(name: str) -> None:
    problem = correlated(1, Feature.PAIR_TERMS)
    optimum = tuple(int(i) for i in brute_force(problem).optima[0])
    solution = solved(name, problem, hint=optimum)
    assert (solution.status, solution.value) == (Status.OPTIMAL, problem.evaluate(optimum).value)
