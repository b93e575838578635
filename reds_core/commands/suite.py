"""`reds suite`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.shared import Json, print_json, results_kept
from reds_core.errors import InputError


class SuiteAction(Enum):
    """What `reds suite` does."""

    LIST = "list"
    EXPORT = "export"


def suite_command(
    action: Annotated[
        SuiteAction, typer.Argument(metavar="list|export", help="List the suites, or export one to a folder.")
    ],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The name of the suite to export.")] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="The folder to write, which must be empty or not exist.",
            show_default="the name of the suite",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run `reds suite`."""
    if action is SuiteAction.LIST:
        if name is not None:
            raise InputError("`reds suite list` takes no name", "write `reds suite export NAME DIR` to export a suite")
        _list(as_json)
        return
    if name is None:
        raise InputError("no suite is named", "write `reds suite export NAME DIR`; `reds suite list` lists the names")
    from reds_core.bench.suite_folder import export_suite

    written = Path(name) if folder is None else folder
    index = export_suite(name, written)
    with results_kept():
        if as_json:
            print_json(index)
        else:
            print(f"{written}: {len(index.problems)} problems of suite '{name}'")


def _list(as_json: bool) -> None:
    from reds_core.bench.suites import suites

    found = suites()
    if as_json:
        print_json(found)
        return
    for each in found:
        print(f"{each.name}: {each.description}")
        print(
            f"  {each.problems} problems, {each.proved} with a proven optimum; "
            f"up to {each.groups} groups, {each.options:,} options and {each.pairs} pairs"
        )
