"""`reds inspect`."""

from __future__ import annotations

from reds_core.commands.shared import (
    ElementSize,
    EnergyModelName,
    Imports,
    InputShapes,
    Json,
    ModelFile,
    OptionTexts,
    Strict,
    TargetNames,
    TransformNames,
    input_shape_of,
    names_in,
    parse_plugin_options,
    print_json,
)
from reds_core.commands.verbosity import chosen_verbose


def inspect_command(
    model: ModelFile,
    element_size: ElementSize = 1,
    energy_model: EnergyModelName = None,
    option: OptionTexts = None,
    imports: Imports = None,
    input_shape: InputShapes = None,
    strict: Strict = False,
    transform: TransformNames = None,
    target: TargetNames = None,
    as_json: Json = False,
) -> None:
    """Run `reds inspect`."""
    from reds_core.runs.inspection import inspect

    described = inspect(
        model,
        element_size=element_size,
        energy_model=energy_model,
        options=parse_plugin_options(option or []),
        imports=imports or (),
        input_shape=input_shape_of(input_shape),
        strict=strict,
        transforms=names_in(transform),
        targets=names_in(target),
        verbose=chosen_verbose(),
    )
    if as_json:
        print_json(described)
        return
    from reds_core.commands.console import print_inspection

    print_inspection(described)
