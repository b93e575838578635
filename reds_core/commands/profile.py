"""`reds profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.completing import device_names
from reds_core.commands.elsewhere_options import Host, HostPython, ImportedRecords, MachineName, Script
from reds_core.commands.shared import EnergyModelName, Json, OptionTexts, parse_plugin_options, print_json, results_kept
from reds_core.commands.verbosity import chosen_verbose


def profile_command(
    path: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="A file for a device, such as .tflite, or the folder of a run.")
    ],
    on: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The target that profiles: litert times files on this machine; tflite-micro counts the memory that a "
            "microcontroller needs, where only the activations are exact and the whole arena is an upper bound; "
            "c-engine compiles files to C and times them on this machine, or counts instructions on an emulated core; "
            "ethos-u lets the compiler of an NPU estimate cycles and memory; edge-impulse uploads files to Edge "
            "Impulse, which estimates what they take on its devices.",
            autocompletion=device_names("profile"),
            show_default="the one that imported records state",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The configuration of the target, such as cortex-m4.",
            show_default="its first one, if any",
        ),
    ] = None,
    option: OptionTexts = None,
    script: Script = None,
    records: ImportedRecords = None,
    host: Host = None,
    name: MachineName = None,
    host_python: HostPython = None,
    energy_model: EnergyModelName = None,
    as_json: Json = False,
) -> None:
    """Run `reds profile`."""
    from reds_core.runs.profiling import profile

    found = profile(
        path,
        on,
        config=config,
        options=parse_plugin_options(option or []),
        script=script,
        records=records,
        host=host,
        name=name,
        host_python=host_python,
        energy_model=energy_model,
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(list(found))
        return
    if script is not None:
        with results_kept():
            print(f"wrote {script}")
        return
    from reds_core.commands.console import print_profiles

    print_profiles(found)
