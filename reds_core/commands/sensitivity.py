"""`reds sensitivity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.completing import device_names, transform_names
from reds_core.commands.plain_help import REPEATABLE
from reds_core.commands.shared import (
    Imports,
    InputShapes,
    Json,
    Loss,
    ModelFile,
    OptionTexts,
    Seed,
    TaskName,
    input_shape_of,
    names_in,
    parse_plugin_options,
    print_json,
    results_kept,
)
from reds_core.commands.verbosity import chosen_verbose


def sensitivity_command(
    model: ModelFile,
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="The data set whose training data is used: digits, mnist, fashion_mnist, cifar10, tfds:NAME, an .npz "
            "file, or a folder of images.",
        ),
    ],
    transform: Annotated[
        list[str],
        typer.Option(
            metavar="NAME,...",
            help=f"The transforms whose levels are measured. {REPEATABLE}",
            autocompletion=transform_names,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the results.")],
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="The targets whose files have to store the levels. Without any, all levels are measured. "
            f"{REPEATABLE}",
            autocompletion=device_names("export"),
        ),
    ] = None,
    examples: Annotated[
        int,
        typer.Option(metavar="N", help="The largest number of training examples on which losses are measured.", min=1),
    ] = 2048,
    option: OptionTexts = None,
    task: TaskName = "supervised",
    loss: Loss = None,
    imports: Imports = None,
    input_shape: InputShapes = None,
    seed: Seed = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the measurement in DIR.")] = False,
    as_json: Json = False,
) -> None:
    """Run `reds sensitivity`."""
    from reds_core.commands.levels_view import print_sensitivity
    from reds_core.runs.folder import Mode
    from reds_core.runs.sensitivity import SENSITIVITY_FILE, sensitivity

    table = sensitivity(
        model,
        data,
        names_in(transform),
        out,
        targets=names_in(target),
        examples=examples,
        mode=Mode.OVERWRITE if overwrite else Mode.REFUSE,
        options=parse_plugin_options(option or []),
        imports=imports or (),
        input_shape=input_shape_of(input_shape),
        task=task,
        loss=loss,
        seed=seed,
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(table)
        return
    with results_kept():
        print_sensitivity(table)
        print(f"wrote {out / SENSITIVITY_FILE}")
