"""`reds convert`: files for other solvers, and the check of their solutions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Reds

import reds_core
from reds_core.errors import InputError
from reds_core.exchange.formats import SUFFIXES
from reds_core.knapsack.file import load_problem, problem_digest, save_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, SumResource

PROBLEM = KnapsackProblem(
    "small",
    (Group("a", [1, 2, 4], [0, 5, 9]), Group("b", [3, 6], [0, 2])),
    (),
    (SumResource("macs", 5, 1, (np.array([1, 2, 4]), np.array([0, 1]))),),
)


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    save_problem(PROBLEM, tmp_path / "p.npz")
    return tmp_path / "p.npz"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_problem_is_written_in_each_format(reds: Reds, problem: Path, suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"out{suffix}"
    outcome = reds("convert", problem, out)
    assert outcome.status == 0, outcome.err
    assert str(out) in outcome.out
    first = out.read_bytes()
    objective = {".npz": None, ".wcsp": "value = 11 - objective"}.get(suffix, "value = -objective")
    assert reds("convert", problem, out, "--json").json == {"path": str(out), "objective": objective, "remarks": []}
    assert out.read_bytes() == first
    assert reds_core.convert_problem(PROBLEM, str(out)).objective == objective
    if suffix == ".npz":
        assert problem_digest(load_problem(out)) == problem_digest(PROBLEM)


def test_numbers_that_doubles_cannot_hold_are_remarked(reds: Reds, tmp_path: Path) -> None:
    save_problem(KnapsackProblem("large", (Group("a", [1, 2], [0, 10**15]),)), tmp_path / "p.npz")
    assert "10^15" in reds("convert", tmp_path / "p.npz", tmp_path / "p.mps").out
    assert reds("convert", tmp_path / "p.npz", tmp_path / "p.cfn", "--json").json["remarks"] == []


def test_a_feasible_solution_is_checked(reds: Reds, problem: Path, tmp_path: Path) -> None:
    solution = tmp_path / "x.json"
    solution.write_text('{"choice": [1, 1], "bound": 12}')
    outcome = reds("convert", problem, "--solution", solution)
    assert outcome.status == 0
    assert [line.split() for line in outcome.out.splitlines()] == [
        ["feasible", "yes"],
        ["value", "7"],
        ["bound", "12", "(not", "checked)"],
        ["macs", "4"],
        ["a", "2"],
        ["b", "6"],
    ]
    assert reds("convert", problem, "--solution", solution, "--json").json == {
        "choice": [1, 1],
        "value": 7,
        "usage": {"macs": 4},
        "feasible": True,
        "violations": [],
        "widths": {"a": 2, "b": 6},
        "bound": 12,
    }


def test_the_output_of_solve_is_a_solution(reds: Reds, problem: Path, tmp_path: Path) -> None:
    solved = reds("solve", problem, "--json")
    (tmp_path / "x.json").write_text(solved.out)
    assert reds("convert", problem, "--solution", tmp_path / "x.json", "--json").json["value"] == solved.json["value"]


def test_a_solution_that_exceeds_a_capacity_is_an_error(reds: Reds, problem: Path, tmp_path: Path) -> None:
    solution = tmp_path / "x.json"
    solution.write_text('{"choice": [2, 1]}')
    outcome = reds("convert", problem, "--solution", solution)
    outcome.check_error(3, "is not feasible: it uses 6 of 'macs', and the capacity is 5")
    assert outcome.out.splitlines()[0].split() == ["feasible", "no"]
    outcome = reds("convert", problem, "--solution", solution, "--json")
    assert outcome.status == 3
    assert json.loads(outcome.out)["feasible"] is False


def test_a_file_without_a_solution_is_an_error(reds: Reds, problem: Path, tmp_path: Path) -> None:
    (tmp_path / "x.sol").write_text("Infeasible - objective value 0\n")
    outcome = reds("convert", problem, "--solution", tmp_path / "x.sol", "--json")
    outcome.check_error(4, "holds no solution")
    assert outcome.json["choice"] is None


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "give either a file to write or --solution"),
        (("o.mps", "--solution", "x.sol"), "give either a file to write or --solution"),
        (("o.txt",), "'o.txt' has an unknown suffix; use one of .mps, .lp, .cfn, .wcsp, .npz"),
        (("",), "OUT is empty"),
        (("missing/o.mps",), "cannot be written"),
        (("--solution", "missing.sol"), "cannot be read"),
    ],
)
def test_usage_errors(
    reds: Reds, problem: Path, arguments: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(problem.parent)
    reds("convert", problem, *arguments).check_error(2, why)
    assert [path.name for path in problem.parent.iterdir()] == ["p.npz"]


def test_a_problem_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        reds_core.convert_problem(tmp_path / "p.npz", tmp_path / "p.mps")
    with pytest.raises(InputError, match="does not exist"):
        reds_core.check_solution(str(tmp_path / "p.npz"), tmp_path / "p.sol")
    assert list(tmp_path.iterdir()) == []
