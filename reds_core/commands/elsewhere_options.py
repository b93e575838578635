"""Options of commands that can time files on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Script = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write a Python program (.py) that times the files on another machine, without reds, instead of timing "
        "them.",
    ),
]
RECORDS = typer.Option(
    "--records", metavar="FILE", help="Take in the records (.json) that this program wrote on the other machine."
)
Records = Annotated[Path | None, RECORDS]
IMPORTED = typer.Option("--records", "--import", metavar="FILE", help=RECORDS.help)
ImportedRecords = Annotated[Path | None, IMPORTED]
"""The option for commands in which `--import` names no custom layers."""
Host = Annotated[
    str | None,
    typer.Option(
        metavar="ssh:NAME",
        help="Do both at once on a machine that ssh reaches without a password. What is copied there is removed "
        "afterwards.",
    ),
]
MachineName = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The name of the other machine in records and reports, such as raspberry-pi-4.",
        show_default="the one that it has for itself",
    ),
]
HostPython = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="The Python interpreter on the host, such as '~/env/bin/python'.", show_default="python3"
    ),
]
