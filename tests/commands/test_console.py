"""What the command line shows: progress on stderr, results on stdout, texts of users taken literally."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from toy_framework import describe, residual_model

from reds_core.commands.console import ConsoleWatcher, print_inspection, print_plan
from reds_core.commands.tables import print_table
from reds_core.framework.finetuning import EpochProgress
from reds_core.knapsack.solution import Limit, Solution, Status, solution_text
from reds_core.plan import FullRecord, Hashes, Plan
from reds_core.runs import inspection

AWKWARD = "[bold]x[/nothing] [/] \\[y] {z} 100%"


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def progress(batch: int = 5, accuracy: float = 0.875) -> EpochProgress:
    return EpochProgress(epoch=1, epochs=3, batch=batch, batches=10, loss=0.5, accuracy=accuracy)


def test_progress_goes_to_stderr_and_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleWatcher() as watcher:
        watcher.stage("reading")
        watcher.stage("step 1 of 1: finetune")
        watcher.epoch(progress())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "reading" in captured.err
    assert "step 1 of 1: finetune" in captured.err
    assert "epoch 2/3, loss 0.500, accuracy 87.5 %" in captured.err


def test_time_left_is_readable_on_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleWatcher() as watcher:
        watcher.stage("step 6 of 6: finetune")
        watcher.epoch(progress())
        watcher.stage("exporting 12.5 (1 of 3)")
    shown = capsys.readouterr().err
    assert re.search(r"accuracy 87.5.% .*-?:--:--|accuracy 87.5.% .*\d:\d\d:\d\d", shown), shown
    assert "…" not in shown


def test_training_without_a_stage_gets_one(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleWatcher() as watcher:
        watcher.epoch(progress())
    assert "training" in capsys.readouterr().err


def test_another_metric_is_shown_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleWatcher("mean_absolute_error") as watcher:
        watcher.epoch(progress(accuracy=12.3456))
    shown = " ".join(capsys.readouterr().err.split())
    assert "mean_absolute_error 12.35" in shown
    assert "accuracy" not in shown
    assert "1234" not in shown


def test_stages_and_warnings_are_texts_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleWatcher() as watcher:
        watcher.stage(AWKWARD)
        watcher.warn(AWKWARD)
    shown = capsys.readouterr().err
    assert f"warning: {AWKWARD}\n" in shown
    assert shown.count("[bold]x[/nothing]") >= 2


def test_a_long_warning_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(["word"] * 60)
    with ConsoleWatcher() as watcher:
        watcher.warn(text)
    assert f"warning: {text}\n" in capsys.readouterr().err


def test_the_bar_ends_when_the_work_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with ConsoleWatcher() as watcher:
            watcher.stage("failing")
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    with ConsoleWatcher() as watcher:
        watcher.stage("again")
    assert "again" in capsys.readouterr().err


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


def test_a_plan_ends_with_where_its_files_are(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("/" + "/".join(["a long folder"] * 9))
    plan = Plan(FullRecord({}), (), (), "nested", "taylor", (), 0, {}, {}, Hashes())
    print_plan(plan, folder)
    assert capsys.readouterr().out.endswith(f"Files, plan and report are in {folder}\n")


@pytest.mark.parametrize("data", [None, "0" * 64])
def test_a_run_without_data_says_why_there_are_no_int8_files(
    data: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    print_plan(Plan(FullRecord({}), (), (), "nested", "taylor", (), 0, {}, {}, Hashes(data=data)), Path("out"))
    assert ("No int8 files were written, since there is no training data" in capsys.readouterr().out) == (data is None)


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
