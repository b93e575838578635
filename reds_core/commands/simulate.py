"""`reds simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.completing import plugin_names
from reds_core.commands.plain_help import REPEATABLE
from reds_core.commands.shared import (
    EnergyModelName,
    Json,
    OptionTexts,
    Seed,
    names_in,
    parse_plugin_options,
    print_json,
    results_kept,
)
from reds_core.commands.verbosity import chosen_verbose


def simulate_command(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")],
    trace: Annotated[str, typer.Option(metavar="FILE|NAME", help="trace")],
    governor: Annotated[
        list[str],
        typer.Option(
            metavar="NAME,...",
            help=f"The governors. {REPEATABLE}",
            autocompletion=plugin_names("governor"),
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the results.")],
    energy_model: EnergyModelName = None,
    option: OptionTexts = None,
    seed: Seed = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the simulation in the folder.")] = False,
    as_json: Json = False,
) -> None:
    """Run `reds simulate`."""
    from reds_core.runs.folder import Mode
    from reds_core.simulation.api import simulate

    found = simulate(
        run,
        trace,
        names_in(governor),
        out,
        energy_model=energy_model,
        options=parse_plugin_options(option or []),
        seed=seed,
        mode=Mode.OVERWRITE if overwrite else Mode.REFUSE,
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(found.results)
        return
    with results_kept():
        for name, each in found.results.items():
            print(
                f"{name:14} {each.accuracy:.4f} missed {each.missed} {each.energy_mJ:.0f} of {each.available_mJ:.0f} switches {each.switches}"
            )
