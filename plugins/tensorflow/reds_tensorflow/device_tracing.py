"""Tracing of a model for a device: with a batch size of 1, in float32, and with operations that LiteRT supports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, count
from typing import Any

import keras

from reds_tensorflow.keras_functions import addends_kept_apart
from reds_tensorflow.names import as_functional
from reds_tensorflow.precision import in_float32
from reds_tensorflow.quiet import silenced
from reds_tensorflow.scopes import plain_name, scopes_named_plainly
from reds_tensorflow.sequences import Found, reads_tokens, recurrences_converted
from reds_tensorflow.task import output_names


@contextmanager
def traced_for_device(model: Any, unrolled: bool, found: Found | None = None) -> Iterator[None]:
    """Trace `model` within the context as it is exported to a device.

    Args:
        model: the model.
        unrolled: whether recurrent layers that LiteRT has no operator for are unrolled instead of traced as loops.
        found: called with each call of such a layer.
    """
    with (
        silenced(),
        in_float32(model),
        addends_kept_apart(),
        recurrences_converted(model, unrolled, found),
        scopes_named_plainly(),
    ):
        yield


def one_at_a_time(model: Any, tokens_as_integers: bool) -> Any:
    """Return `model` with a fixed batch size of 1, which avoids operations on shapes in the file.

    Several outputs are returned as a dict by their names.
    """
    are_tokens = reads_tokens(model) if tokens_as_integers else [False] * len(model.inputs)
    names = plain_names(tensor.name for tensor in model.inputs)
    inputs = [
        keras.Input(batch_shape=(1, *tensor.shape[1:]), dtype="int32" if is_tokens else tensor.dtype, name=name)
        for tensor, is_tokens, name in zip(model.inputs, are_tokens, names, strict=True)
    ]
    given = inputs[0] if len(inputs) == 1 else keras.tree.pack_sequence_as(model.input, inputs)
    called = model
    if model.name in names:  # Keras refuses a graph with two operations of one name
        called = as_functional(model)
        called.name = f"{model.name}_network"
    outputs = called(given, training=False)
    if len(model.outputs) > 1:
        found = keras.tree.flatten(outputs)
        outputs = dict(zip(plain_names(output_names(model)), found, strict=True))
    return keras.Model(inputs, outputs, name=model.name)


def plain_names(names: Iterable[str]) -> list[str]:
    """Return valid TensorFlow names for inputs or outputs; names that would become equal are numbered."""
    found: list[str] = []
    for name in names:
        plain = plain_name(name)
        numbered = (f"{plain}_{number}" for number in count(2))
        found.append(next(name for name in chain([plain], numbered) if name not in found))
    return found
