"""Recurrent layers that an int8 file holds step by step: which they are, and how large the file will be for them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from reds_core.report import byte_size, listed
from reds_tensorflow.device_tracing import one_at_a_time, traced_for_device
from reds_tensorflow.nesting import all_layers
from reds_tensorflow.sequences import Recurrence

# Measured on files of 8 to 128 steps: operators a step, and bytes an operator beside the weights.
_STEPS = {keras.layers.SimpleRNNCell: (4, 350), keras.layers.LSTMCell: (15, 300), keras.layers.GRUCell: (17, 265)}
_STEPS_OF_OTHER_CELLS = (27, 400)
_OPERATORS_OF_A_MASK = 2
_BYTES_PER_STEP = 3  # of an operator: names of tensors grow with the number of steps
_SECONDS = 0.02  # an operator, on one core of a laptop


def notes(model: Any) -> tuple[str, ...]:
    """One sentence on the recurrent layers of which an int8 file of `model` holds every step; none without such layers.

    Its figures are estimates: within a third for cells of Keras, and within a factor of two for others.
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
        f"about {count:,} operators, {byte_size(size)}{time}; --no-int8 leaves int8 files out, and fewer steps make "
        "them smaller",
    )


def recurrences_without_operator(model: Any) -> list[Recurrence]:
    """The calls of recurrent layers that LiteRT has no operator for, found by tracing the model.

    Empty for a model that cannot be traced for one example: exporting it will say why.
    """
    found: list[Recurrence] = []
    if not any(isinstance(layer, keras.layers.RNN) for layer in all_layers(model)):
        return found
    try:
        with traced_for_device(model, unrolled=False, found=found.append):
            single = one_at_a_time(model, tokens_as_integers=True)
            found.clear()  # Keras has called layers to learn shapes
            given = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in single.inputs]
            tf.function(lambda *inputs: single(list(inputs) if len(inputs) > 1 else inputs[0])).get_concrete_function(
                *given
            )
    except Exception:  # whatever a layer raises
        return []
    return found


def operators(call: Recurrence) -> int:
    """About how many operators all steps of a call become."""
    mask = _OPERATORS_OF_A_MASK if call.masked else 0
    return call.steps * sum(count + mask for count, _ in _of_cells(call))


def size_bytes(call: Recurrence) -> int:
    """About how many bytes these operators take in an int8 file, the layer's weights not counted."""
    return operators(call) * (max(size for _, size in _of_cells(call)) + _BYTES_PER_STEP * call.steps)


def _of_cells(call: Recurrence) -> list[tuple[int, int]]:
    """For each cell of the layer how many operators its step is and how many bytes each of them takes."""
    cell = call.layer.cell
    cells = cell.cells if type(cell) is keras.layers.StackedRNNCells else [cell]
    return [_STEPS.get(type(each), _STEPS_OF_OTHER_CELLS) for each in cells]


def _told(call: Recurrence) -> str:
    kind = type(call.layer).__name__ + (" with a mask" if call.masked else "")
    return f"'{call.layer.name}' ({kind}, {call.steps} steps)"
