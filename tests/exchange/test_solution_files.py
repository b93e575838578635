"""Solution files of other solvers: what is read from them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reds_core.errors import InputError
from reds_core.exchange.checking import check_solution
from reds_core.exchange.names import option_name
from reds_core.exchange.solution_files import SolutionFile, choice_of_solution, read_solution
from reds_core.knapsack.levels import WIDTH, Dimension, Nesting
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, SumResource
from reds_core.knapsack.solution import Status
from reds_core.system.records import to_json

PROBLEM = KnapsackProblem(
    "small",
    (Group("conv 1", [1, 2, 4], [0, 5, 9]), Group("fc", [3, 6], [0, 2])),
    (Pair(0, 1, np.array([[0, 0], [0, 1], [0, 3]])),),
    (SumResource("macs", 5, 1, (np.array([1, 2, 4]), np.array([0, 1]))),),
    floors=(0, 1),
)

HIGHS = """\
Model status
Optimal

# Primal solution values
Feasible
Objective -8
# Columns 5
x0_0_w1_conv_1 0
x0_1_w2_conv_1 0.99999999
x0_2_w4_conv_1 1e-9
x1_0_w3_fc -0
x1_1_w6_fc 1
y0_1_1 1
# Rows 1
one0_conv_1 1

# Dual solution values
Feasible
# Columns 5
x0_0_w1_conv_1 -12.5
x1_0_w3_fc 7
"""
HIGHS_INFEASIBLE = """\
Model status
Infeasible

# Primal solution values
None

# Dual solution values
None
"""
HIGHS_STOPPED = """\
Model status
Time limit reached

# Primal solution values
None

# Dual solution values
None

# Basis
HiGHS_basis_file v2
None
"""
CBC = """\
Optimal - objective value -8.00000000
      1 x0_1_w2_conv_1                                  1                      -5
      4 x1_1_w6_fc                                      1                      -2
      8 y0_1_1                                          1                      -1
"""
CBC_INFEASIBLE = """\
Infeasible - objective value 0.00000000
**      0 x0_0_w1_conv_1                                0.5                       0
"""
CBC_STOPPED = """\
Stopped on time (no integer solution - continuous used) - objective value -9.1
      0 x0_0_w1_conv_1                                0.5                       0
"""
SCIP = """\
solution status: optimal solution found
objective value:                                   -8
x0_1_w2_conv_1                                      1 \t(obj:-5)
x1_1_w6_fc                                          1 \t(obj:-2)
"""
GUROBI = """\
# Solution for model small
# Objective value = -8
x0_0_w1_conv_1 0
x0_1_w2_conv_1 1
x0_2_w4_conv_1 0
x1_0_w3_fc 0
x1_1_w6_fc 1
"""
ANSWER = '{"choice": [1, 1], "bound": 8}'
NONE_EXISTS = SolutionFile(None, status=Status.INFEASIBLE)
FOUND = {
    "highs": (HIGHS, SolutionFile((1, 1))),
    "cbc": (CBC, SolutionFile((1, 1))),
    "scip": (SCIP, SolutionFile((1, 1))),
    "gurobi": (GUROBI, SolutionFile((1, 1))),
    "toulbar2 indices": ("1 1\n0\n", SolutionFile((1, 1))),
    "toulbar2 values": (" o1_w2 o1_w6\no_w3\n", SolutionFile((1, 1))),
    "toulbar2 variables": (" x0_conv_1=o1_w2 x1_fc=o1_w6\n", SolutionFile((1, 1))),
    "json": (ANSWER, SolutionFile((1, 1), 8)),
    "json without a bound": ('\n {"choice": [1, 1], "bound": null}', SolutionFile((1, 1))),
    "json without a choice": ('{"choice": null, "bound": 9}', SolutionFile(None, 9)),
    "reds solve --json": (
        '{"status": "optimal", "bound": 8, "widths": {"fc": 6, "conv 1": 2}}',
        SolutionFile((1, 1), 8, Status.OPTIMAL),
    ),
    "reds solve --json, infeasible": ('{"status": "infeasible", "widths": null}', NONE_EXISTS),
    "json, infeasible": ('{"status": "infeasible"}', NONE_EXISTS),
    "highs, infeasible": (HIGHS_INFEASIBLE, NONE_EXISTS),
    "cbc, infeasible": (CBC_INFEASIBLE, NONE_EXISTS),
    "cbc, stopped": (CBC_STOPPED, SolutionFile(None)),
    "cbc, infeasible in integers": (CBC_INFEASIBLE.replace("Inf", "Integer inf"), NONE_EXISTS),
    "highs, stopped": (HIGHS_STOPPED, SolutionFile(None)),
    "highs, stopped at a solution beyond its tolerances": (
        HIGHS_STOPPED.replace("values\nNone", "values\nInfeasible\n# Columns 1\nx0_0_w1_conv_1 0.5"),
        SolutionFile(None),
    ),
    "highs, infeasible or unbounded": (HIGHS_STOPPED.replace("Time", "Infeasible or unbounded"), SolutionFile(None)),
    "scip, infeasible": ("solution status: infeasible\nno solution available\n", NONE_EXISTS),
    "scip, stopped": ("solution status: time limit reached\nno solution available\n", SolutionFile(None)),
    "json with a byte-order mark": ("\ufeff" + ANSWER, SolutionFile((1, 1), 8)),
    "empty": ("\n", SolutionFile(None)),
}


def write(folder: Path, text: str) -> Path:
    path = folder / "x.sol"
    path.write_text(text)
    return path


@pytest.mark.parametrize("case", FOUND)
def test_what_a_file_holds(case: str, tmp_path: Path) -> None:
    text, expected = FOUND[case]
    path = write(tmp_path, text)
    assert read_solution(PROBLEM, path) == expected
    if expected.choice is None:
        with pytest.raises(InputError, match="holds no solution"):
            choice_of_solution(PROBLEM, path)
    else:
        assert choice_of_solution(PROBLEM, str(path)) == expected.choice


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hello world\n", "is of no known format"),
        ("0 1 0\n", "has values of 3 variables, but the problem has 2 groups"),
        ("0\n", "has values of 1 variables"),
        ("0 2\n", "chooses option 2 of group 'fc', which has 2 options"),
        ("x0=1 x0=1\n", "has 'x0=1' where the option of group 1 is expected"),
        ("0 1 0 0\n", "has values of 4 variables"),
        ("-1 0\n", "is of no known format"),
        ("9" * 5000 + " 0\n", "is of no known format"),
        ("o1_w2 x1=o" + "9" * 5000 + "\n", "where the option of group 1 is expected"),
        ('{"choice": [1, ' + "9" * 5000 + "]}", "is not valid JSON"),
        (CBC.replace("x1_1_w6_fc", "x7_1_w6_fc"), "option 1 of group 7, which the problem does not have"),
        (CBC.replace("x1_1_w6_fc", "x1_2_w6_fc"), "option 2 of group 1, which the problem does not have"),
        (CBC.replace("x1_1_w6_fc", "one1_fc"), "chooses no option of group 'fc'"),
        (GUROBI.replace("x0_0_w1_conv_1 0", "x0_0_w1_conv_1 1"), "chooses two options of group 'conv 1'"),
        (GUROBI.replace("x1_1_w6_fc 1", "x1_1_w6_fc 0.7"), "has the value 0.7 for a binary column"),
        (GUROBI.replace("x1_1_w6_fc 1", "x1_1_w6_fc nan"), "has the value nan for a binary column"),
        ("{", "is not valid JSON"),
        ("{}", "has neither 'choice' nor 'widths'"),
        ('{"choice": [1]}', "has 1 options, but the problem has 2 groups"),
        ('{"choice": [1, true]}', "is not a list of integers"),
        ('{"choice": [1, 1.0]}', "is not a list of integers"),
        ('{"choice": "11"}', "is not a list of integers"),
        ('{"status": "optimal"}', "has neither 'choice' nor 'widths'"),
        ('{"choice": [1, 1], "status": 3}', "has the status 3"),
        ('{"choice": [1, -1]}', "chooses option -1 of group 'fc'"),
        ('{"choice": [1, 1], "bound": 8.5}', "has the bound 8.5"),
        ('{"widths": {"fc": 6}}', "gives group 'conv 1' no width that it offers"),
        ('{"widths": {"fc": 5, "conv 1": 2}}', "gives group 'fc' no width that it offers"),
        ('{"widths": {"fc": 6, "conv 1": [1, 2]}}', "gives group 'conv 1' no width that it offers"),
        ('{"widths": {"fc": 6, "conv 1": "2"}}', "gives group 'conv 1' no width that it offers"),
        ('{"widths": [2, 6]}', "has 'widths' that are not an object"),
    ],
)
def test_files_that_are_refused(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        read_solution(PROBLEM, write(tmp_path, text))


def test_infeasible_is_not_believed_where_solvers_round(tmp_path: Path) -> None:
    """CBC says so of problems with costs near 2^59 that have solutions."""
    path = write(tmp_path, CBC_INFEASIBLE)
    for most, status in ((10**14, Status.INFEASIBLE), (10**15, None)):
        problem = KnapsackProblem("large", (Group("a", [1, 2], [0, most]),))
        assert read_solution(problem, path) == SolutionFile(None, status=status)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing", tmp_path, binary):
        with pytest.raises(InputError, match="cannot be read"):
            read_solution(PROBLEM, path)
    with pytest.raises(InputError, match="is empty"):
        read_solution(PROBLEM, "")


def test_a_solution_is_checked_in_exact_integers(tmp_path: Path) -> None:
    checked = check_solution(PROBLEM, write(tmp_path, ANSWER))
    assert (checked.value, checked.usage, checked.feasible, checked.violations) == (8, {"macs": 4}, True, ())
    assert (checked.widths, checked.bound) == ({"conv 1": 2, "fc": 6}, 8)
    over = check_solution(PROBLEM, write(tmp_path, json.dumps({"choice": [2, 1]})))
    assert (over.value, over.feasible) == (14, False)
    assert over.violations == ("it uses 6 of 'macs', and the capacity is 5",)
    below = check_solution(PROBLEM, write(tmp_path, "0 0\n"))
    assert below.violations == ("option 0 of group 'fc' is not between its floor 1 and its ceiling 1",)
    nothing = check_solution(PROBLEM, write(tmp_path, HIGHS_INFEASIBLE))
    assert (nothing.choice, nothing.value, nothing.feasible) == (None, None, None)


# --- options that are rows of levels ---------------------------------------------------------------------------------

LEVELED = KnapsackProblem(
    "leveled",
    (
        Group(
            "conv",
            [2, 1, 2],
            [0, 5, 9],
            (Dimension("conv", WIDTH), Dimension("conv/1", "bits")),
            np.array([[2, 4], [1, 8], [2, 8]]),
        ),
        Group("fc", [0, 0], [0, 2], (Dimension("fc/1", "bits"),), np.array([[4], [8]])),
        Group("plain", [3, 5], [0, 1]),
    ),
    nesting={"bits": Nesting.EQUAL},
)
SETTINGS = {"conv/1": {"bits": 8}, "fc/1": {"bits": 4}}


def test_solve_json_with_levels_is_read(tmp_path: Path) -> None:
    content = {"widths": {"conv": 1, "plain": 5}, "settings": SETTINGS}
    assert read_solution(LEVELED, write(tmp_path, json.dumps(content))).choice == (1, 0, 1)
    checked = check_solution(LEVELED, tmp_path / "x.sol")
    assert (checked.widths, checked.settings.levels) == ({"conv": 1, "plain": 5}, SETTINGS)
    assert json.loads(to_json(checked))["settings"] == SETTINGS


@pytest.mark.parametrize(
    "text", ["o1_l1_8 o0_l4 o1_w5", "x0_conv=o1_l1_8 x1_fc=o0_l4 x2_plain=o1_w5", "x0_1_l1_8_conv 1\nx1_0_l4 1\nx2_1 1"]
)
def test_names_of_options_with_levels_are_read(text: str, tmp_path: Path) -> None:
    assert read_solution(LEVELED, write(tmp_path, text + "\n")).choice == (1, 0, 1)
    assert [option_name(LEVELED, g, i) for g, i in enumerate((1, 0, 1))] == ["o1_l1_8", "o0_l4", "o1_w5"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (None, "group 'conv' no width and levels that it offers"),
        ([8], "'settings' that are not objects"),
        ({"conv/1": 8}, "'settings' that are not objects"),
        (SETTINGS | {"fc/1": {"bits": 2}}, "group 'fc' no width and levels"),
        (SETTINGS | {"conv/1": {"bits": 4}}, "group 'conv' no width and levels"),
        (SETTINGS | {"conv/1": {"bits": "8"}}, "group 'conv' no width and levels"),
    ],
)
def test_levels_that_are_refused(settings: object, why: str, tmp_path: Path) -> None:
    content = {"widths": {"conv": 1, "plain": 5}, "settings": settings}
    with pytest.raises(InputError, match=why):
        read_solution(LEVELED, write(tmp_path, json.dumps(content)))
