"""What users read about a search for the smallest network."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from sample_plans import html_of, one_budget, searched

from reds_core.commands.console import print_plan
from reds_core.plan import Plan
from reds_core.report.drop import drop_sentences, drop_table, lost_points
from reds_core.search_records import DropRecord, MaxDropRecord


def record_of(plan: Plan) -> MaxDropRecord:
    assert plan.max_drop is not None
    return plan.max_drop


@pytest.mark.parametrize(
    ("points", "text"),
    [
        (0.4, "loses 0.40 points"),
        (-0.25, "gains 0.25 points"),
        (0.0, "loses nothing"),
        (-0.001, "loses nothing"),
        (None, "was not found"),
        (float("nan"), "was not found"),
    ],
)
def test_what_is_lost(points: float | None, text: str) -> None:
    assert lost_points(points) == text


def test_the_sentences() -> None:
    plan = searched()
    first, second = drop_sentences(record_of(plan), plan)
    assert first.replace("\u202f", " ") == (
        "The smallest network by MACs that loses at most 1 point of accuracy needs 52.0 % of the MACs and gains 0.25 "
        "points on held-back data (90.0 % to 90.2 %, 400 examples), which leaves 1.25 points of the limit unused."
    )
    assert second == ("It was chosen on held-back training data; accuracy on test data was only measured afterwards.")


def found(drop_points: float, epochs: int) -> str:
    plan = searched()
    last = DropRecord({"macs": 1.0}, plan.full.usage, 0.9, drop_points, epochs, 1.0)
    record = dataclasses.replace(record_of(plan), trainings=(last,))
    return drop_sentences(record, plan)[0]


def test_a_limit_that_is_used_up() -> None:
    assert found(1.0, 10).endswith("400 examples).")


def test_the_full_network() -> None:
    assert found(0.0, 0).endswith("; it is the full network, since no smaller one holds the limit.")


def test_the_table() -> None:
    plan = searched()
    short, full = drop_table(record_of(plan), plan).blocks
    texts = [[row.heading.text, *(cell.text for cell in row.cells)] for row in (*short.rows, *full.rows)]
    assert [[cell.replace("\u202f", " ") for cell in row] for row in texts] == [
        ["52 %", "52.0 %", "89.2 %", "0.75", "2", "25.0 s"],
        ["26 %", "26.0 %", "86.0 %", "4.00", "2", "25.0 s"],
        ["2 %", "–", "–", "–", "2", "25.0 s"],
        ["50 %", "50.0 %", "88.5 %", "1.50", "10", "2 min 5 s"],
        ["52 %", "52.0 %", "90.2 %", "−0.25", "10", "2 min 5 s"],
    ]


@pytest.mark.parametrize(("plan", "is_said"), [(searched(), True), (one_budget(), False)])
def test_the_page_says_it_only_where_there_was_a_search(plan: Plan, is_said: bool, tmp_path: Path) -> None:
    page = html_of(plan, tmp_path)
    assert ("How its size was found" in page) == is_said
    assert ("Networks that were tried, on held-back data" in page) == is_said


def test_the_command_line_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_plan(searched(), tmp_path)
    shown = capsys.readouterr().out
    assert "The smallest network by MACs that loses at most 1 point" in shown
    assert shown.count("short trainings") == 3
    assert shown.count("full trainings") == 2
    print_plan(one_budget(), tmp_path)
    assert "held-back" not in capsys.readouterr().out
