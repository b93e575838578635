"""The table of a pruning run for the terminal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sample_plans import (
    PLANS,
    complete,
    extended,
    write_files,
)

from reds_core.plan import (
    Plan,
)
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
