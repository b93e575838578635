"""`reds new`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.completing import choices
from reds_core.commands.shared import results_kept
from reds_core.scaffold.templates import TEMPLATES


def new_command(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help=f"The kind of the plugin: {', '.join(TEMPLATES)}.",
            autocompletion=choices(TEMPLATES),
        ),
    ],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The name of the plugin. The name acme makes the package reds-acme.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder in which the folder of the package is created.")
    ] = Path("."),
) -> None:
    """Run `reds new`."""
    from reds_core.scaffold.api import new_plugin

    made = new_plugin(kind, name, out)
    place = made if made.is_absolute() else f"./{made}"  # pip takes a name without a slash for that of a distribution
    with results_kept():
        print(f"wrote {made}, which contains a working {kind} plugin and its tests")
        print(f"install it: pip install -e {shlex.quote(f'{place}[test]')}")
        print(f"check it:   reds check {name}")
