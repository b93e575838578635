"""`reds profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reds_core.commands.completing import device_names
from reds_core.commands.shared import Json, OptionTexts, parse_plugin_options, print_json
from reds_core.commands.verbosity import chosen_verbose


def profile_command(
    path: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="A file for a device, such as .tflite, or the folder of a run.")
    ],
    on: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The target that profiles: litert times files on this machine; tflite-micro counts the memory that a "
            "microcontroller needs, where only the activations are exact and the whole arena is an upper bound; "
            "c-engine compiles files to C and times them on this machine, or counts instructions on an emulated core; "
            "edge-impulse uploads files to Edge Impulse, which estimates what they take on its devices.",
            autocompletion=device_names("profile"),
        ),
    ],
    config: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The configuration of the target, such as cortex-m4.",
            show_default="its first one, if any",
        ),
    ] = None,
    option: OptionTexts = None,
    as_json: Json = False,
) -> None:
    """Run `reds profile`."""
    from reds_core.runs.profiling import profile

    records = profile(path, on, config=config, options=parse_plugin_options(option or []), verbose=chosen_verbose())
    if as_json:
        print_json(list(records))
        return
    from reds_core.commands.console import print_profiles

    print_profiles(records)
