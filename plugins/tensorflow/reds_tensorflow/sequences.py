"""What sequences need where a model is converted for the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from reds_tensorflow.names import as_functional


@contextmanager
def steps_written_out(model: Any) -> Iterator[None]:
    """Inside, recurrent layers of `model` are traced step by step, one after the other, instead of as a loop.

    TensorFlow's converter cannot quantise loops: at one in a recurrent layer it brings the process down.
    """
    loops = [r for r in model._flatten_layers() if isinstance(r, keras.layers.RNN) and not r.unroll]
    for layer in loops:
        layer.unroll = True
    try:
        yield
    finally:
        for layer in loops:
            layer.unroll = False


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
