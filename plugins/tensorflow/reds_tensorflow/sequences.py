"""What sequences need where a model is converted for the device."""

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
    """A recurrent layer that LiteRT has no operator for, as it was called once.

    Attributes:
        layer: the recurrent layer of Keras.
        steps: how many steps it takes.
        masked: whether it is told of steps to pass over.
    """

    layer: Any
    steps: int
    masked: bool


Found = Callable[[Recurrence], None]


@contextmanager
def recurrences_converted(model: Any, unrolled: bool, found: Found | None = None) -> Iterator[None]:
    """Inside, recurrent layers of `model` are traced as LiteRT's operator for whole sequences where it has one.

    Args:
        model: a Keras model.
        unrolled: whether all others are traced step by step, one after the other, instead of as a loop.
            TensorFlow's converter cannot quantise loops: at one in a recurrent layer it brings the process down.
        found: told of each call of a layer that LiteRT has no operator for.
    """
    layers = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.RNN)]
    loops = [(layer, "inner_loop", _inner_loop(layer, found)) for layer in layers]
    with replaced(*loops, *((layer, "unroll", layer.unroll or unrolled) for layer in layers)):
        yield


def _inner_loop(layer: Any, found: Found | None) -> Callable[..., tuple[Any, Any, Any]]:
    """What takes the place of the method of that name: all steps of a layer, from its states to its states."""

    def inner_loop(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> tuple[Any, Any, Any]:
        outputs = fused_outputs(layer, sequences, initial_state, mask)
        if outputs is not None:
            return outputs[:, -1], outputs, initial_state  # nobody reads the states of such a layer
        if found is not None:
            found(Recurrence(layer, sequences.shape[1], mask is not None))
        taken: tuple[Any, Any, Any] = type(layer).inner_loop(layer, sequences, initial_state, mask, training)
        return taken

    return inner_loop


def reads_tokens(model: Any) -> tuple[bool, ...]:
    """For each input of `model` whether it takes tokens: an Embedding reads it, and beside it functions alone."""
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
