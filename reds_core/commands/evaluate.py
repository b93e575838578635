"""`reds evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.completing import choices, device_names
from reds_core.commands.shared import (
    TASKS,
    ElementSize,
    Imports,
    InputShapes,
    Json,
    Loss,
    Metric,
    OptionTexts,
    Seed,
    input_shape_of,
    parse_plugin_options,
    print_json,
)
from reds_core.commands.verbosity import chosen_verbose


def evaluate_command(
    model: Annotated[
        Path, typer.Argument(metavar="FILE", help="The model file, or the file for a device, such as .tflite.")
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="The data set whose test data is used: digits, mnist, fashion_mnist, cifar10, tfds:NAME, an .npz "
            "file, or a folder of images.",
        ),
    ],
    on: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The target that runs the file, such as tflite-micro. Runtimes round in different ways, so their "
            "results can differ.",
            show_default="the one that wrote it",
            autocompletion=device_names("load"),
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar=TASKS,
            help="What outputs are compared with: the labels of the data, the outputs of a teacher, or the examples "
            "themselves.",
            show_default="that of the run in whose folder the file lies, or else supervised",
            autocompletion=choices(tuple(TASKS.split("|"))),
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="The model file with whose outputs those of an embedding are compared.",
            show_default="the input model of the run in whose folder the file lies",
        ),
    ] = None,
    metric: Metric = None,
    loss: Loss = None,
    element_size: ElementSize = 1,
    input_shape: InputShapes = None,
    option: OptionTexts = None,
    imports: Imports = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Run `reds evaluate`."""
    from reds_core.runs.evaluating import evaluate

    found = evaluate(
        model,
        data,
        on=on,
        task=task,
        teacher=teacher,
        metric=metric,
        loss=loss,
        element_size=element_size,
        input_shape=input_shape_of(input_shape),
        options=parse_plugin_options(option or []),
        imports=imports or (),
        seed=seed,
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(found)
    else:
        print(found)
