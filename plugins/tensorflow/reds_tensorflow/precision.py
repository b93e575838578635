"""Mixed precision: layers compute in 16 bits with weights that are kept in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from reds_core.errors import InputError, argument
from reds_core.framework import Precision
from reds_tensorflow.nesting import all_layers, outer_leaves
from reds_tensorflow.replacing import replaced

_OF_MANY_LAYERS = (
    keras.layers.RNN,
    keras.layers.Bidirectional,
    keras.layers.Wrapper,
    keras.layers.MultiHeadAttention,
    keras.layers.GroupQueryAttention,
)
"""Layers that contain other layers, and whose own computations between those would stay in float32."""


def check_precision(precision: Precision) -> None:
    """Refuse a precision that this machine does not support.

    Raises:
        InputError: if `precision` is mixed_float16 and there is no GPU.
    """
    if precision is Precision.FLOAT16 and not tf.config.list_physical_devices("GPU"):
        raise InputError(
            "mixed_float16 needs a GPU, and none is found",
            f"give {argument('precision', 'mixed_bfloat16')}, or float32",
        )


@contextmanager
def computing_in(precision: Precision, *models: Any) -> Iterator[None]:
    """Trace `models` in `precision` within the context, except the end of each output.

    That is the last layer with weights and those after it. Outputs stay in float32, which losses need (Micikevicius et
    al., arXiv 1710.03740).
    """
    changed = [] if precision is Precision.FLOAT32 else [layer for model in models for layer in _inner(model)]
    with replaced(*((layer, "dtype_policy", keras.DTypePolicy(precision.value)) for layer in changed)):
        yield


def _inner(model: Any) -> list[Any]:
    layers, ending = list(outer_leaves(model)), _ending(model)
    last = max((i for i, layer in enumerate(layers) if layer.weights), default=0)
    return [layer for layer in layers[:last] if not isinstance(layer, _OF_MANY_LAYERS) and id(layer) not in ending]


def _ending(model: Any) -> set[int]:
    """Return the ids of the last layer with weights of each output of a model, and of those after it."""
    found, tensors = set[int](), list(model.outputs)
    while tensors:
        operation, node, _ = tensors.pop()._keras_history
        if isinstance(operation, keras.Model):
            found |= _ending(operation)
        elif id(operation) not in found:
            found.add(id(operation))
            if not getattr(operation, "weights", ()):
                tensors += operation._inbound_nodes[node].input_tensors
    return found


@contextmanager
def in_float32(model: Any) -> Iterator[None]:
    """Trace a model that was built for half precision in float32 within the context."""
    halves = [layer for layer in (model, *all_layers(model)) if layer.compute_dtype in ("float16", "bfloat16")]
    with replaced(*((layer, "dtype_policy", keras.DTypePolicy("float32")) for layer in halves)):
        yield
