"""Recurrent layers that are unrolled in int8 files, and estimates of the file size."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from reds_core.errors import argument
from reds_core.report import byte_size, listed
from reds_tensorflow.device_tracing import one_at_a_time, traced_for_device
from reds_tensorflow.nesting import all_layers
from reds_tensorflow.sequences import Recurrence

# Measured on files of 8 to 128 steps: operators per step, and bytes per operator, not counting weights.
_STEPS = {keras.layers.SimpleRNNCell: (4, 350), keras.layers.LSTMCell: (15, 300), keras.layers.GRUCell: (17, 265)}
_STEPS_OF_OTHER_CELLS = (27, 400)
_OPERATORS_OF_A_MASK = 2
_BYTES_PER_STEP = 3  # added to each operator, since names of tensors grow with the number of steps
_SECONDS = 0.02  # per operator, on one core of a laptop


def notes(model: Any) -> tuple[str, ...]:
    """Return one sentence on the recurrent layers that are unrolled in an int8 file of `model`, if there are any.

    The figures are estimates: accurate within a third for cells of Keras, and within a factor of two for others.
    """
    calls = recurrences_without_operator(model)
    if not calls:
        return ()
    layers = listed(tuple(dict.fromkeys(_told(call) for call in calls)))
    count, size = sum(map(operators, calls)), sum(map(size_bytes, calls))
    seconds = _SECONDS * count
    time = f" and about {round(seconds / 60)} min to write" if seconds >= 60 else ""
    return (
        f"each int8 file will hold the steps of {layers} one after the other, for which LiteRT has no int8 operator: "
        f"about {count:,} operators, {byte_size(size)}{time}; {argument('int8', False)} leaves int8 files out, "
        "and fewer steps make them smaller",
    )


def recurrences_without_operator(model: Any) -> list[Recurrence]:
    """Return the calls of recurrent layers that LiteRT has no operator for, found by tracing the model.

    The result is empty for a model that cannot be traced with a batch size of 1; exporting it reports why.
    """
    found: list[Recurrence] = []
    if not any(isinstance(layer, keras.layers.RNN) for layer in all_layers(model)):
        return found
    try:
        with traced_for_device(model, unrolled=False, found=found.append):
            single = one_at_a_time(model, tokens_as_integers=True)
            found.clear()  # discard the calls by which Keras inferred shapes
            given = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in single.inputs]
            tf.function(lambda *inputs: single(list(inputs) if len(inputs) > 1 else inputs[0])).get_concrete_function(
                *given
            )
    except Exception:  # layers may raise anything
        return []
    return found


def operators(call: Recurrence) -> int:
    """Estimate the number of operators of all steps of a call."""
    mask = _OPERATORS_OF_A_MASK if call.masked else 0
    return call.steps * sum(count + mask for count, _ in _of_cells(call))


def size_bytes(call: Recurrence) -> int:
    """Estimate the size of these operators in an int8 file in bytes, without the layer's weights."""
    return operators(call) * (max(size for _, size in _of_cells(call)) + _BYTES_PER_STEP * call.steps)


def _of_cells(call: Recurrence) -> list[tuple[int, int]]:
    """Return for each cell of the layer the operators per step and the bytes per operator."""
    cell = call.layer.cell
    cells = cell.cells if type(cell) is keras.layers.StackedRNNCells else [cell]
    return [_STEPS.get(type(each), _STEPS_OF_OTHER_CELLS) for each in cells]


def _told(call: Recurrence) -> str:
    kind = type(call.layer).__name__ + (" with a mask" if call.masked else "")
    return f"'{call.layer.name}' ({kind}, {call.steps} steps)"
