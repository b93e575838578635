"""`reds compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.backend_options import LOKY, Backend, Scheduler, jobs_option
from reds_core.commands.completing import plugin_list
from reds_core.commands.shared import results_kept
from reds_core.commands.verbosity import chosen_verbose
from reds_core.errors import InputError


def compare_command(
    recipes: Annotated[
        list[Path], typer.Argument(metavar="RECIPE", help="The recipe files, as `reds prune --recipe` takes them.")
    ],
    pruners: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="The pruners to compare, with their options in brackets: nested,'layerwise[order=backward]'.",
            show_default="that of the recipe",
            autocompletion=plugin_list("pruner"),
        ),
    ] = None,
    scorers: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="The scorers to compare, such as taylor,magnitude.",
            show_default="that of the recipe",
            autocompletion=plugin_list("scorer"),
        ),
    ] = None,
    solvers: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="The solvers to compare, such as dp,cpsat.",
            show_default="that of the recipe",
            autocompletion=plugin_list("solver"),
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="N,...",
            help="The random seeds of the runs, such as 0,1,2.",
            show_default="that of the recipe",
        ),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Repeat the runs that failed.")] = False,
    audit: Annotated[
        bool,
        typer.Option("--audit", help="Audit each finished run: which classes and examples its subnetworks get wrong."),
    ] = False,
    jobs: Annotated[int | None, jobs_option("runs")] = None,
    backend: Backend = LOKY,
    scheduler: Scheduler = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="The folder for the runs, the records and the report. On a cluster, interrupted runs are resumed if "
            "the workers see the folder on a shared file system, and are started anew if they do not.",
        ),
    ] = Path("reds-compare"),
) -> None:
    """Run `reds compare`."""
    from reds_core.commands.compare_view import print_comparison
    from reds_core.compare.api import run_comparison
    from reds_core.compare.grid import Grid
    from reds_core.compare.runner import CompareSettings

    grid = Grid(tuple(recipes), pruners, scorers, solvers, () if seeds is None else parse_seeds(seeds))
    settings = CompareSettings(grid, retry, jobs, backend, scheduler, audit)
    run = run_comparison(settings, out, verbose=chosen_verbose())
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
