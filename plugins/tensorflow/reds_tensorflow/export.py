"""Export of models to LiteRT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import Arrays, columns
from reds_core.system import is_out_of_space, temporary_folder_full, written_beside
from reds_tensorflow.calibration import examples_apart
from reds_tensorflow.conversion_errors import kept_errors
from reds_tensorflow.device_tracing import one_at_a_time, plain_names, traced_for_device
from reds_tensorflow.file_interface import in_order
from reds_tensorflow.keras_functions import scales_kept_in_reversal
from reds_tensorflow.lstm_operators import lstms_fixed
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.task import output_names

CALIBRATION_EXAMPLES = 256
_MISSING_OPERATION = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")

Inputs = list[npt.NDArray[np.float32]]


def export(model: Any, path: Path, calibration: Arrays | None, quantise: bool) -> None:
    """Write `model` as .tflite with a batch size of 1, as float32 or as full int8 (inputs, outputs and all between).

    The inputs of the file, and its outputs if there are several, have the names and the order of those of the model.

    Args:
        model: the model.
        path: path of the file.
        calibration: examples that determine the ranges of activations. At most 256 of them, evenly spaced, are used.
        quantise: whether to write int8.

    Raises:
        InputError: if `quantise` is true without calibration data, or the file cannot be written.
        UnsupportedError: if LiteRT cannot express the model.
    """
    if quantise and (calibration is None or not len(calibration)):
        raise InputError("int8 export needs examples to calibrate on", "give data, or export without int8")
    examples: list[Inputs] | None = None
    if quantise and calibration is not None:
        size = min(len(calibration), CALIBRATION_EXAMPLES)
        chosen = calibration.take(np.linspace(0, len(calibration) - 1, size).astype(np.int64))
        examples = [[x[i][None].astype(np.float32) for x in columns(chosen.x)] for i in range(size)]
    content = converted(model, examples)
    with written_beside(path) as temporary:
        temporary.write_bytes(content)


def converted(model: Any, examples: list[Inputs] | None) -> bytes:
    """Return the .tflite content of `model`, with a batch size of 1.

    An int8 file takes tokens as int32, since 8 bits can only represent 256 of them. A float32 file has the input types
    of the model. LSTM layers become LiteRT's operator for whole sequences if it can express them. Other recurrent
    layers are loops in a float32 file and unrolled in an int8 file.

    Args:
        model: the model.
        examples: for full int8, all inputs of the model for each calibration example, with a batch dimension of 1.
            None for float32.

    Raises:
        NoSpaceError: if the temporary folder is full.
        UnsupportedError: if LiteRT cannot express the model.
    """
    passed_over: list[Exception] = []
    try:
        quantised = examples is not None
        with ExitStack() as stack:
            stack.enter_context(traced_for_device(model, unrolled=quantised))
            stack.enter_context(kept_errors(passed_over))
            if quantised:
                stack.enter_context(examples_apart())
                stack.enter_context(scales_kept_in_reversal())
            single = one_at_a_time(model, tokens_as_integers=quantised)
            converter = tf.lite.TFLiteConverter.from_keras_model(single)
            if examples is not None:
                _ask_for_int8(converter, [_by_name(single.inputs, example) for example in examples])
            content = lstms_fixed(converter.convert())
            return in_order(content, [tensor.name for tensor in single.inputs], plain_names(output_names(model)))
    except Exception as error:  # the converter raises its own error types, ValueError, RuntimeError, ...
        error = passed_over[-1] if passed_over else error
        if is_out_of_space(error):
            raise temporary_folder_full(error) from error
        kind = "LiteRT" if examples is None else "int8 LiteRT"
        raise UnsupportedError(
            f"model '{model.name}' cannot be converted to {kind}: {_reason(error)}",
            "replace the layer that LiteRT lacks",
        ) from error


def _reason(error: Exception) -> str:
    """Return the converter's reason: the missing operations if it names any, otherwise its first sentence."""
    missing = dict.fromkeys(_MISSING_OPERATION.findall(str(error)))
    if missing:
        return f"LiteRT has no operation {', '.join(missing)}"
    return first_sentence(error)


def _by_name(inputs: Sequence[Any], example: Inputs) -> dict[str, npt.NDArray[Any]]:
    return {tensor.name: x.astype(tensor.dtype) for tensor, x in zip(inputs, example, strict=True)}


def _ask_for_int8(converter: Any, examples: list[dict[str, npt.NDArray[Any]]]) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter(examples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
