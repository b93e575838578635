"""What is known before training of the recurrent layers that an int8 file holds step by step."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from reds_core.report.units import byte_size, listed
from reds_tensorflow.export import one_at_a_time
from reds_tensorflow.precision import in_float32
from reds_tensorflow.quiet import silenced
from reds_tensorflow.sequences import Recurrence, recurrences_converted

# Measured on files of 8 to 128 steps: operators a step, and bytes an operator beside the weights, which grow with the
# number of steps because the names of tensors do.
_OPERATORS = {keras.layers.SimpleRNNCell: 4, keras.layers.LSTMCell: 15, keras.layers.GRUCell: 17}
_OPERATORS_OF_OTHER_CELLS, _OPERATORS_OF_A_MASK = 20, 2
_BYTES, _BYTES_PER_STEP = 265, 3
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
    if not any(isinstance(layer, keras.layers.RNN) for layer in model._flatten_layers()):
        return found
    try:
        with silenced(), in_float32(model), recurrences_converted(model, written_out=False, found=found.append):
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
    cells = call.layer.cell.cells if type(call.layer.cell) is keras.layers.StackedRNNCells else [call.layer.cell]
    each = sum(_OPERATORS.get(type(cell), _OPERATORS_OF_OTHER_CELLS) for cell in cells)
    return call.steps * (each + (_OPERATORS_OF_A_MASK if call.masked else 0))


def size_bytes(call: Recurrence) -> int:
    """About how many bytes these operators take in an int8 file, the layer's weights not counted."""
    return operators(call) * (_BYTES + _BYTES_PER_STEP * call.steps)


def _told(call: Recurrence) -> str:
    kind = type(call.layer).__name__ + (" with a mask" if call.masked else "")
    return f"'{call.layer.name}' ({kind}, {call.steps} steps)"
