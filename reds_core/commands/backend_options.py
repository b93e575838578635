"""The options that select where the jobs of a comparison run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

LOKY = "loky"


def jobs_option(what: str) -> Any:
    """Return the option --jobs of a command.

    Args:
        what: what is done at the same time, such as "runs".
    """
    return typer.Option(
        help=f"Number of {what} at a time (default: 1, or all threads of the cluster that --scheduler names). Times of "
        f"{what} that share a machine are not comparable.",
        min=1,
    )


Backend = Annotated[str, typer.Option(help="Where to run: loky (this machine) or dask (a cluster).")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Address of the Dask scheduler, such as HOST:8786. Without it, --backend dask starts a cluster of --jobs "
        "workers on this machine."
    ),
]
