"""CFN and WCSP files: what toulbar2 finds in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from foreign_solvers import ForeignSolver, foreign_solver
from hypothesis import HealthCheck, given, settings

from reds_core.errors import UnsupportedError
from reds_core.exchange.checking import check_solution
from reds_core.exchange.cost_network import cost_network
from reds_core.exchange.toulbar2_files import write_cfn, write_wcsp
from reds_core.knapsack.file import load_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, SumResource
from reds_core.knapsack.solver import Feature
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import random_problem
from reds_core.testing.strategies import joint_problems, knapsack_problems

INSTANCES = Path(__file__).parents[2] / ".." / "shared" / "instances"
WRITERS = {"cfn": write_cfn, "wcsp": write_wcsp}
LIMIT = 51 * 10**16
INDICES, VALUES, VARIABLES = 1, 2, 3
"""How toulbar2 writes solutions."""


@pytest.fixture(params=WRITERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def solver(kind: str) -> Iterator[ForeignSolver]:
    with foreign_solver("toulbar2") as found:
        yield found


def test_toulbar2_finds_the_optimum(kind: str, solver: ForeignSolver, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp(kind)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(knapsack_problems() | joint_problems())
    def trial(problem: KnapsackProblem) -> None:
        agrees(problem, kind, solver, folder, brute_force(problem).value)

    trial()


@pytest.mark.skipif(not INSTANCES.exists(), reason="needs the instances")
def test_toulbar2_finds_the_optima_of_the_instances(kind: str, solver: ForeignSolver, tmp_path: Path) -> None:
    optima = json.loads((INSTANCES / "optimal.json").read_text())
    names = [name for name in optima if name.startswith(("graph-5x", "hard-5x"))]
    assert len(names) >= 10
    for name in names:
        agrees(load_problem(INSTANCES / f"{name}.npz"), kind, solver, tmp_path, optima[name]["value"])


def test_toulbar2_bears_several_tight_resources_with_pair_costs(
    kind: str, solver: ForeignSolver, tmp_path: Path
) -> None:
    """It crashes on some of these if each resource is stated as a limit on the cost of a network of its own."""
    for seed in range(60):
        problem = random_problem(seed, Feature.ALL)
        tight = problem.with_capacities({r.name: r.capacity - seed % 17 for r in problem.resources})
        agrees(tight, kind, solver, tmp_path, brute_force(tight).value)


@pytest.mark.parametrize("style", [INDICES, VALUES, VARIABLES])
@pytest.mark.parametrize("bits", [31, 53, 57])
def test_large_integers_are_exact(kind: str, solver: ForeignSolver, style: int, bits: int, tmp_path: Path) -> None:
    n = 2**bits
    problem = KnapsackProblem(
        "large",
        (Group("a", [1, 2, 3], [0, n - 7, n - 5]), Group("b", [1, 2, 3], [-n + 3, n - 7, n - 5])),
        (Pair(0, 1, np.array([[0, 1, 2], [3, n // 2, 5], [6, 7, 8]])),),
        (
            SumResource("r", n + 2, 0, (np.array([0, n // 2 + 1, n - 1]), np.array([0, n // 2, n - 1])), (0,)),
            SumResource("q", n - 3, 0, (np.array([0, 5, 7]), np.array([2, 0, n - 1])), (n // 16,)),
        ),
    )
    optimum = brute_force(problem).value
    assert optimum is not None
    agrees(problem, kind, solver, tmp_path, optimum, style)


def test_any_names_are_legal_in_the_file(kind: str, solver: ForeignSolver, tmp_path: Path) -> None:
    names = ["block 1/conv", "block_1/conv", "слой\n", '"', "x" * 300, "a=b"]
    groups = tuple(Group(name, [1, 2], [1, 3 + g]) for g, name in enumerate(names))
    costs = tuple(np.array([1, 2]) for _ in names)
    pairs = (Pair(0, 1), Pair(1, 2))
    problem = KnapsackProblem("the name\nof it", groups, pairs, (SumResource('a "b"', 14, 0, costs, (1, 1)),))
    for style in (VALUES, VARIABLES) if kind == "cfn" else (INDICES,):
        agrees(problem, kind, solver, tmp_path, brute_force(problem).value, style)


def agrees(
    problem: KnapsackProblem, kind: str, solver: ForeignSolver, folder: Path, optimum: int | None, style: int = INDICES
) -> None:
    path, solution = folder / f"problem.{kind}", folder / "solution.txt"
    WRITERS[kind](problem, path)
    objective = solver.solve(path, solution, style)
    checked = check_solution(problem, solution)
    assert checked.value == optimum
    assert (objective is None) == (optimum is None)
    if optimum is not None:
        assert checked.feasible
        constant = cost_network(problem).constant if kind == "wcsp" else 0
        assert objective == pytest.approx(constant - optimum, rel=1e-12)


def test_costs_just_below_the_limit_are_read(kind: str, solver: ForeignSolver, tmp_path: Path) -> None:
    for values in ([0, LIMIT - 9], [-LIMIT // 2, -LIMIT + 9]):
        problem = KnapsackProblem("large", (Group("a", [1, 2], values), Group("b", [1, 2], [0, 1])))
        agrees(problem, kind, solver, tmp_path, brute_force(problem).value)


def test_costs_above_the_limit_of_toulbar2_are_refused(kind: str, tmp_path: Path) -> None:
    """Its bound on costs includes the constant of a CFN file."""
    for values in ([0, LIMIT], [-LIMIT // 2, -LIMIT]):
        problem = KnapsackProblem("huge", (Group("a", [1, 2], values),))
        with pytest.raises(UnsupportedError, match=r"pass 5\.1e17"):
            WRITERS[kind](problem, tmp_path / "problem")
    assert list(tmp_path.iterdir()) == []
