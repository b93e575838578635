"""`reds latency`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.elsewhere_options import Host, HostPython, MachineName, Records, Script
from reds_core.commands.shared import (
    ElementSize,
    Imports,
    InputShapes,
    Json,
    ModelFile,
    OptionTexts,
    input_shape_of,
    parse_plugin_options,
    print_json,
    results_kept,
)
from reds_core.commands.verbosity import chosen_verbose


def latency_command(
    model: ModelFile,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The table to write (.json). An unfinished table is continued.")
    ],
    threads: Annotated[int, typer.Option(metavar="N", help="The number of threads of the interpreter.", min=1)] = 1,
    repeats: Annotated[int, typer.Option(metavar="N", help="The number of timed runs of each sample.", min=10)] = 200,
    points: Annotated[
        int,
        typer.Option(metavar="N", help="The largest number of widths that are sampled of each channel group.", min=2),
    ] = 5,
    checks: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="The number of whole subnetworks that are measured to check the predictions of the table.",
            min=0,
        ),
    ] = 4,
    element_size: ElementSize = 1,
    option: OptionTexts = None,
    imports: Imports = None,
    input_shape: InputShapes = None,
    script: Script = None,
    records: Records = None,
    host: Host = None,
    name: MachineName = None,
    host_python: HostPython = None,
    as_json: Json = False,
) -> None:
    """Run `reds latency`."""
    from reds_core.commands.console import print_latencies
    from reds_core.cost.latency_table import LatencySettings
    from reds_core.runs.latency import measure_latency
    from reds_core.runs.latency_parts import folder_of

    settings = LatencySettings(element_size, threads, repeats, points, checks)
    table = measure_latency(
        model,
        out,
        settings,
        options=parse_plugin_options(option or []),
        imports=imports or (),
        input_shape=input_shape_of(input_shape),
        script=script,
        records=records,
        host=host,
        name=name,
        host_python=host_python,
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(table)
        return
    if table is None:
        with results_kept():
            print(f"wrote {script}; the files to copy with it are in {folder_of(out)}")
        return
    with results_kept():
        if table.complete:
            print_latencies(table)
        print(f"wrote {out}" if table.complete else f"wrote {out}, which is not complete yet")
