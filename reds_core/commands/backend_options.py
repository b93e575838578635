"""The options that select where the jobs of a comparison run."""

from __future__ import annotations

from typing import Annotated

import typer

LOKY = "loky"

Backend = Annotated[str, typer.Option(help="Where to run: loky (this machine) or dask (a cluster).")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Address of the Dask scheduler, such as HOST:8786. Without it, --backend dask starts a cluster of --jobs "
        "workers on this machine."
    ),
]
