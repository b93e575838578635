"""What is particular to lagrangian; what every solver owes is in test_lagrangian_conformance.py."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from reds_lagrangian import LagrangianSolver
from reds_lagrangian.solver import LagrangianOptions

from reds_core.knapsack import (
    Controls,
    Feature,
    Group,
    KnapsackProblem,
    Limit,
    Pair,
    Status,
    SumResource,
    load_problem,
    solve,
)
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import large, random_problem

INSTANCES = Path(__file__).parents[3] / ".." / "shared" / "instances"


def dense(groups: int, options: int, seed: int) -> KnapsackProblem:
    """Every two groups share a value and a product of widths: no elimination order is small."""
    rng = np.random.default_rng(seed)
    members = tuple(
        Group(f"g{g}", np.arange(1, options + 1), np.cumsum(rng.integers(1000, 3000, options))) for g in range(groups)
    )
    pairs = []
    for a, b in itertools.combinations(range(groups), 2):
        scores = np.sort(rng.lognormal(3, 1, options))[::-1], np.sort(rng.lognormal(3, 1, options))[::-1]
        pairs.append(Pair(a, b, np.rint(np.multiply.outer(*scores).cumsum(0).cumsum(1)).astype(np.int64)))
    problem = KnapsackProblem("dense", members, tuple(pairs), (SumResource("macs", 0, 0, (), (1,) * len(pairs)),))
    full = problem.evaluate([options - 1] * groups).usage["macs"]
    return problem.with_capacities({"macs": full // 2})


@pytest.mark.parametrize("features", [Feature.NONE, Feature.PAIR_TERMS, Feature.ALL])
def test_value_and_bound_enclose_the_optimum_closely(features: Feature) -> None:
    optimal = feasible = 0
    for seed in range(80):
        problem = random_problem(seed, features)
        truth = brute_force(problem).value
        found = solve(problem, LagrangianSolver())
        if truth is None:
            assert found.value is None
            continue
        assert found.bound is not None
        assert found.bound >= truth
        feasible += 1
        optimal += found.value == truth
    assert feasible > 30
    assert optimal >= 0.9 * feasible


def test_shared_instances_are_bounded_and_nearly_solved() -> None:
    if not INSTANCES.is_dir():
        pytest.skip("the shared instances are not here")
    optima = json.loads((INSTANCES / "optimal.json").read_text())
    for name, known in optima.items():
        found = solve(load_problem(INSTANCES / f"{name}.npz"), LagrangianSolver(), Controls(time_limit_s=20))
        optimum = known and known["value"]
        if optimum is None:
            assert found.value is None
            continue
        assert found.bound is not None
        assert found.value is not None
        assert found.value <= optimum <= found.bound
        assert found.value >= 0.99 * optimum


def test_a_dense_graph_is_solved_to_a_small_gap() -> None:
    found = solve(dense(10, 40, 0), LagrangianSolver(), Controls(time_limit_s=30))
    assert found.gap is not None
    assert found.gap < 0.01


def test_a_time_limit_leaves_a_true_bound() -> None:
    problem = large(0, LagrangianSolver.features)
    found = [solve(problem, LagrangianSolver(), Controls(time_limit_s=limit)) for limit in (1e-9, 0.05, 2.0)]
    assert (found[0].status, found[0].limit) == (Status.FEASIBLE, Limit.TIME)
    best = max(f.value for f in found if f.value is not None)
    assert all(f.bound is not None and f.bound >= best for f in found)


def test_more_sweeps_never_loosen_the_bound() -> None:
    problem = dense(8, 20, 1)
    bounds = [solve(problem, LagrangianSolver(LagrangianOptions(sweeps=n))).bound for n in (1, 10, 100)]
    assert bounds == sorted((b for b in bounds if b is not None), reverse=True)
