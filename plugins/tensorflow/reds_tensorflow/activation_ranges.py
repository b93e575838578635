"""Rounding of activations in training, where the exporter of integer files rounds them (fake quantisation).

An exporter rounds what an operator of the device returns. It folds batch norms into the products before them, and fuses
ReLU into the operator before it, so nothing is rounded in between. Pooling by maxima, reshaping and padding copy values
that are rounded already, and softmax, sigmoid and tanh return values in a known range. What other layers compute
inside, such as recurrent ones, is not rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from reds_tensorflow.names import as_functional, graph_of
from reds_tensorflow.replacing import replaced

MOMENTUM = 0.99
"""Share of the range so far in a moving average."""
LEAST_RANGE = 1e-6
_PRODUCTS = frozenset(
    (
        *("Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
        *("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "Dense"),
    )
)
_NORM = "BatchNormalization"
_SUMS = frozenset(("Add", "Subtract", "Multiply", "Average", "Concatenate"))
_POOLS = frozenset(f"{kind}AveragePooling{n}D" for kind in ("", "Global") for n in (1, 2, 3))
_RELUS = frozenset(("ReLU", "Relu", "Relu6"))
_RELU_FUNCTIONS = frozenset(("relu", "relu6"))


class ActivationRanges:
    """The ranges of the activations of one network, as moving averages of the least and largest values of batches.

    Attributes:
        bits: the number of bits to which activations are rounded.
        variable: the ranges, float32 (places, 2), which are 0 before the first training step.
    """

    def __init__(self, model: Any, bits: int) -> None:
        """Find the places in a model whose values an exporter rounds.

        Args:
            model: the model.
            bits: the number of bits: 8 with any range, 16 with symmetric ranges.
        """
        self._inputs = [tf.as_dtype(tensor.dtype).is_floating for tensor in as_functional(model).inputs]
        self._places = _places(model)
        self.bits = bits
        self.variable = keras.Variable(
            tf.zeros((len(self._inputs) + len(self._places), 2)), trainable=False, name="ranges", aggregation="mean"
        )

    @contextmanager
    def rounding(self, *, moving: bool) -> Iterator[Rounding]:
        """Trace the model with rounded activations within the context.

        Args:
            moving: whether the ranges move on with the values that are computed.
        """
        ranges = Rounding(tf.convert_to_tensor(self.variable.value), self._inputs, self.bits, moving)
        changes: list[tuple[Any, str, Callable[..., Any]]] = []
        for i, (operation, name) in enumerate(self._places, len(self._inputs)):
            change = _before if name == "activation" else _after
            changes.append((operation, name, partial(change, getattr(operation, name), partial(ranges.rounded, i))))
        with replaced(*changes):
            yield ranges


class Rounding:
    """Rounds values in a graph, and collects the ranges after it.

    Args:
        before: the ranges before, float32 (places, 2).
        inputs: for each input of the network whether it holds real numbers.
        bits: the number of bits.
        moving: whether the ranges move on.
    """

    def __init__(self, before: Any, inputs: list[bool], bits: int, moving: bool) -> None:
        self._rows = tf.unstack(before)
        self._inputs, self._bits, self._moving = inputs, bits, moving

    def inputs(self, x: Any) -> Any:
        """Return rounded inputs of the network: a tensor, or a tuple of one for each input.

        Those of integer types, and inputs in any other structure, are returned as they are.
        """
        if not isinstance(x, tuple):
            return self.inputs((x,))[0] if tf.is_tensor(x) else x
        given = enumerate(zip(x, self._inputs, strict=True))
        return tuple(self.rounded(i, part) if is_real else part for i, (part, is_real) in given)

    def rounded(self, place: int, values: Any) -> Any:
        """Return rounded values of one place. Gradients pass unchanged within the range, and not beyond it."""
        x = tf.cast(values, tf.float32)
        if self._moving:
            self._rows[place] = self._moved(self._rows[place], tf.stop_gradient(x))
        low, high = self._limits(self._rows[place])
        is_symmetric = self._bits > 8
        found = tf.quantization.fake_quant_with_min_max_vars(x, low, high, self._bits, narrow_range=is_symmetric)
        if not self._moving:
            found = tf.where(tf.reduce_any(self._rows[place] != 0), found, x)  # ranges may not be known yet
        return tf.cast(found, values.dtype)

    def after(self) -> Any:
        """The ranges after what was computed, float32 (places, 2)."""
        return tf.stack(self._rows)

    def _moved(self, row: Any, x: Any) -> Any:
        seen = tf.stack([tf.minimum(tf.reduce_min(x), 0.0), tf.maximum(tf.reduce_max(x), 0.0)])
        return tf.where(tf.reduce_any(row != 0), MOMENTUM * row + (1 - MOMENTUM) * seen, seen)

    def _limits(self, row: Any) -> tuple[Any, Any]:
        if self._bits > 8:
            most = tf.maximum(tf.reduce_max(tf.abs(row)), LEAST_RANGE)
            return -most, most
        return row[0], tf.maximum(row[1], row[0] + LEAST_RANGE)


def _after(call: Callable[..., Any], rounded: Callable[[Any], Any], *args: Any, **kwargs: Any) -> Any:
    return rounded(call(*args, **kwargs))


def _before(activation: Callable[..., Any], rounded: Callable[[Any], Any], values: Any) -> Any:
    return activation(rounded(values))


def _places(model: Any) -> list[tuple[Any, str]]:
    """Return operations and their methods: `call` if its result is rounded, `activation` if its argument is."""
    found: list[tuple[Any, str]] = []
    functional = as_functional(model)
    own = {id(operation) for operation in functional.operations}
    ends = {id(tensor._keras_history.operation) for tensor in functional.outputs}
    for operation in functional.operations:
        if graph_of(operation) is not None:
            found += _places(operation)
            continue
        readers = {id(n.operation): n.operation for n in operation._outbound_nodes if id(n.operation) in own}
        only = next(iter(readers.values())) if len(readers) == 1 and id(operation) not in ends else None
        name = _place(operation, only)
        if name is not None and (operation, name) not in found:
            found.append((operation, name))
    return found


def _place(operation: Any, only_reader: Any | None) -> str | None:
    """Return the method of an operation before or after which values are rounded, or None."""
    kind, function = _kind(operation), _function(operation)
    if kind in _RELUS or (kind == "Activation" and function in _RELU_FUNCTIONS):
        return "call"
    if kind in _PRODUCTS and function not in ("linear", *_RELU_FUNCTIONS):
        return "activation"
    if kind in _PRODUCTS and function in _RELU_FUNCTIONS:
        return "call"
    if kind not in _PRODUCTS | _SUMS | _POOLS | {_NORM} or _is_fused(kind, only_reader):
        return None
    return "call"


def _is_fused(kind: str, reader: Any | None) -> bool:
    """Whether an exporter makes one operator of an operation and the only one that reads its result."""
    if reader is None or kind in _POOLS:
        return False
    is_relu = _kind(reader) in _RELUS or (_kind(reader) == "Activation" and _function(reader) in _RELU_FUNCTIONS)
    return is_relu or (kind in _PRODUCTS and _kind(reader) == _NORM)


def _kind(operation: Any) -> str:
    """Return the name of a class of Keras, or "" for others."""
    kind = type(operation)
    return kind.__name__ if kind.__module__.partition(".")[0] == "keras" else ""


def _function(operation: Any) -> str:
    return getattr(getattr(operation, "activation", None), "__name__", "linear")
