"""Conversion of recurrent layers and token inputs for the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from reds_tensorflow.fused_lstm import fused_outputs
from reds_tensorflow.names import as_functional
from reds_tensorflow.nesting import all_layers
from reds_tensorflow.replacing import replaced


@dataclass(frozen=True)
class Recurrence:
    """One call of a recurrent layer that LiteRT has no operator for.

    Attributes:
        layer: the recurrent layer of Keras.
        steps: number of steps.
        masked: whether it has a mask of steps to skip.
    """

    layer: Any
    steps: int
    masked: bool


Found = Callable[[Recurrence], None]


@contextmanager
def recurrences_converted(model: Any, unrolled: bool, found: Found | None = None) -> Iterator[None]:
    """Trace recurrent layers of `model` within the context as LiteRT's operator for whole sequences if it has one.

    Args:
        model: a Keras model.
        unrolled: whether all others are unrolled instead of traced as loops. TensorFlow's converter cannot quantise
            loops, and crashes the process at one in a recurrent layer.
        found: called with each call of a layer that LiteRT has no operator for.
    """
    layers = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.RNN)]
    loops = [(layer, "inner_loop", _inner_loop(layer, found)) for layer in layers]
    with replaced(*loops, *((layer, "unroll", layer.unroll or unrolled) for layer in layers)):
        yield


def _inner_loop(layer: Any, found: Found | None) -> Callable[..., tuple[Any, Any, Any]]:
    """Return a replacement for a layer's method `inner_loop`, which computes all steps."""

    def inner_loop(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> tuple[Any, Any, Any]:
        outputs = fused_outputs(layer, sequences, initial_state, mask)
        if outputs is not None:
            return outputs[:, -1], outputs, initial_state  # the states of such a layer are never read
        if found is not None:
            found(Recurrence(layer, sequences.shape[1], mask is not None))
        taken: tuple[Any, Any, Any] = type(layer).inner_loop(layer, sequences, initial_state, mask, training)
        return taken

    return inner_loop


def reads_tokens(model: Any) -> tuple[bool, ...]:
    """Return for each input whether it takes tokens: an Embedding, and no other layer, reads it."""
    found = []
    functional = as_functional(model)
    for tensor in functional.inputs:
        readers = [
            operation
            for operation in functional.operations
            for node in operation._inbound_nodes
            if any(read is tensor for read in node.input_tensors)
        ]
        embeddings = [r for r in readers if isinstance(r, keras.layers.Embedding)]
        others = [r for r in readers if isinstance(r, keras.Layer) and r not in embeddings]
        found.append(bool(embeddings) and not others)
    return tuple(found)
