"""Sizes for the inputs of a model file that were left open when the model was built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reds_core.errors import InputError

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes without the batch dimension by name of the input; the empty name is any input."""


def parse_shapes(text: str) -> Shapes:
    """Parse shapes such as "224,224,3", or "image=224,224,3;audio=16000,1" for several inputs.

    Raises:
        InputError: if the text has another form.
    """
    shapes = {}
    for part in text.split(";") if text.strip() else ():
        name, _, sizes = part.rpartition("=")
        try:
            shape = tuple(int(size) for size in sizes.split(","))
        except ValueError:
            shape = ()
        if not shape or min(shape) < 1:
            raise InputError(
                f"input shape '{part.strip()}' cannot be read",
                "write 224,224,3, or NAME=224,224,3 for each of several inputs",
            )
        shapes[name.strip()] = shape
    return shapes


def fill_open_shapes(config: dict[str, Any], shapes: Shapes) -> None:
    """Set the open sizes of the inputs in the config of a model, which is changed in place.

    Args:
        config: the config of the model, as Keras 3 writes it.
        shapes: the shapes. Sizes that the model knows must agree with them.

    Raises:
        InputError: if a shape does not fit an input, or there is no such input.
    """
    if not shapes:
        return
    layers = config.get("config", {}).get("layers", [])
    inputs = {
        str(layer["config"].get("name")): layer["config"] for layer in layers if layer["class_name"] == "InputLayer"
    }
    unknown = [name for name in shapes if name and name not in inputs]
    if unknown or not inputs:
        raise InputError(
            f"the model has no input '{unknown[0] if unknown else ''}' to give a shape",
            f"choose from its inputs: {', '.join(inputs)}",
        )
    for name, known in inputs.items():
        shape = shapes.get(name, shapes.get(""))
        if shape is None:
            continue
        batch, *sizes = known["batch_shape"]
        if len(shape) != len(sizes) or any(size not in (None, n) for size, n in zip(sizes, shape, strict=True)):
            told = " x ".join("?" if size is None else str(size) for size in sizes)
            raise InputError(
                f"input '{name}' of shape {told} cannot have the shape {' x '.join(map(str, shape))}",
                "give a size where it has none, and its own sizes elsewhere",
            )
        known["batch_shape"] = [batch, *shape]
