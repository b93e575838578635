"""Conversion of models to the content of .tflite files."""

from __future__ import annotations

from typing import Any

from reds_core.errors import InputError
from reds_core.framework import Arrays, Framework, Numbers
from reds_litert.lstm_operators import lstms_fixed
from reds_litert.relu6_operators import relu6_replaced
from reds_litert.zero_tensors import zero_tensors_scaled


def converted(framework: Framework, model: Any, numbers: Numbers, calibration: Arrays | None) -> bytes:
    """Return the content of the .tflite file of a model, with a batch size of 1.

    Args:
        framework: The framework of the model.
        model: The model.
        numbers: The types of weights and activations.
        calibration: Examples that determine the ranges of activations of "int8" and "16x8" files.

    Raises:
        InputError: If examples are needed and there are none.
        NoSpaceError: If the temporary folder is full.
        UnsupportedError: If LiteRT cannot express the model.
    """
    if numbers not in ("int8", "16x8"):
        calibration = None
    elif calibration is None or not len(calibration):
        raise InputError(f"{numbers} export needs examples to calibrate on", f"give data, or export without {numbers}")
    content = lstms_fixed(framework.converted(model, numbers, calibration))
    return zero_tensors_scaled(relu6_replaced(content)) if numbers == "int8" else content
