"""What is particular to the toulbar2 plugin: its kinds of limits, numbers that are too large, the shared instances."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from reds_toulbar2 import Toulbar2Solver
from reds_toulbar2.network import FIRST_LINEAR, WEIGHTED, Network, network_of

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
from reds_core.knapsack.relaxation import Domain, LinearOptions
from reds_core.testing import problems
from reds_core.testing.oracle import brute_force

INSTANCES = Path(__file__).parents[4] / "shared" / "instances"
FACTS = json.loads((INSTANCES / "optimal.json").read_text()) if INSTANCES.exists() else {}
OPTIMA = {name: fact["value"] for name, fact in FACTS.items()}
installed = pytest.mark.skipif(bool(Toulbar2Solver.missing()), reason="needs pytoulbar2: pip install pytoulbar2")
here = pytest.mark.skipif(not OPTIMA, reason="the shared instances are not here")
plain = LinearOptions(presolve=False)


def with_two_limits(seed: int, unit: int = 1, groups: int = 4, options: int = 5) -> KnapsackProblem:
    """A chain with two limits, both with costs of pairs in multiples of a unit."""
    rng = np.random.default_rng(seed)
    widths = np.arange(1, options + 1)
    members = tuple(Group(f"g{g}", widths, rng.integers(0, 100, options)) for g in range(groups))
    pairs = tuple(Pair(g, g + 1, rng.integers(0, 50, (options, options))) for g in range(groups - 1))
    tables = [tuple(unit * rng.integers(0, 100, (options, options)) for _ in pairs) for _ in range(2)]
    room = unit * 35 * (groups - 1)
    return KnapsackProblem(
        "two", members, pairs, tuple(SumResource(f"r{r}", room, 0, (), (), tables[r]) for r in (0, 1))
    )


def network(problem: KnapsackProblem) -> Network:
    found = network_of(problem, Domain.of(problem), None)
    assert found is not None
    return found


def test_the_second_limit_of_pairs_is_linear_over_their_joint_options() -> None:
    """toulbar2 crashes on some networks with two weighted constraints."""
    found = network(with_two_limits(0))
    assert found.sizes == (5,) * 4 + (25,) * 3
    assert {t.scope for t in found.tables if t.part == FIRST_LINEAR} == {(4,), (5,), (6,)}
    assert {t.scope for t in found.tables if t.part == WEIGHTED} == {(0, 1), (1, 2), (2, 3)}
    assert all(int(t.costs.min()) >= 0 for t in found.tables)


def test_a_limit_of_three_groups_is_a_table_of_forbidden_tuples() -> None:
    problem = problems.peak_of_three(0)
    found = network(problem)
    assert not [t for t in found.tables if t.part != 0]
    assert max(len(t.scope) for t in found.tables) == 3


def test_without_room_no_network_is_built() -> None:
    assert network_of(problems.infeasible(Feature.ALL), Domain.of(problems.infeasible(Feature.ALL)), None) is None


def test_numbers_that_toulbar2_would_cut_down_are_refused() -> None:
    """Of two limits with costs beyond 2^31 one would be a linear constraint, whose coefficients have 32 bits."""
    assert Toulbar2Solver().refusal(with_two_limits(0)) is None
    assert "2^31" in (Toulbar2Solver().refusal(with_two_limits(0, unit=2**32)) or "")
    huge = problems.scaled(problems.roomy(0, Feature.NONE), 2**45)
    assert "2^51" in (Toulbar2Solver().refusal(huge) or "")


@installed
@pytest.mark.parametrize("seed", range(4))
def test_two_limits_of_pairs_are_proved(seed: int) -> None:
    problem = with_two_limits(seed)
    solution = solve(problem, Toulbar2Solver(plain))
    assert (solution.value, solution.status is Status.INFEASIBLE) == (
        brute_force(problem).value,
        brute_force(problem).value is None,
    )


@installed
@here
@pytest.mark.parametrize("name", ["ds-cnn-s-kws-25", "ds-cnn-s-kws-50"])
def test_small_instances_are_proved(name: str) -> None:
    solution = solve(load_problem(INSTANCES / f"{name}.npz"), Toulbar2Solver(), Controls(time_limit_s=60.0))
    assert (solution.status, solution.value) == (Status.OPTIMAL, OPTIMA[name])


@installed
def test_a_search_that_is_stopped_returns_what_it_has() -> None:
    """toulbar2 itself only knows limits in whole seconds, and would lose its choice if it were killed."""
    problem = with_two_limits(1, groups=40, options=12)
    solution = solve(problem, Toulbar2Solver(plain), Controls(time_limit_s=6.0))
    assert solution.wall_s < 9.0
    assert solution.limit is Limit.TIME
    assert solution.status is Status.FEASIBLE
    assert solution.bound is not None
    assert solution.value is not None
    assert solution.bound < sum(int(g.values.max()) for g in problem.groups) + 50 * len(problem.pairs)
