"""`reds latency`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from reds_core.commands.completing import device_names
from reds_core.commands.elsewhere_options import Host, HostPython, MachineName, Records, Script
from reds_core.commands.shared import (
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
    on: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The target that times or counts: litert times layers on this machine; ethos-u counts cycles and "
            "memory of an NPU, as its compiler estimates them.",
            autocompletion=device_names("counter"),
            show_default="timing on this machine",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The configuration of the target, such as ethos-u55-128.",
            show_default="its first one, if any",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", help="The number of threads of the interpreter.", min=1, show_default="1"),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(metavar="N", help="The number of timed runs of each sample.", min=10, show_default="200"),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="The largest number of widths that are sampled of each channel group.",
            min=2,
            show_default="5 if layers are timed, 16 if a device counts",
        ),
    ] = None,
    checks: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="The number of whole subnetworks that are measured to check the predictions of the table.",
            min=0,
        ),
    ] = 4,
    element_size: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            help="The size of a weight or an activation on the device: 1 for int8, or 4 for float32.",
            show_default="1",
        ),
    ] = None,
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
    from reds_core.commands.console import print_device_table, print_latencies
    from reds_core.cost.latency_table import LatencyTable
    from reds_core.runs.latency import measure_latency
    from reds_core.runs.latency_parts import folder_of
    from reds_core.runs.options import LatencyOptions

    given = {"element_size": element_size, "threads": threads, "repeats": repeats, "points": points, "checks": checks}
    more = cast(LatencyOptions, {name: number for name, number in given.items() if number is not None})
    table = measure_latency(
        model,
        out,
        on=on,
        config=config,
        options=parse_plugin_options(option or []),
        imports=imports or (),
        input_shape=input_shape_of(input_shape),
        script=script,
        records=records,
        host=host,
        name=name,
        host_python=host_python,
        verbose=chosen_verbose(),
        **more,
    )
    if as_json:
        print_json(table)
        return
    if table is None:
        with results_kept():
            print(f"wrote {script}; the files to copy with it are in {folder_of(out)}")
        return
    with results_kept():
        if not isinstance(table, LatencyTable):
            print_device_table(table)
        elif table.complete:
            print_latencies(table)
        print(f"wrote {out}" if table.complete else f"wrote {out}, which is not complete yet")
