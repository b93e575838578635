"""The table of a pruning run for the terminal."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from sample_plans import (
    PLANS,
    complete,
    extended,
    with_levels,
    write_files,
)

from reds_core.plan import Accuracy, Plan
from reds_core.report.terminal import summary_table


def terminal_lines(plan: Plan, folder: Path) -> list[str]:
    from rich.console import Console

    console = Console(width=100, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(summary_table(plan, folder))
    return captured.get().splitlines()


@pytest.mark.parametrize("make", PLANS, ids=lambda make: make.__name__)
def test_the_summary_is_one_line_a_network_within_100_columns(make: Any, tmp_path: Path) -> None:
    plan = make()
    write_files(plan, tmp_path)
    lines = terminal_lines(plan, tmp_path)
    assert max(map(len, lines)) <= 100
    assert len(lines) == 3 + 1 + len(plan.subnetworks) + ("* not trained" in lines[-1])
    assert not re.search(r"None|nan|\x1b", "\n".join(lines))


def test_the_summary_tells_each_figure(tmp_path: Path) -> None:
    plan = complete()
    write_files(plan, tmp_path)
    lines = [" ".join(line.split()) for line in terminal_lines(plan, tmp_path)]
    assert lines[-4] == "full 2.66 M 100 % 23.2 KiB 16.0 KiB 94.4 → 94.5 % – – – –"
    assert lines[-2] == "50 % 1.33 M 50 % 12.8 KiB 11.2 KiB 32.0 → 93.5 % 93.1 % 22.7 KiB gap 0.31 % 12.3 ms"
    assert lines[-1] == "25 % 663 k 25 % 7.54 KiB 8.80 KiB 17.0 → 92.5 % 92.1 % 11.3 KiB optimal 12.3 ms"


def test_a_member_without_training_is_marked(tmp_path: Path) -> None:
    plan = extended()
    write_files(plan, tmp_path)
    lines = [" ".join(line.split()) for line in terminal_lines(plan, tmp_path)]
    assert "40 % 1.06 M 40 % 10.7 KiB 10.2 KiB * 93.2 % 92.8 %" in lines[-3]
    assert "*" not in lines[-2] + lines[-4] + lines[-5]
    assert lines[-1] == "* not trained: added after the run"


def budgeted() -> Plan:
    """The plan of a run under a budget of weight_bytes."""
    plan = with_levels()
    changed = (
        dataclasses.replace(m, budget={**m.budget, "weight_bytes": 0.25}, usage={**m.usage, "weight_bytes": 6677})
        for m in plan.subnetworks
    )
    return dataclasses.replace(plan, subnetworks=tuple(changed))


def test_resources_that_have_a_budget_are_shown_in_any_terminal(tmp_path: Path) -> None:
    plan = budgeted()
    write_files(plan, tmp_path)
    for columns in (100, 80, 60):
        heading = [column.header for column in summary_table(plan, tmp_path, columns).columns]
        assert "weight\nbytes" in [str(text) for text in heading]
    wide = [" ".join(line.split()) for line in terminal_lines(plan, tmp_path)]
    assert "6.52 KiB" in wide[-1]


def test_each_target_that_is_named_is_shown(tmp_path: Path) -> None:
    plan = with_levels()
    files = {"keras": "a.keras", "tflite-16x8": "a-16x8.tflite", "tflite-float16": "a-float16.tflite"}
    accuracy = Accuracy(0.5, 0.75, {"tflite-16x8": 0.73, "tflite-float16": 0.74})
    members = tuple(dataclasses.replace(m, files=files, accuracy=accuracy) for m in plan.subnetworks)
    options = {**plan.options, "targets": list(files)[1:]}
    text = "\n".join(terminal_lines(dataclasses.replace(plan, subnetworks=members, options=options), tmp_path))
    assert "16x8" in text
    assert "float16" in text
    assert "73.0" in text
    assert "74.0" in text
    assert "int8" not in text
