"""`reds exits`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.plain_help import REPEATABLE
from reds_core.commands.shared import (
    DataSource,
    Imports,
    InputShapes,
    Json,
    ModelFile,
    OptionTexts,
    Seed,
    input_shape_of,
    names_in,
    parse_plugin_options,
    print_json,
    results_kept,
)
from reds_core.commands.verbosity import chosen_verbose


def exits_command(
    model: ModelFile,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The model file to write, with the exits.")],
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="auto|LAYER,...",
            help="The layers after which there are exits. auto: after the blocks that end nearest to 25, 50 and 75 % "
            f"of the MACs. {REPEATABLE}",
            show_default="auto",
        ),
    ] = None,
    data: DataSource = None,
    epochs: Annotated[
        int,
        typer.Option(metavar="N", help="The epochs for which the heads are trained on the data.", min=0),
    ] = 5,
    learning_rate: Annotated[
        float, typer.Option(metavar="RATE", help="The learning rate of that training, in which nothing else learns.")
    ] = 0.1,
    option: OptionTexts = None,
    imports: Imports = None,
    input_shape: InputShapes = None,
    seed: Seed = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Run `reds exits`."""
    from reds_core.commands.tables import print_table
    from reds_core.report import units
    from reds_core.runs.adding_exits import exits
    from reds_core.runs.exit_points import AUTO

    found = exits(
        model,
        names_in(at) or AUTO,
        out,
        data=data,
        epochs=epochs,
        learning_rate=learning_rate,
        overwrite=overwrite,
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
        print_table(
            ["exit", "after layer", "MACs", "share", "accuracy"],
            [
                [
                    each.name,
                    each.after or units.DASH,
                    f"{each.macs:,}",
                    units.percent(each.macs_share),
                    units.DASH if each.accuracy is None else units.percent(each.accuracy),
                ]
                for each in found
            ],
        )
        print(f"wrote {out}")
