"""`reds evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reds_core.commands.completing import device_names
from reds_core.commands.shared import (
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

if TYPE_CHECKING:
    from reds_core.runs.evaluating import ModelEvaluation


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
        print(evaluation_text(found))


def evaluation_text(found: ModelEvaluation) -> str:
    """The figures of a model in two columns, one line each."""
    from reds_core.report import units
    from reds_core.report.facts import metric_of

    rows = [(found.metric, metric_of({"metric": found.metric}).text(found.value)), ("loss", f"{found.loss:.4g}")]
    if found.on is not None:
        rows.append(("run by", found.on))
    rows.append(("examples", f"{found.examples:,}"))
    if found.size_bytes is not None:
        rows.append(("file size", f"{units.byte_size(found.size_bytes)} ({found.format})"))
    rows += [(units.resource_noun(name), units.amount(name, used)) for name, used in found.usage.items()]
    indent = max(len(name) for name, _ in rows)
    return "\n".join(units.on_terminal(f"{name:<{indent}}  {text}") for name, text in rows)
