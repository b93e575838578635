"""`reds thresholds`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.completing import choices, device_names
from reds_core.commands.shared import (
    EnergyModelName,
    Imports,
    InputShapes,
    Json,
    OptionTexts,
    Seed,
    input_shape_of,
    parse_plugin_options,
    print_json,
    results_kept,
)
from reds_core.commands.verbosity import chosen_verbose
from reds_core.early_exit.confidence import MEASURES
from reds_core.early_exit.costs import COST_KINDS

_TARGET, _COST = "Target", "Cost"


def thresholds_command(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL|DIR", help="A model file whose outputs are exits, or the folder of a finished run of one."
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="The data set, of which a part of the training data is held back for the choice: digits, mnist, "
            "fashion_mnist, cifar10, tfds:NAME, an .npz file, or a folder of images.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the results.")],
    target_cost: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|AMOUNT",
            help="The highest mean cost: a share of what the network without early exits takes, such as 0.5 or 50%, or "
            "an amount with a unit. The most accurate thresholds within it are chosen.",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    target_accuracy: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="The least accuracy, such as 0.9. The cheapest thresholds that reach it are chosen.",
            show_default="that of the last exit, if there is no target of cost",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    measure: Annotated[
        str,
        typer.Option(
            metavar="|".join(MEASURES),
            help="How sure an exit is of its answer: the difference between the two largest probabilities, 1 minus the "
            "entropy as a share of the largest possible one, or the largest probability with a temperature.",
            autocompletion=choices(MEASURES),
        ),
    ] = "margin",
    cost: Annotated[
        str,
        typer.Option(
            metavar="|".join(COST_KINDS),
            help="What exits cost.",
            autocompletion=choices(COST_KINDS),
            rich_help_panel=_COST,
        ),
    ] = "macs",
    exit_costs: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT,...",
            help="What an example has used that leaves at each exit, by depth, such as 1.2ms,2ms,3.1ms.",
            show_default="counted, profiled, or by the energy model",
            rich_help_panel=_COST,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The target from whose profile (`reds profile`) energies, latencies or instructions are taken.",
            autocompletion=device_names("profile"),
            show_default="the first one that states them; without any, energies and latencies are modelled",
            rich_help_panel=_COST,
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The configuration of that target.",
            show_default="its first one",
            rich_help_panel=_COST,
        ),
    ] = None,
    energy_model: EnergyModelName = None,
    device_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .tflite file of the network with integer outputs, for which integer thresholds are chosen, too.",
            show_default="that of the full network of a run, if there is one",
        ),
    ] = None,
    holdout: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="The share of the training data that is held back for the choice.",
            show_default="that of the run, or else 0.1",
        ),
    ] = None,
    option: OptionTexts = None,
    imports: Imports = None,
    input_shape: InputShapes = None,
    seed: Seed = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the thresholds in DIR.")] = False,
    as_json: Json = False,
) -> None:
    """Run `reds thresholds`."""
    from reds_core.commands.tables import print_rows
    from reds_core.early_exit.page import policies_table
    from reds_core.early_exit.record import THRESHOLDS_FILE
    from reds_core.runs.exit_thresholds import choose_thresholds
    from reds_core.runs.folder import Mode

    found = choose_thresholds(
        model,
        data,
        out,
        target_cost=target_cost,
        target_accuracy=target_accuracy,
        measure=measure,
        cost=cost,
        exit_costs=exit_costs,
        on=on,
        config=config,
        energy_model=energy_model,
        device_file=device_file,
        holdout=holdout,
        mode=Mode.OVERWRITE if overwrite else Mode.REFUSE,
        options=parse_plugin_options(option or []),
        imports=imports or (),
        input_shape=input_shape_of(input_shape),
        seed=seed,
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(found)
        return
    with results_kept():
        print_rows(policies_table(found, with_comparison=False))
        print(f"wrote {out / THRESHOLDS_FILE}")
