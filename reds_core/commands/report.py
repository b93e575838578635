"""`reds report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report_command(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The folder of a finished run, of an audit, of thresholds, or of a comparison by `reds bench` or "
            "`reds compare`.",
        ),
    ],
) -> None:
    """Run `reds report`."""
    from reds_core.reports import write_report

    print(f"wrote {write_report(folder)}")
