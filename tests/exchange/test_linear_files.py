"""MPS and LP files: what they state, and what HiGHS and CBC find in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from foreign_solvers import ForeignSolver, foreign_solver
from hypothesis import HealthCheck, given, settings

from reds_core.errors import UnsupportedError
from reds_core.exchange.checking import check_solution
from reds_core.exchange.linear_files import write_lp, write_mps
from reds_core.exchange.names import option_of_column
from reds_core.knapsack.file import load_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, SumResource
from reds_core.testing.oracle import brute_force
from reds_core.testing.strategies import joint_problems, knapsack_problems

INSTANCES = Path(__file__).parents[2] / ".." / "shared" / "instances"
WRITERS = {"mps": write_mps, "lp": write_lp}
SMALL = ("graph-5x", "hard-5x")
"""Instances that HiGHS and CBC solve in a few seconds at most."""


@pytest.fixture(scope="module", params=["highs", "cbc"])
def solver(request: pytest.FixtureRequest) -> Iterator[ForeignSolver]:
    with foreign_solver(request.param) as found:
        yield found


@pytest.mark.parametrize("kind", WRITERS)
def test_other_solvers_find_the_optimum(
    kind: str, solver: ForeignSolver, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp(kind)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(knapsack_problems() | joint_problems())
    def trial(problem: KnapsackProblem) -> None:
        agrees(problem, kind, solver, folder, brute_force(problem).value)

    trial()


@pytest.mark.skipif(not INSTANCES.exists(), reason="needs the instances")
@pytest.mark.parametrize("kind", WRITERS)
def test_other_solvers_find_the_optima_of_the_instances(kind: str, solver: ForeignSolver, tmp_path: Path) -> None:
    optima = json.loads((INSTANCES / "optimal.json").read_text())
    names = [name for name in optima if name.startswith(SMALL)]
    assert len(names) >= 10
    for name in names:
        agrees(load_problem(INSTANCES / f"{name}.npz"), kind, solver, tmp_path, optima[name]["value"])


def agrees(problem: KnapsackProblem, kind: str, solver: ForeignSolver, folder: Path, optimum: int | None) -> None:
    path, solution = folder / f"problem.{kind}", folder / "solution.sol"
    WRITERS[kind](problem, path)
    objective = solver.solve(path, solution)
    checked = check_solution(problem, solution)
    assert checked.value == optimum
    assert (objective is None) == (optimum is None)
    if optimum is not None:
        assert checked.feasible
        assert objective == pytest.approx(-optimum, rel=1e-9, abs=1e-6)


# --- the statement, read by a small reader of its own -----------------------------------------------------------------


@dataclass
class Model:
    costs: dict[str, int] = field(default_factory=dict)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    rhs: dict[str, int] = field(default_factory=dict)
    equalities: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    fixed: set[str] = field(default_factory=set)


def read_mps(path: Path) -> Model:
    model, section, integral = Model(), "", False
    for line in path.read_text(encoding="utf-8").splitlines():
        tokens = line.split()
        if not line.startswith(" "):
            section = tokens[0]
        elif section == "ROWS":
            if tokens[0] != "N":
                model.rows[tokens[1]], model.rhs[tokens[1]] = {}, 0
            if tokens[0] == "E":
                model.equalities.add(tokens[1])
        elif section == "COLUMNS" and tokens[1] == "'MARKER'":
            integral = tokens[2] == "'INTORG'"
        elif section == "COLUMNS":
            name, row, number = tokens
            (model.costs if row == "cost" else model.rows[row])[name] = int(number)
            if integral:
                model.whole.add(name)
        elif section == "RHS":
            model.rhs[tokens[1]] = int(tokens[2])
        elif section == "BOUNDS" and tokens[3] == "0":
            model.fixed.add(tokens[2])
    return model


def read_lp(path: Path) -> Model:
    text = path.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 255
    model = Model()
    objective, _, rest = text.partition("Minimize\n")[2].partition("Subject To\n")
    rows, *_ = re.split(r"^(?:Bounds|Binaries|End)$", rest, maxsplit=1, flags=re.MULTILINE)
    terms = re.compile(r"([+-]) (\d+) (\S+)")
    model.costs = {n: int(s + c) for s, c, n in terms.findall(objective)}
    for name, left, sign, right in re.findall(r"(\w+):([^<=]*)(<=|=) (-?\d+)", rows):
        model.rows[name] = {n: int(s + c) for s, c, n in terms.findall(left)}
        model.rhs[name] = int(right)
        if sign == "=":
            model.equalities.add(name)
    model.fixed = set(re.findall(r"^ (\S+) = 0$", rest, flags=re.MULTILINE))
    model.whole = {line.strip() for line in rest.partition("Binaries\n")[2].splitlines()[:-1]} | model.fixed
    return model


READERS = {"mps": read_mps, "lp": read_lp}


def states(model: Model, problem: KnapsackProblem) -> None:
    """Every choice has the value, usage and feasibility in the model that it has in the problem."""
    for choice in product(*(range(g.options) for g in problem.groups)):
        columns = set()
        for name in {n for row in model.rows.values() for n in row} | model.costs.keys():
            option = option_of_column(name)
            pair = re.match(r"y(\d+)_(\d+)_(\d+)", name)
            if option is not None and choice[option[0]] == option[1]:
                columns.add(name)
            if pair is not None:
                ends = problem.pairs[int(pair[1])]
                if (choice[ends.first], choice[ends.second]) == (int(pair[2]), int(pair[3])):
                    columns.add(name)
        evaluation = problem.evaluate(choice)
        assert sum(model.costs.get(n, 0) for n in columns) == -evaluation.value
        sums = {row: sum(entries.get(n, 0) for n in columns) for row, entries in model.rows.items()}
        assert all(sums[row] == model.rhs[row] for row in model.equalities)
        fits = all(sums[row] <= model.rhs[row] for row in model.rows) and not columns & model.fixed
        assert fits == evaluation.feasible
    assert {n for n in model.whole if option_of_column(n) is None} == set()


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_states_the_problem(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp(kind) / "problem"

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(knapsack_problems(groups=3, options=3))
    def trial(problem: KnapsackProblem) -> None:
        WRITERS[kind](problem, path)
        states(READERS[kind](path), problem)

    trial()


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("bits", [31, 48, 53, 58])
def test_large_integers_are_written_exactly(kind: str, bits: int, tmp_path: Path) -> None:
    n = 2**bits
    problem = KnapsackProblem(
        "large",
        (Group("a", [1, 2, 3], [0, n - 7, n - 5]), Group("b", [1, 2], [-n + 3, n - 1])),
        (Pair(0, 1, np.array([[0, 1], [n - 9, 5], [6, -n + 1]])),),
        (
            SumResource("sum", n + 1, 3, (np.array([0, n - 3, n - 1]), None), (n // 16 - 1,)),
            PeakResource("peak", n - 1, (PeakStep(1, (1,), (np.array([n - 2, n - 1]),)),)),
        ),
        floors=(1, 0),
    )
    WRITERS[kind](problem, tmp_path / "problem")
    states(READERS[kind](tmp_path / "problem"), problem)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_problem_without_room_in_an_empty_row_is_stated(kind: str, solver: ForeignSolver, tmp_path: Path) -> None:
    problem = KnapsackProblem("empty", (Group("a", [1, 2], [0, 0]),), (), (SumResource("sum", 0, 1),))
    agrees(problem, kind, solver, tmp_path, None)
    states(READERS[kind](tmp_path / f"problem.{kind}"), problem)
    agrees(problem.with_capacities({"sum": 1}), kind, solver, tmp_path, 0)


@pytest.mark.parametrize("kind", WRITERS)
def test_floors_above_ceilings_are_infeasible(kind: str, solver: ForeignSolver, tmp_path: Path) -> None:
    problem = KnapsackProblem("crossed", (Group("a", [1, 2], [0, 1]), Group("b", [1], [0])), (), (), (1, 0), (0, 0))
    agrees(problem, kind, solver, tmp_path, None)


@pytest.mark.parametrize("kind", WRITERS)
def test_any_names_are_legal_in_the_file(kind: str, solver: ForeignSolver, tmp_path: Path) -> None:
    names = ["block 1/conv", "block_1/conv", "слой\n", "e3", "<= 5", "x" * 300, ":", "infeasible"]
    groups = tuple(Group(name, [1, 2], [1, 3 + g]) for g, name in enumerate(names))
    pairs = tuple(Pair(g, g + 1, np.array([[0, 0], [0, 1]])) for g in range(len(names) - 1))
    costs = tuple(np.array([1, 2]) for _ in names)
    problem = KnapsackProblem("the name\nof it", groups, pairs, (SumResource("a b=1;", 12, 0, costs),))
    agrees(problem, kind, solver, tmp_path, brute_force(problem).value)
    model = READERS[kind](tmp_path / f"problem.{kind}")
    for name in [*model.rows, *model.whole]:
        assert re.fullmatch(r"[a-df-zA-DF-Z_]\w{0,99}|one\w{0,99}", name, re.ASCII), name


@pytest.mark.parametrize("kind", WRITERS)
def test_numbers_above_the_limit_of_the_model_are_refused(kind: str, tmp_path: Path) -> None:
    problem = KnapsackProblem("huge", (Group("a", [1, 2], [0, 2**61 + 1]),))
    with pytest.raises(UnsupportedError, match=r"2\^61"):
        WRITERS[kind](problem, tmp_path / "problem")
    assert list(tmp_path.iterdir()) == []
