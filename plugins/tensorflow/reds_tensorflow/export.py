"""Conversion of models to LiteRT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reds_core.errors import UnsupportedError
from reds_core.framework import Arrays, Numbers, columns
from reds_core.system import is_out_of_space, temporary_folder_full
from reds_tensorflow.calibration import examples_apart
from reds_tensorflow.conversion_errors import kept_errors
from reds_tensorflow.device_tracing import one_at_a_time, plain_names, traced_for_device
from reds_tensorflow.file_interface import in_order
from reds_tensorflow.keras_functions import scales_kept_in_reversal
from reds_tensorflow.messages import first_sentence
from reds_tensorflow.task import output_names

_MISSING_OPERATION = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")

Inputs = list[npt.NDArray[np.float32]]


def converted(model: Any, numbers: Numbers, calibration: Arrays | None) -> bytes:
    """Return the .tflite content of `model`, with a batch size of 1.

    The inputs of the file, and its outputs if there are several, have the names and the order of those of the model.
    Files of integers take tokens as int32, since 8 bits can only represent 256 of them. Others have the input types of
    the model. LSTM layers become LiteRT's operator for whole sequences if it can express them. Other recurrent layers
    are unrolled in files of integers and loops in others.

    Args:
        model: the model.
        numbers: the types of weights and activations.
        calibration: examples that determine the ranges of activations of files of integers.

    Raises:
        NoSpaceError: if the temporary folder is full.
        UnsupportedError: if LiteRT cannot express the model.
    """
    passed_over: list[Exception] = []
    try:
        examples = None if calibration is None else _examples(calibration)
        quantised = examples is not None
        with ExitStack() as stack:
            stack.enter_context(traced_for_device(model, unrolled=quantised))
            stack.enter_context(kept_errors(passed_over))
            if quantised:
                stack.enter_context(examples_apart())
                stack.enter_context(scales_kept_in_reversal())
            single = one_at_a_time(model, tokens_as_integers=quantised)
            converter = tf.lite.TFLiteConverter.from_keras_model(single)
            _ask_for(converter, numbers)
            if examples is not None:
                feeds = [_by_name(single.inputs, example) for example in examples]
                converter.representative_dataset = lambda: iter(feeds)
            content = converter.convert()
            return in_order(content, [tensor.name for tensor in single.inputs], plain_names(output_names(model)))
    except Exception as error:  # the converter raises its own error types, ValueError, RuntimeError, ...
        error = passed_over[-1] if passed_over else error
        if is_out_of_space(error):
            raise temporary_folder_full(error) from error
        kind = "LiteRT" if numbers == "float32" else f"{numbers} LiteRT"
        raise UnsupportedError(
            f"model '{model.name}' cannot be converted to {kind}: {_reason(error)}",
            "replace the layer that LiteRT lacks",
        ) from error


def _examples(calibration: Arrays) -> list[Inputs]:
    """Return all inputs of the model for each calibration example, with a batch dimension of 1."""
    return [[x[i][None].astype(np.float32) for x in columns(calibration.x)] for i in range(len(calibration))]


def _reason(error: Exception) -> str:
    """Return the converter's reason: the missing operations if it names any, otherwise its first sentence."""
    missing = dict.fromkeys(_MISSING_OPERATION.findall(str(error)))
    if missing:
        return f"LiteRT has no operation {', '.join(missing)}"
    return first_sentence(error)


def _by_name(inputs: Sequence[Any], example: Inputs) -> dict[str, npt.NDArray[Any]]:
    return {tensor.name: x.astype(tensor.dtype) for tensor, x in zip(inputs, example, strict=True)}


def _ask_for(converter: Any, numbers: Numbers) -> None:
    """Set the options of a converter."""
    if numbers == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if numbers == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif numbers == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    elif numbers == "16x8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        converter.inference_input_type = converter.inference_output_type = tf.int16
