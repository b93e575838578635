"""`reds simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.completing import choices, device_names, plugin_names
from reds_core.commands.plain_help import REPEATABLE
from reds_core.commands.shared import (
    EnergyModelName,
    Json,
    OptionTexts,
    names_in,
    parse_plugin_options,
    print_json,
    results_kept,
)
from reds_core.commands.verbosity import chosen_verbose
from reds_core.runtime.generated import GENERATED

_BATTERY, _TRACE = "Battery and queue", "Generated traces"


def simulate_command(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")],
    trace: Annotated[
        str,
        typer.Option(
            metavar="FILE|NAME",
            help="What happens over time: a CSV file with the columns time_s,harvest_mW,deadline_ms,temperature_C and, "
            f"if it is not one request in each step, requests; or a trace that is generated: {', '.join(GENERATED)}.",
            autocompletion=choices(GENERATED),
        ),
    ],
    governor: Annotated[
        list[str],
        typer.Option(
            metavar="NAME,...",
            help="A governor, which chooses the subnetwork that runs next: threshold, pi, pid, mpc or oracle. "
            f"{REPEATABLE}",
            autocompletion=plugin_names("governor"),
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the results.")],
    on: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The target from whose profile (`reds profile`) latencies and energies are taken.",
            autocompletion=device_names("profile"),
            show_default="the first one that states both; without any, they are modelled",
        ),
    ] = None,
    config: Annotated[
        str | None, typer.Option(metavar="NAME", help="The configuration of that target.", show_default="its first one")
    ] = None,
    energy_model: EnergyModelName = None,
    capacity_mJ: Annotated[
        float | None,
        typer.Option(
            "--capacity-mJ",
            metavar="MJ",
            help="The energy that the battery holds, in millijoules.",
            show_default="half a day of the cheapest subnetwork",
            rich_help_panel=_BATTERY,
        ),
    ] = None,
    initial: Annotated[
        float,
        typer.Option(
            metavar="SHARE", help="The share of it that is charged in the beginning.", rich_help_panel=_BATTERY
        ),
    ] = 0.5,
    efficiency: Annotated[
        float,
        typer.Option(
            metavar="SHARE", help="The share of harvested energy that reaches the battery.", rich_help_panel=_BATTERY
        ),
    ] = 0.85,
    leakage_mW: Annotated[
        float,
        typer.Option(
            "--leakage-mW",
            metavar="MW",
            help="The power that the battery loses at 25 degrees Celsius, with that of the sleeping device. It doubles "
            "with every 10 degrees.",
            rich_help_panel=_BATTERY,
        ),
    ] = 0.005,
    queue: Annotated[
        int,
        typer.Option(metavar="N", help="The largest number of requests that wait.", rich_help_panel=_BATTERY),
    ] = 16,
    harvest_mW: Annotated[
        float | None,
        typer.Option(
            "--harvest-mW",
            metavar="MW",
            help="The mean harvested power.",
            show_default="between what the cheapest and the most accurate subnetwork need",
            rich_help_panel=_TRACE,
        ),
    ] = None,
    deadline_ms: Annotated[
        float | None,
        typer.Option(
            metavar="MS",
            help="The time that a request may take.",
            show_default="four times the latency of the slowest subnetwork",
            rich_help_panel=_TRACE,
        ),
    ] = None,
    hours: Annotated[
        float | None, typer.Option(metavar="H", help="The length.", show_default="24", rich_help_panel=_TRACE)
    ] = None,
    step_s: Annotated[
        float | None,
        typer.Option(
            "--step",
            metavar="SECONDS",
            help="The length of a step, in each of which one request arrives.",
            show_default="1",
            rich_help_panel=_TRACE,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="The seed of a generated trace.", show_default="0", rich_help_panel=_TRACE),
    ] = None,
    energy_error: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="The share by which inferences take more energy than governors know, such as 0.3; negative for less.",
        ),
    ] = 0.0,
    option: OptionTexts = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the simulation in the folder.")] = False,
    as_json: Json = False,
) -> None:
    """Run `reds simulate`."""
    from reds_core.commands.tables import print_rows
    from reds_core.runs.folder import Mode
    from reds_core.simulation.api import simulate
    from reds_core.simulation.page import results_table
    from reds_core.simulation.record import SUMMARY_FILE

    found = simulate(
        run,
        trace,
        names_in(governor),
        out,
        on=on,
        config=config,
        energy_model=energy_model,
        capacity_mJ=capacity_mJ,
        initial=initial,
        efficiency=efficiency,
        leakage_mW=leakage_mW,
        queue=queue,
        harvest_mW=harvest_mW,
        deadline_ms=deadline_ms,
        hours=hours,
        step_s=step_s,
        energy_error=energy_error,
        seed=seed,
        options=parse_plugin_options(option or []),
        mode=Mode.OVERWRITE if overwrite else Mode.REFUSE,
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(found.results)
        return
    with results_kept():
        print_rows(results_table(found, by_member=False))
        print(f"wrote {out / SUMMARY_FILE}")
