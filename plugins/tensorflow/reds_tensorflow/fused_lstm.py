"""Conversion of LSTM layers to LiteRT's operator for whole sequences.

TensorFlow's converter replaces any function by UNIDIRECTIONAL_SEQUENCE_LSTM if its `api_implements` attribute begins
with `lstm_` and it has the arguments of Keras 2's LSTM. Keras 3 no longer creates such functions.
"""

from __future__ import annotations

import uuid
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager.polymorphic_function import polymorphic_function


def fused_outputs(layer: Any, sequences: Any, initial_state: Any, mask: Any) -> Any | None:
    """Return the outputs of all steps of a recurrent layer, computed by LiteRT's operator.

    Args:
        layer: a recurrent layer of Keras.
        sequences: tensor (1, steps, features).
        initial_state: the layer's states before the first step, nested as Keras passes them.
        mask: tensor of the steps to skip, or None.

    Returns:
        The outputs (1, steps, units), in the order in which the layer processes the steps. None if the operator cannot
        express the layer: cells that are not LSTM cells or have other activations, masks, nonzero initial states,
        states that are returned, or a shape that is not fixed.
    """
    cells = list(layer.cell.cells) if type(layer.cell) is keras.layers.StackedRNNCells else [layer.cell]
    shape = sequences.shape
    if (
        type(layer) not in (keras.layers.LSTM, keras.layers.RNN)
        or not all(_is_plain(cell) for cell in cells)
        or layer.return_state
        or layer.stateful
        or mask is not None
        or sequences.dtype != tf.float32
        or shape.rank != 3
        or shape[0] != 1
        or not shape.is_fully_defined()
        or not _are_zeros(initial_state)
    ):
        return None
    outputs = reversed_along(sequences, [1]) if layer.go_backwards else sequences
    for cell in cells:
        outputs = _through(cell, outputs)
    return outputs


def reversed_along(tensor: Any, axes: list[int]) -> Any:
    """Reverse `tensor` along some axes by GATHER.

    LiteRT may give the input and the output of REVERSE_V2 different scales, but its kernel copies integers.
    """
    for axis in axes:
        tensor = tf.gather(tensor, np.arange(tensor.shape[axis], dtype=np.int32)[::-1].copy(), axis=axis)
    return tensor


def _is_plain(cell: Any) -> bool:
    """Whether the operator computes the same as `cell` at inference."""
    return (
        type(cell) is keras.layers.LSTMCell
        and cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
    )


def _are_zeros(initial_state: Any) -> bool:
    values = [tf.get_static_value(state) for state in keras.tree.flatten(initial_state)]
    return all(value is not None and not np.any(value) for value in values)


def _through(cell: Any, sequences: Any) -> Any:
    """Return the outputs of all steps of one cell, from a function that the converter replaces by the operator."""
    attributes = {"api_implements": f"lstm_{uuid.uuid4()}", "go_backwards": False, "time_major": False}
    function = polymorphic_function.function(keras_lstm, autograph=False, experimental_attributes=attributes)
    zeros = tf.zeros((1, cell.units))
    bias = tf.zeros(4 * cell.units) if cell.bias is None else tf.convert_to_tensor(cell.bias.value)
    kernels = (tf.convert_to_tensor(kernel.value) for kernel in (cell.kernel, cell.recurrent_kernel))
    return function(sequences, zeros, zeros, *kernels, bias)[1]


def keras_lstm(
    sequences: Any, hidden: Any, carry: Any, kernel: Any, recurrent_kernel: Any, bias: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """An LSTM with the arguments and results that the converter expects. Unconverted, it gives the same result.

    Args:
        sequences: (1, steps, features).
        hidden, carry: (1, units), the states before the first step.
        kernel: (features, 4 units): input, forget, candidate, output gate.
        recurrent_kernel: (units, 4 units).
        bias: (4 units,).

    Returns:
        The last output (1, units), all outputs (1, steps, units), both states after the last step, and a number that
        represented the kind of device in Keras 2.
    """

    def step(states: tuple[Any, Any], features: Any) -> tuple[Any, Any]:
        gates = tf.matmul(features, kernel) + tf.matmul(states[0], recurrent_kernel) + bias
        taken, remembered, candidate, shown = tf.split(gates, 4, axis=1)
        cell = tf.sigmoid(remembered) * states[1] + tf.sigmoid(taken) * tf.tanh(candidate)
        return tf.sigmoid(shown) * tf.tanh(cell), cell

    outputs, carries = tf.scan(step, tf.transpose(sequences, (1, 0, 2)), (hidden, carry))
    return outputs[-1], tf.transpose(outputs, (1, 0, 2)), outputs[-1], carries[-1], tf.constant(0.0)
