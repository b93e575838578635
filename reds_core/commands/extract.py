"""`reds extract`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.shared import BudgetTexts, results_kept
from reds_core.errors import InputError


def extract_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    budget: BudgetTexts = None,
) -> None:
    """Run `reds extract`."""
    from reds_core.commands.console import ConsoleWatcher, print_plan
    from reds_core.plan import load_plan
    from reds_core.runs.api import extract

    if not budget:
        raise InputError("no budget is given", "give one such as --budget macs=0.4")
    with ConsoleWatcher() as watcher:
        extract(folder, budget, watcher=watcher)
    with results_kept():
        print_plan(load_plan(folder), folder)
