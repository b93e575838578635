"""Iteration over the layers of a model, of nested models, and of layers that contain others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras


def outer_leaves(model: Any) -> Iterator[Any]:
    """Yield every layer that is not itself a model, in order. A shared layer is yielded once for each occurrence.

    Layers inside other layers, such as the layer in a TimeDistributed, are not yielded.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from outer_leaves(layer)
        else:
            yield layer


def all_layers(layer: Any) -> list[Any]:
    """Return every layer inside a model or a layer once: nested models and their layers, wrapped layers, and cells."""
    return list(layer._flatten_layers(include_self=False))
