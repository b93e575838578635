"""What is particular to dp: proofs on every shape of problem; what every solver owes is in test_dp_conformance.py."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from reds_dp import DpSolver
from reds_dp.solver import DpOptions

from reds_core.knapsack import (
    Controls,
    Group,
    KnapsackProblem,
    Limit,
    Pair,
    PeakResource,
    PeakStep,
    Resource,
    Solution,
    Status,
    SumResource,
    load_problem,
    solve,
    why_not,
)
from reds_core.testing.oracle import brute_force, chain_optimum
from reds_core.testing.problems import large, long_chain

INSTANCES = Path(__file__).parents[3] / ".." / "shared" / "instances"


def _edges(shape: str, groups: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    possible = list(itertools.combinations(range(groups), 2))
    rng.shuffle(possible)
    edges = {
        "chain": [(g, g + 1) for g in range(groups - 1)],
        "star": [(0, g) for g in range(1, groups)],
        "dense": possible,
        "some": possible[: int(rng.integers(0, len(possible) + 1))],
        "none": [],
    }[shape]
    return [(int(a), int(b)) if rng.random() < 0.5 else (int(b), int(a)) for a, b in edges]


def awkward(seed: int, shape: str) -> KnapsackProblem:
    """Up to five groups; 0 to 3 sums and 0 to 2 peaks; either sign; values near 2^58 and costs near 10^11; tight."""
    rng = np.random.default_rng([seed, len(shape)])
    count = int(rng.integers(1, 6))
    sizes = [int(n) for n in rng.integers(1, 7, count)]
    value_scale = int(rng.choice([1, 3, 10**5, 2**40, 2**52]))
    cost_scale = int(rng.choice([1, 1000, 10**10]))
    groups = []
    for g, n in enumerate(sizes):
        values = rng.integers(-5, 50, n) * value_scale if rng.random() < 0.8 else np.full(n, 7 * value_scale)
        groups.append(Group(f"g/{g}", np.sort(rng.choice(np.arange(1, 40), n, replace=False)), values))
    edges = _edges(shape, count, rng)
    pairs = [
        Pair(a, b, rng.integers(-20, 60, (sizes[a], sizes[b])) * value_scale if rng.random() < 0.6 else None)
        for a, b in edges
    ]
    resources: list[Resource] = []
    for r in range(int(rng.integers(0, 4))):
        costs = tuple(
            rng.integers(-3, 30, n) * cost_scale + rng.integers(0, 3, n) if rng.random() < 0.6 else None for n in sizes
        )
        tables = tuple(
            rng.integers(-4, 40, (sizes[a], sizes[b])) * cost_scale if rng.random() < 0.4 else None for a, b in edges
        )
        bilinear = tuple(int(rng.integers(-1, 5)) for _ in edges)
        resources.append(SumResource(f"sum{r}", 0, int(rng.integers(-5, 30)) * cost_scale, costs, bilinear, tables))
    for r in range(int(rng.integers(0, 3))):
        steps = []
        for _ in range(int(rng.integers(0, 5))):
            chosen = tuple(int(g) for g in rng.choice(count, int(rng.integers(0, min(count, 4) + 1)), replace=False))
            steps.append(
                PeakStep(int(rng.integers(-3, 10)), chosen, tuple(rng.integers(0, 30, sizes[g]) for g in chosen))
            )
        resources.append(PeakResource(f"peak{r}", 0, tuple(steps)))
    bounds = [sorted(int(i) for i in rng.integers(0, n, 2)) if rng.random() < 0.4 else [0, n - 1] for n in sizes]
    problem = KnapsackProblem(
        f"awkward-{shape}-{seed}",
        tuple(groups),
        tuple(pairs),
        tuple(resources),
        tuple(b[0] for b in bounds),
        tuple(b[1] for b in bounds),
    )
    choices = [[int(rng.integers(low, high + 1)) for low, high in bounds] for _ in range(2)]
    usages = [problem.evaluate(c).usage for c in choices]
    return problem.with_capacities(
        {
            r.name: usages[int(rng.random() < 0.2)][r.name] + int(rng.choice([-20, -1, 0, 0, 0, 1, 20]))
            for r in resources
        }
    )


def _assert_proven(solution: Solution, optimum: int | None) -> None:
    assert solution.status is (Status.INFEASIBLE if optimum is None else Status.OPTIMAL)
    assert solution.value == optimum
    assert solution.bound == optimum


@pytest.mark.parametrize("shape", ["chain", "star", "dense", "some", "none"])
@pytest.mark.parametrize("block", range(4))
def test_agrees_with_brute_force(shape: str, block: int) -> None:
    feasible = 0
    for seed in range(30 * block, 30 * block + 30):
        problem = awkward(seed, shape)
        optimum = brute_force(problem).value
        _assert_proven(solve(problem, DpSolver()), optimum)
        feasible += optimum is not None
    assert feasible > 5


@pytest.mark.parametrize("shape", ["some", "dense"])
def test_peak_steps_that_fit_no_table_are_checked_label_by_label(shape: str) -> None:
    """With tables limited to the pairs', steps over three or four groups have no mask."""
    for seed in range(60):
        problem = awkward(seed, shape)
        for limit in (1, 8):
            solver = DpSolver(DpOptions(table_limit=limit))
            answer = solver.solve(problem, Controls())
            optimum = brute_force(problem).value
            assert answer.status is (Status.INFEASIBLE if optimum is None else Status.OPTIMAL)
            assert answer.bound == optimum


def test_every_shared_instance_is_proven() -> None:
    if not INSTANCES.is_dir():
        pytest.skip("the shared instances are not here")
    optima = json.loads((INSTANCES / "optimal.json").read_text())
    for name, known in optima.items():
        problem = load_problem(INSTANCES / f"{name}.npz")
        _assert_proven(solve(problem, DpSolver(), Controls(time_limit_s=20)), known and known["value"])


@pytest.mark.parametrize("linked", [False, True])
def test_long_chains_agree_with_a_table_over_every_unit_of_capacity(linked: bool) -> None:
    for seed in range(3):
        problem = long_chain(seed, 8, 10, linked)
        _assert_proven(solve(problem, DpSolver()), chain_optimum(problem))


def _clique(groups: int, options: int) -> KnapsackProblem:
    members = tuple(Group(f"g{g}", np.arange(1, options + 1), np.arange(options)) for g in range(groups))
    pairs = tuple(Pair(a, b) for a, b in itertools.combinations(range(groups), 2))
    return KnapsackProblem("clique", members, pairs, (SumResource("macs", 100, 0, (), (1,) * len(pairs)),))


def test_a_dense_graph_is_refused_before_anything_is_allocated() -> None:
    problem = _clique(8, 100)
    started = time.perf_counter()
    reason = why_not(DpSolver(), problem)
    assert reason is not None
    assert "10^16.0 entries" in reason
    assert time.perf_counter() - started < 0.5
    assert why_not(DpSolver(DpOptions(table_limit=10**17)), problem) is None


def test_a_table_larger_than_any_float_is_refused_in_words() -> None:
    reason = why_not(DpSolver(), _clique(160, 100))
    assert reason is not None
    assert "10^320.0 entries" in reason


def test_floors_and_ceilings_shrink_the_table_that_counts() -> None:
    problem = _clique(8, 100)
    assert why_not(DpSolver(), problem.with_bounds(ceilings=(3,) * 8)) is None


def test_a_time_limit_leaves_a_true_bound_and_the_best_choice() -> None:
    problem = large(0, DpSolver.features)
    found = [solve(problem, DpSolver(), Controls(time_limit_s=limit)) for limit in (1e-9, 0.02, 0.5)]
    assert (found[0].status, found[0].limit) == (Status.FEASIBLE, Limit.TIME)
    values = [f.value for f in found if f.value is not None]
    for solution in found:
        assert solution.bound is not None
        assert solution.bound >= max(values)


def test_the_label_limit_leaves_a_true_bound_and_the_best_choice() -> None:
    problem = large(0, DpSolver.features)
    solution = solve(problem, DpSolver(DpOptions(label_limit=2000)), Controls(time_limit_s=60))
    assert solution.status is Status.FEASIBLE
    assert solution.limit is Limit.MEMORY
    assert solution.value is not None
    assert solution.bound is not None
    assert solution.bound > solution.value


def test_infeasible_only_together_is_proven() -> None:
    """Each sum alone can be met, and every mixture of them by a mixture of choices, but no choice meets both."""
    groups = tuple(Group(f"g{g}", np.arange(1, 4), np.zeros(3, np.int64)) for g in range(6))
    up, down = (np.array([0, 4, 9]),) * 6, (np.array([9, 5, 0]),) * 6
    resources = (SumResource("a", 27, 0, up), SumResource("b", 26, 0, down))
    problem = KnapsackProblem("both", groups, (), resources)
    _assert_proven(solve(problem, DpSolver()), brute_force(problem).value)


def test_a_hint_survives_where_time_does_not() -> None:
    problem = large(1, DpSolver.features)
    hint = (0,) * len(problem.groups)
    assert problem.evaluate(hint).feasible
    solution = solve(problem, DpSolver(), Controls(time_limit_s=1e-9, hint=hint))
    assert solution.choice == hint
    assert solution.status is Status.FEASIBLE


def test_the_same_problem_gets_the_same_choice() -> None:
    problem = long_chain(3, 12, 16, True)
    assert solve(problem, DpSolver()).choice == solve(problem, DpSolver()).choice


@pytest.mark.parametrize("groups", [1, 2])
def test_the_note_counts_in_words(groups: int) -> None:
    group = Group("a", np.array([1, 2]), np.array([1, 3]))
    costs = (np.array([1, 2]),) * groups
    names = [dataclasses.replace(group, name=f"a{i}") for i in range(groups)]
    problem = KnapsackProblem("few", tuple(names), (), (SumResource("macs", 2 * groups - 1, 0, costs),))
    note, _ = solve(problem, DpSolver()).detail
    assert re.fullmatch(r"1 partial choice examined|(?!1 )\d+ partial choices examined", note), note
