"""Presolve must be sound: no choice better than its incumbent is lost, and every bound holds, in whole numbers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.knapsack.file import load_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, SumResource
from reds_core.knapsack.relaxation.domain import Domain
from reds_core.knapsack.relaxation.dual import Dual, Shares
from reds_core.knapsack.relaxation.forest import Forest
from reds_core.knapsack.relaxation.incumbent import Improver
from reds_core.knapsack.relaxation.linear import linear_model
from reds_core.knapsack.relaxation.presolving import presolve, untouched
from reds_core.knapsack.relaxation.rows import rows_of
from reds_core.knapsack.solver import Feature
from reds_core.testing import problems
from reds_core.testing.oracle import all_choices, brute_force
from reds_core.testing.problems import random_problem
from reds_core.testing.strategies import knapsack_problems

INSTANCES = Path(__file__).parents[4] / "shared" / "instances"
SEEDS = range(30)


def is_sound(problem: KnapsackProblem, deadline: float | None = None) -> None:
    truth = brute_force(problem)
    known = presolve(problem, deadline=deadline)
    if known.incumbent is not None:
        assert problem.evaluate(known.incumbent).feasible
        assert problem.evaluate(known.incumbent).value == known.value
    if known.bound is not None and truth.value is not None:
        assert known.bound >= truth.value
    if known.domain is None:
        assert known.value == truth.value
        return
    model = linear_model(problem, known.domain, () if known.cut is None else (known.cut,))
    for choice in all_choices(problem):
        evaluation = problem.evaluate(choice)
        if evaluation.feasible and (known.value is None or evaluation.value > known.value):
            assert known.domain.holds(choice)
            columns = model.solution(choice)
            activity = np.bincount(model.row, model.coefficient * columns[model.column], model.rows)
            assert np.all(np.where(model.equality, activity == model.rhs, activity <= model.rhs))


@settings(deadline=None, max_examples=100)
@given(knapsack_problems(groups=4, options=3))
def test_nothing_better_is_lost(problem: KnapsackProblem) -> None:
    if all(low <= high for low, high in zip(problem.floors, problem.ceilings, strict=True)):
        is_sound(problem)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("high", [0.05, 0.8])
def test_nothing_better_is_lost_on_seeded_problems(seed: int, high: float) -> None:
    is_sound(random_problem(seed, Feature(seed % 16), groups=5, options=5, low=0.0, high=high))


@pytest.mark.parametrize("seed", range(8))
def test_it_is_sound_when_time_is_up(seed: int) -> None:
    is_sound(random_problem(seed, Feature.ALL), deadline=time.perf_counter())


@pytest.mark.parametrize("unit", [10**10, 2**55])
@pytest.mark.parametrize("seed", range(8))
def test_large_numbers_are_bounded_in_whole_numbers(seed: int, unit: int) -> None:
    rng = np.random.default_rng(seed)
    groups = tuple(Group(f"g{g}", np.arange(1, 5), rng.integers(-unit, unit, 4)) for g in range(4))
    pairs = tuple(Pair(g, (g + 1) % 4, rng.integers(-unit, unit, (4, 4))) for g in range(4))
    resource = SumResource("r", 0, 0, tuple(rng.integers(0, unit, 4) for _ in groups))
    problem = KnapsackProblem("large", groups, pairs, (resource,))
    usage = problem.evaluate([int(i) for i in rng.integers(0, 4, 4)]).usage["r"]
    is_sound(problem.with_capacities({"r": usage - seed % 2}))


def shares_of(dual: Dual, rng: np.random.Generator, spread: float) -> Shares:
    return tuple((rng.normal(0, spread, a.size), rng.normal(0, spread, b.size)) for a, b in dual.no_shares())


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 1e-9, 0.3, 7.0, 1e6, 1e300, np.nan, np.inf]))
def test_any_multipliers_prove_a_true_bound(seed: int, size: float) -> None:
    """Bounds must not rest on the quality of the point, nor on the back end that it came from."""
    problem = random_problem(seed % 1000, Feature.ALL, groups=4, options=4)
    rng = np.random.default_rng(seed)
    rows = rows_of(problem)
    dual = Dual(problem, rows, Domain.of(problem))
    certificate = dual.certify(
        rng.random(len(rows)) * size, shares_of(dual, rng, min(size, 1e9) if size == size else 1.0)
    )
    lows = problem.floors
    for choice in all_choices(problem):
        evaluation = problem.evaluate(choice)
        if not evaluation.feasible:
            continue
        positions = [int(i) - low for i, low in zip(choice, lows, strict=True)]
        reduced = sum(float(t[p]) for t, p in zip(certificate.options, positions, strict=True))
        for (a, b), cells, losses in zip(dual.domain.ends, certificate.cells, certificate.cell_losses, strict=True):
            if cells is not None and losses is not None:
                reduced += float(cells[positions[a], positions[b]])
                assert certificate.bound - losses[positions[a], positions[b]] >= certificate.scale * evaluation.value
        for losses, position in zip(certificate.option_losses, positions, strict=True):
            assert certificate.bound - losses[position] >= certificate.scale * evaluation.value
        assert certificate.bound - reduced >= certificate.scale * evaluation.value
        assert certificate.value_bound >= evaluation.value


@pytest.mark.parametrize("seed", range(20))
def test_max_marginals_over_a_forest_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.integers(1, 4, 5)]
    ends = [(0, 1), (2, 1), (3, 1), (3, 4)][: int(rng.integers(0, 5))]
    groups = [rng.integers(-9, 9, n).astype(float) for n in sizes]
    pairs = [rng.integers(-9, 9, (sizes[a], sizes[b])).astype(float) for a, b in ends]
    forest = Forest.spanning(sizes, ends)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in sizes], indexing="ij"), -1).reshape(-1, 5)
    totals = sum(g[grid[:, k]] for k, g in enumerate(groups))
    totals = totals + sum(
        (p[grid[:, a], grid[:, b]] for p, (a, b) in zip(pairs, ends, strict=True)), np.zeros(len(grid))
    )
    tables = dict(enumerate(pairs))
    value, positions = forest.maximise(groups, tables)
    assert value == totals.max() == totals[np.all(grid == positions, axis=1)][0]
    marginals = forest.marginals(groups, tables)
    assert sum(marginals.roots) == value
    for k, n in enumerate(sizes):
        best = [totals[grid[:, k] == i].max() for i in range(n)]
        assert np.array_equal(marginals.tops[k] - marginals.groups[k], value - np.array(best))
    assert marginals.pair_losses.keys() == tables.keys()
    for k, (a, b) in enumerate(ends):
        losses = marginals.pair_losses[k]
        for i, j in np.ndindex(losses.shape):
            assert losses[i, j] == value - totals[(grid[:, a] == i) & (grid[:, b] == j)].max()


def test_edges_that_close_a_cycle_are_chords() -> None:
    forest = Forest.spanning([2, 3, 4, 2], [(0, 1), (1, 2), (2, 0), None])
    assert forest.chords == (0,)  # the smallest table of the cycle
    assert sorted(forest.order) == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_improved_choices_are_feasible_and_no_worse(seed: int) -> None:
    problem = random_problem(seed, Feature.ALL, groups=5, options=4)
    domain = Domain.of(problem)
    improver = Improver(problem, rows_of(problem), domain, None)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        start = [int(rng.integers(0, o.size)) for o in domain.options]
        improved = improver.improve(start)
        before = problem.evaluate(domain.choice(start))
        if improved is None:
            assert not before.feasible
            continue
        after = problem.evaluate(domain.choice(improved))
        assert after.feasible
        assert not before.feasible or after.value >= before.value


def test_limits_that_exclude_one_another_are_seen() -> None:
    for feature in (Feature.MULTI_RESOURCE, Feature.PEAK):
        known = presolve(problems.not_together(feature))
        assert known.domain is None
        assert known.incumbent is None


def test_a_hint_is_improved() -> None:
    problem = problems.roomy(1, Feature.ALL)
    best = tuple(int(i) for i in brute_force(problem).optima[0])
    known = presolve(problem, hint=best)
    assert known.value == problem.evaluate(best).value
    assert known.incumbent is not None


def test_without_presolve_only_a_feasible_hint_is_known() -> None:
    problem = problems.roomy(1, Feature.PAIR_TERMS)
    least = problem.floors
    assert untouched(problem, least).incumbent == least
    assert untouched(problem.with_capacities({problem.resources[0].name: -(2**40)}), least).incumbent is None
    assert untouched(problem).bound is None


@pytest.mark.skipif(not INSTANCES.exists(), reason="the shared instances are not here")
@pytest.mark.parametrize("name", ["ds-cnn-s-kws-25", "ds-cnn-l-synthetic-50", "graph-12x16+1-r2-s301"])
def test_real_shapes_shrink_to_a_hundredth(name: str) -> None:
    problem = load_problem(INSTANCES / f"{name}.npz")
    optimum = json.loads((INSTANCES / "optimal.json").read_text())[name]["value"]
    known = presolve(problem)
    assert known.domain is not None
    assert known.value is not None
    assert known.bound is not None
    assert known.domain.size < Domain.of(problem).size * 0.05
    assert known.value <= optimum <= known.bound
    assert known.bound - known.value < 2e-3 * optimum


def test_it_needs_numpy_alone() -> None:
    code = (
        "import sys\n"
        "from reds_core.knapsack.relaxation.presolving import presolve\n"
        "from reds_core.testing.problems import roomy\n"
        "from reds_core.knapsack.solver import Feature\n"
        "presolve(roomy(0, Feature.ALL))\n"
        "print([m for m in ('scipy', 'ortools', 'pulp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("magnitude", [10**4, 2**40, 2**55])
def test_limits_that_contradict_each_other_are_seen_whatever_their_magnitude(magnitude: int) -> None:
    """The multipliers grow without end there, and overflowed."""
    groups = tuple(Group(f"g{g}", np.array([1, 2]), np.array([0, 1])) for g in range(2))
    costs = (np.array([0, magnitude]), np.array([0, magnitude]))
    most = SumResource("most", -(3 * magnitude // 4), 0, tuple(-c for c in costs))
    least = SumResource("least", magnitude // 4, 0, costs)
    assert presolve(KnapsackProblem("both", groups, (), (most, least))).domain is None


def test_a_bound_at_multipliers_that_overflow_is_still_valid() -> None:
    problem = random_problem(0, Feature.MULTI_RESOURCE)
    dual = Dual(problem, rows_of(problem), Domain.of(problem))
    certificate = dual.certify(np.full(len(dual.limits), 1e308), dual.no_shares())
    best = brute_force(problem).value
    assert best is None or certificate.value_bound >= best
