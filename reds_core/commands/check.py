"""`reds check`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from reds_core.commands.completing import plugin_names
from reds_core.commands.shared import Json, print_json
from reds_core.errors import ContractViolation


def check_command(
    plugin: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The name of a plugin that `reds plugins` lists, or MODULE:CLASS.",
            autocompletion=plugin_names(),
        ),
    ],
    as_json: Json = False,
) -> None:
    """Run `reds check`."""
    from reds_core.testing import CheckOutcome, check

    sys.path.insert(0, "")  # so that module:Class may be in the working folder, as for `python -m`
    reports = check(plugin)
    if as_json:
        print_json(reports)
    else:
        for report in reports:
            print(str(report))
    failed = [result.name for report in reports for result in report.with_outcome(CheckOutcome.FAILED)]
    if failed:
        raise ContractViolation(
            f"'{plugin}' failed {len(failed)} of the checks, the first is '{failed[0]}'", "fix the plugin"
        )
