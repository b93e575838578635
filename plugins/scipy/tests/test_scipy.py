"""What is particular to the scipy plugin: certificates from LP duals, HiGHS's manners, the shared instances."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from reds_scipy import ScipyLpSolver, ScipyMilpSolver
from reds_scipy.highs import ask
from reds_scipy.lp import certificate

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
from reds_core.knapsack.relaxation import LinearOptions, in_digits, linear_model
from reds_core.testing import problems
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import random_problem

INSTANCES = Path(__file__).parents[4] / "shared" / "instances"
FACTS = json.loads((INSTANCES / "optimal.json").read_text()) if INSTANCES.exists() else {}
OPTIMA = {name: fact["value"] for name, fact in FACTS.items()}
SMALL = sorted(n for n in OPTIMA if n.startswith(("graph-", "hard-", "ds-cnn-s-")))
here = pytest.mark.skipif(not OPTIMA, reason="the shared instances are not here")
plain = LinearOptions(presolve=False)


@here
@pytest.mark.parametrize("name", SMALL)
def test_milp_proves_small_instances(name: str) -> None:
    solution = solve(load_problem(INSTANCES / f"{name}.npz"), ScipyMilpSolver(), Controls(time_limit_s=20.0))
    if OPTIMA[name] is None:
        assert solution.status is Status.INFEASIBLE
    else:
        assert (solution.status, solution.value) == (Status.OPTIMAL, OPTIMA[name])


@here
@pytest.mark.parametrize("presolve", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_lp_bounds_small_instances(name: str, presolve: bool) -> None:
    solution = solve(load_problem(INSTANCES / f"{name}.npz"), ScipyLpSolver(LinearOptions(presolve=presolve)))
    if OPTIMA[name] is None:
        assert solution.value is None
        return
    optimum = OPTIMA[name]
    assert solution.value is not None
    assert solution.bound is not None
    assert solution.value <= optimum <= solution.bound
    if name.startswith("ds-cnn"):
        assert solution.bound - optimum < 1e-3 * optimum
        assert optimum - solution.value < 5e-3 * optimum


@pytest.mark.parametrize("seed", range(25))
def test_the_certified_bound_is_the_value_of_the_lp(seed: int) -> None:
    """Weak duality says that no bound below the LP is proved; the LP's duals must prove no more than that."""
    problem = random_problem(seed, Feature.PAIR_TERMS | Feature.MULTI_RESOURCE, groups=5, options=4)
    model = linear_model(problem)
    reply = ask(model, "lp", None)
    assert reply is not None
    if not reply["columns"].size:
        pytest.skip("the LP has no solution")
    value = model.offset + float(model.objective @ reply["columns"])
    bound = certificate(problem, model, reply["duals"], values=True)
    slack = float(np.sum(np.maximum(-reply["duals"][model.limit_rows], 0.0)))  # limits round down to their divisor
    assert value - 1e-6 <= float(bound.bound / bound.scale) <= value + slack + 1e-6


@pytest.mark.parametrize("bits", [3, 6])
@pytest.mark.parametrize("seed", range(8))
def test_digits_do_not_change_the_relaxation(seed: int, bits: int) -> None:
    problem = random_problem(seed, Feature.PAIR_TERMS | Feature.MULTI_RESOURCE, groups=4, options=4)
    model = linear_model(problem)
    if model.contradictory:
        pytest.skip("no choice meets the limits")
    whole, split = (ask(m, "lp", None) for m in (model, in_digits(model, bits)))
    assert whole is not None
    assert split is not None
    assert whole["status"] == split["status"]
    if whole["columns"].size:
        reached = [float(model.objective @ r["columns"][: model.columns]) for r in (whole, split)]
        assert reached[0] == pytest.approx(reached[1], abs=1e-6)


def test_infeasibility_is_proved_from_the_duals_of_the_elastic_lp() -> None:
    problem = problems.not_together(Feature.MULTI_RESOURCE)
    assert brute_force(problem).value is None
    assert solve(problem, ScipyLpSolver(plain)).status is Status.INFEASIBLE


def test_what_only_whole_numbers_exclude_is_not_called_infeasible_by_the_lp() -> None:
    groups = tuple(Group(f"g{g}", np.array([1, 2]), np.array([0, 1])) for g in range(2))
    both = (np.array([0, 2]), np.array([0, 2]))
    odd = tuple(SumResource(n, 3 * s, 0, tuple(s * c for c in both)) for n, s in (("least", -1), ("most", 1)))
    problem = KnapsackProblem("odd", groups, (), odd).with_capacities({"least": -3, "most": 3})
    assert brute_force(problem).value is None
    assert solve(problem, ScipyLpSolver(plain)).status in (Status.NO_SOLUTION, Status.INFEASIBLE)
    assert solve(problem, ScipyMilpSolver(plain)).status is Status.INFEASIBLE


@here
@pytest.mark.parametrize("solver", [ScipyMilpSolver, ScipyLpSolver])
def test_large_models_end_at_the_time_limit(solver: type[ScipyMilpSolver | ScipyLpSolver]) -> None:
    """HiGHS alone takes minutes to presolve this model, whatever its time limit."""
    problem = load_problem(INSTANCES / "ds-cnn-l-synthetic-25.npz")
    solution = solve(problem, solver(plain), Controls(time_limit_s=1.5))
    assert solution.limit is Limit.TIME
    assert solution.wall_s < 5.0


def test_highs_keeps_quiet_about_large_numbers() -> None:
    """HiGHS prints a line of its own to standard output where a whole choice breaks a row of large coefficients."""
    code = """
import numpy as np
from reds_core.knapsack import Group, KnapsackProblem, Pair, SumResource
from reds_core.knapsack.relaxation import linear_model
from reds_scipy.highs import ask
for seed in range(40):
    rng = np.random.default_rng(seed)
    groups = tuple(Group(f"g{g}", np.arange(1, 6), np.cumsum(rng.integers(0, 100, 5))) for g in range(4))
    pairs = tuple(Pair(g, g + 1) for g in range(3))
    tables = tuple(rng.integers(0, 10**10, (5, 5)) for _ in pairs)
    problem = KnapsackProblem("p", groups, pairs, (SumResource("r", 0, 0, (), (), tables),))
    usage = problem.evaluate([int(i) for i in rng.integers(0, 5, 4)]).usage
    ask(linear_model(problem.with_capacities({"r": usage["r"] - 1})), "milp", None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""


@pytest.mark.parametrize("seed", range(6))
def test_costs_near_1e10_stay_within_budget(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = tuple(Group(f"g{g}", np.arange(1, 6), np.cumsum(rng.integers(0, 100, 5))) for g in range(4))
    pairs = tuple(Pair(g, g + 1) for g in range(3))
    tables = tuple(rng.integers(0, 10**10, (5, 5)) for _ in pairs)
    problem = KnapsackProblem("p", groups, pairs, (SumResource("r", 0, 0, (), (), tables),))
    usage = problem.evaluate([int(i) for i in rng.integers(0, 5, 4)]).usage["r"]
    problem = problem.with_capacities({"r": usage - seed % 2})
    truth = brute_force(problem).value
    for options in (plain, LinearOptions()):
        assert solve(problem, ScipyMilpSolver(options)).value == truth


@here
@pytest.mark.parametrize("presolve", [True, False])
def test_milp_stops_at_a_gap_of_the_value_and_not_of_the_objective_without_its_offset(presolve: bool) -> None:
    name = "graph-5x7+1-r2p-s4"
    problem, optimum = load_problem(INSTANCES / f"{name}.npz"), OPTIMA[name]
    assert optimum is not None
    solver = ScipyMilpSolver(LinearOptions(presolve=presolve))
    for gap in (1e-6, 0.01, 0.5):
        found = solve(problem, solver, Controls(time_limit_s=60.0, gap=gap))
        assert found.value is not None
        assert found.bound is not None
        assert found.value <= optimum <= found.bound
        assert found.gap is not None
        assert found.gap <= gap
        assert found.status is Status.OPTIMAL or found.limit is Limit.GAP


def test_a_known_bound_ends_a_solve_whose_hint_reaches_it() -> None:
    problem = random_problem(3, Feature.PAIR_TERMS, groups=5, options=4)
    best = solve(problem, ScipyMilpSolver())
    assert best.status is Status.OPTIMAL
    asked = ScipyMilpSolver(LinearOptions(presolve=False))
    again = solve(problem, asked, Controls(hint=best.choice, known_bound=best.bound))
    assert (again.status, again.backend_s) == (Status.OPTIMAL, None)
