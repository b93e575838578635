"""`reds extract`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.shared import (
    GAP,
    SOLVER,
    TIME_LIMIT,
    BudgetTexts,
    CalibrationSource,
    DataSource,
    EnergyModelName,
    Json,
    OptionTexts,
    parse_gap,
    parse_plugin_options,
    print_json,
    results_kept,
    with_default,
)
from reds_core.commands.verbosity import chosen_verbose


def extract_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")],
    budget: BudgetTexts,
    data: DataSource = None,
    calibration: CalibrationSource = None,
    finetune_epochs: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Train the new member by itself for this many epochs. Its weights are then its own, and no file of "
            "another member changes. Without training, its weights are slices of those that the family shares.",
            min=0,
        ),
    ] = 0,
    solver: Annotated[str | None, with_default(SOLVER, "that of the run")] = None,
    time_limit: Annotated[float | None, with_default(TIME_LIMIT, "that of the run")] = None,
    gap: Annotated[str | None, with_default(GAP, "that of the run")] = None,
    energy_model: EnergyModelName = None,
    option: OptionTexts = None,
    as_json: Json = False,
) -> None:
    """Run `reds extract`."""
    from reds_core.commands.console import print_plan
    from reds_core.runs.api import extract
    from reds_core.runs.saved_plan import load_plan

    member = extract(
        folder,
        budget,
        data=data,
        calibration=calibration,
        finetune_epochs=finetune_epochs,
        solver=solver,
        time_limit=time_limit,
        gap=None if gap is None else parse_gap(gap),
        energy_model=energy_model,
        options=parse_plugin_options(option or []),
        verbose=chosen_verbose(),
    )
    with results_kept():
        if as_json:
            print_json(member)
        else:
            print_plan(load_plan(member.folder), member.folder)
