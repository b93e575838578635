"""Shapes for inputs whose sizes a model file leaves open, which the framework takes as one of its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from reds_core.errors import InputError
from reds_core.plugin import PluginOptions
from reds_core.registry import Registry
from reds_core.runs.options import given_options

InputShape = str | Sequence[int] | Mapping[str, Sequence[int]]
"""The shape of one example without the batch dimension, or the shapes of several inputs by name.

A text is "224,224,3", or "image=224,224,3;audio=16000,1" for several inputs.
"""

_OPTION = "input_shape"


def input_shape_text(shape: InputShape) -> str:
    """A shape as the option of the framework takes it, such as "224,224,3" or "image=224,224,3;audio=16000,1"."""
    if isinstance(shape, str):
        return shape
    if isinstance(shape, Mapping):
        return ";".join(f"{name}={input_shape_text(sizes)}" for name, sizes in shape.items())
    return ",".join(str(size) for size in shape)


def with_input_shape(
    options: PluginOptions | None, shape: InputShape | None, model: Any, registry: Registry
) -> PluginOptions:
    """Options of plugins with the shape of the inputs among those of the framework.

    Args:
        options: The other options of plugins.
        shape: The shape; None leaves the options as they are.
        model: The model that has these inputs.
        registry: The plugins to choose from.

    Raises:
        InputError: If the model is an object, whose inputs have shapes already.
    """
    given = dict(given_options(options))
    if shape is None:
        return given
    if model is not None and not isinstance(model, str | PathLike):
        raise InputError("input_shape is given for a model object", "give the inputs of the model their shapes instead")
    name = registry.default_framework_name
    return {**given, name: {**given.get(name, {}), _OPTION: input_shape_text(shape)}}


def with_earlier_input_shape(options: PluginOptions, earlier: PluginOptions, registry: Registry) -> PluginOptions:
    """Options of plugins with the shape of the inputs that the run to resume was started with, if none is given."""
    name = registry.default_framework_name
    shape = earlier.get(name, {}).get(_OPTION)
    if shape is None or _OPTION in options.get(name, {}):
        return options
    return {**options, name: {**options.get(name, {}), _OPTION: shape}}
