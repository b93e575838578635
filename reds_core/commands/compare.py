"""`reds compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.backend_options import LOKY, Backend, Scheduler, jobs_option
from reds_core.commands.shared import results_kept
from reds_core.errors import InputError


def compare_command(
    recipes: Annotated[list[Path], typer.Argument(help="Recipe files, as for `reds prune --recipe`.")],
    pruners: Annotated[
        str | None,
        typer.Option(help=r"Pruners to compare: nested,'layerwise\[order=backward]' (default: that of the recipe)"),
    ] = None,
    scorers: Annotated[
        str | None, typer.Option(help="Scorers to compare: taylor,magnitude (default: that of the recipe)")
    ] = None,
    solvers: Annotated[
        str | None, typer.Option(help="Solvers to compare: dp,cpsat (default: that of the recipe)")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Random seeds of the runs: 0,1,2 (default: that of the recipe)")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Repeat runs that failed.")] = False,
    jobs: Annotated[int | None, jobs_option("runs")] = None,
    backend: Backend = LOKY,
    scheduler: Scheduler = None,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the runs, the records and the report. On a cluster, interrupted runs are resumed if the "
            "workers see the folder on a shared file system, and are started anew if they do not."
        ),
    ] = Path("reds-compare"),
) -> None:
    """Run `reds compare`."""
    from reds_core.commands.compare_view import CompareView, print_comparison
    from reds_core.compare.api import run_comparison
    from reds_core.compare.grid import Grid
    from reds_core.compare.runner import CompareSettings

    grid = Grid(tuple(recipes), pruners, scorers, solvers, () if seeds is None else parse_seeds(seeds))
    settings = CompareSettings(grid, retry, jobs, backend, scheduler)
    with CompareView() as view:
        run = run_comparison(settings, out, view)
    with results_kept():
        print_comparison(run, out)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse a list of seeds such as "0,1,2".

    Raises:
        InputError: If an entry is not a whole number of 0 or more.
    """
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"'{text}' is not a list of seeds", "write whole numbers joined by commas: 0,1,2") from None
    if min(seeds) < 0:
        raise InputError(f"seed {min(seeds)} is below 0", "give seeds of 0 or more")
    return seeds
