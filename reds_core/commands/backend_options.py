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
        metavar="N",
        help=f"The number of {what} that run at the same time. Times of {what} that share a machine are not "
        "comparable.",
        show_default="1, or all threads of the cluster that --scheduler names",
        min=1,
    )


Backend = Annotated[
    str, typer.Option(metavar="loky|dask", help="Where the jobs run: loky is this machine, dask is a cluster.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="The address of the Dask scheduler, such as HOST:8786. Without it, --backend dask starts a cluster of "
        "--jobs workers on this machine.",
    ),
]
