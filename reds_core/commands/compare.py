"""`reds compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.shared import results_kept
from reds_core.errors import InputError


def compare_command(
    recipes: Annotated[list[Path], typer.Argument(help="Recipes, as `reds prune --recipe` takes them.")],
    pruners: Annotated[
        str | None, typer.Option(help="Such as nested,'layerwise[order=backward]' (default: the recipe's)")
    ] = None,
    scorers: Annotated[str | None, typer.Option(help="Such as taylor,magnitude (default: the recipe's)")] = None,
    solvers: Annotated[str | None, typer.Option(help="Such as dp,cpsat (default: the recipe's)")] = None,
    seeds: Annotated[str | None, typer.Option(help="Such as 0,1,2 (default: the recipe's)")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Make runs again that failed.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for runs, records and report.")] = Path("reds-compare"),
) -> None:
    """Run `reds compare`."""
    from reds_core.commands.compare_view import CompareView, print_comparison
    from reds_core.compare.api import run_comparison
    from reds_core.compare.grid import Grid
    from reds_core.compare.runner import CompareSettings

    grid = Grid(tuple(recipes), pruners, scorers, solvers, () if seeds is None else parse_seeds(seeds))
    with CompareView() as view:
        run = run_comparison(CompareSettings(grid, retry), out, view)
    with results_kept():
        print_comparison(run, out)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from a list such as 0,1,2.

    Raises:
        InputError: if one is no whole number of 0 or more.
    """
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"'{text}' is no list of seeds", "write whole numbers joined by commas: 0,1,2") from None
    if min(seeds) < 0:
        raise InputError(f"seed {min(seeds)} is below 0", "give seeds of 0 or more")
    return seeds
