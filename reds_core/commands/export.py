"""`reds export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reds_core.commands.completing import device_names
from reds_core.commands.shared import CalibrationSource, Json, OptionTexts, parse_plugin_options, print_json
from reds_core.commands.verbosity import chosen_verbose

if TYPE_CHECKING:
    from reds_core.runs.export_folder import FamilyExport


def export_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")],
    target: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The target: c-engine writes a C99 engine that stores the weights of all members once; "
            "edge-impulse uploads files to Edge Impulse, which builds a library of each member; others, such as "
            "tflite-16x8, write one file for each member.",
            autocompletion=device_names("export", "deploy"),
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.")],
    members: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="The subnetworks to write besides the full network, such as 25,50.",
            show_default="all of them",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="The data of the run, as for `reds prune`. It is only needed for a target that calibrates files, "
            "such as tflite-16x8, if the data was given as objects in Python.",
            show_default="the same source as in the run",
        ),
    ] = None,
    calibration: CalibrationSource = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Allow a folder that holds other files than an earlier export.")
    ] = False,
    option: OptionTexts = None,
    as_json: Json = False,
) -> None:
    """Run `reds export`."""
    from reds_core.runs.deploying import export
    from reds_core.runs.folder import Mode

    made = export(
        folder,
        target,
        out=out,
        members=members or (),
        data=data,
        calibration=calibration,
        mode=Mode.OVERWRITE if overwrite else Mode.REFUSE,
        options=parse_plugin_options(option or []),
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(made)
    else:
        print(export_text(made, out))


def export_text(made: FamilyExport, out: Path) -> str:
    """What was written, one figure a line."""
    from reds_core.report import units

    rows = [("members", ", ".join(made.members))]
    rows.append(("files", f"{len(made.files)} in {out}, {units.byte_size(made.size_bytes)}"))
    if made.weights_bytes is not None:
        rows.append(("weights, stored once", units.byte_size(made.weights_bytes)))
    if made.tables_bytes is not None:
        rows.append(("tables of all members", units.byte_size(made.tables_bytes)))
    if made.arena_bytes:
        arenas = ", ".join(f"{name} {units.byte_size(size)}" for name, size in made.arena_bytes.items())
        rows.append(("arena in RAM", arenas))
    indent = max(len(name) for name, _ in rows)
    return "\n".join(units.on_terminal(f"{name:<{indent}}  {text}") for name, text in rows)
