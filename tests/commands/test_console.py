"""What the command line shows: progress on stderr, results on stdout, texts of users taken literally."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_framework import describe, residual_model

from reds_core.commands.console import print_inspection, print_plan
from reds_core.commands.tables import print_table
from reds_core.knapsack.solution import Limit, Solution, Status, solution_text
from reds_core.plan import FullRecord, Hashes, Plan
from reds_core.runs import inspection

AWKWARD = "[bold]x[/nothing] [/] \\[y] {z} 100%"


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_tables_show_texts_literally(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "detail"], [["a", AWKWARD], ["b", ""]])
    assert AWKWARD in capsys.readouterr().out


def test_cells_that_are_too_long_are_folded_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [["x" * 200]])
    assert capsys.readouterr().out.count("x") == 200


def test_an_inspection_shows_layers_groups_and_totals(capsys: pytest.CaptureFixture[str]) -> None:
    print_inspection(inspection.describe(describe(residual_model())))
    out = capsys.readouterr().out
    for text in ("stem", "dense", "3x6", "inside, inside_relu", "270 MACs, 146 bytes of params, 54 bytes peak RAM"):
        assert text in out


def test_an_inspection_prints_in_python_what_the_command_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    found = inspection.describe(describe(residual_model()))
    print_inspection(found)
    assert str(found).split() == capsys.readouterr().out.split()
    assert repr(found).startswith("Inspection(groups=")


def test_a_plan_ends_with_where_its_files_are(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("/" + "/".join(["a long folder"] * 9))
    plan = Plan(FullRecord({}), (), (), "nested", "taylor", (), 0, {}, {}, Hashes())
    print_plan(plan, folder)
    assert capsys.readouterr().out.endswith(f"Files, plan and report are in {folder}\n")


@pytest.mark.parametrize("hashes", [Hashes(), Hashes(data="0" * 64), Hashes(calibration="0" * 64)])
def test_a_run_without_data_says_why_there_are_no_int8_files(
    hashes: Hashes, capsys: pytest.CaptureFixture[str]
) -> None:
    print_plan(Plan(FullRecord({}), (), (), "nested", "taylor", (), 0, {}, {}, hashes), Path("out"))
    said = "No int8 files were written, since there is no training data" in capsys.readouterr().out
    assert said == (hashes == Hashes())


def solution(**changes: object) -> Solution:
    fields = {
        "status": Status.FEASIBLE,
        "limit": Limit.TIME,
        "choice": (0,),
        "value": 1234567,
        "bound": 1300000,
        "gap": 65433 / 1234567,
        "widths": {"a": 12},
        "usage": {"macs": 1000},
        "wall_s": 0.5,
        "backend_s": None,
        "solver": "dp",
        "version": "1.0",
        "detail": ("a remark",),
    }
    return Solution(**(fields | changes))  # type: ignore[arg-type]


def test_a_solution_in_two_columns() -> None:
    assert solution_text(solution()).splitlines() == [
        "status  feasible (time limit)",
        "solver  dp 1.0, 0.500 s",
        "value   1,234,567",
        "bound   1,300,000 (gap 5.3 %)",
        "macs    1,000",
        "  a     12",
        "note    a remark",
    ]


def test_what_a_solution_lacks_is_left_out() -> None:
    nothing = dict.fromkeys(("limit", "choice", "value", "bound", "gap", "widths", "usage"))
    text = solution_text(solution(status=Status.NO_SOLUTION, detail=(), **nothing))
    assert text.splitlines() == ["status  no_solution", "solver  dp 1.0, 0.500 s"]
    assert "bound   0\n" not in solution_text(solution(bound=None, gap=None))
    assert "bound   7\n" in solution_text(solution(value=0, bound=7, gap=None))
