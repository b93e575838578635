"""Layers of a model, of the models inside it, and of the layers that hold others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras


def outer_leaves(model: Any) -> Iterator[Any]:
    """Every layer that is no model itself, in order; one that is shared comes as often as it stands somewhere.

    What a layer holds inside, such as the layer in a TimeDistributed, is not among them.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from outer_leaves(layer)
        else:
            yield layer


def all_layers(layer: Any) -> list[Any]:
    """Every layer inside a model or a layer, each once: nested models and their layers, wrapped ones, cells."""
    return list(layer._flatten_layers(include_self=False))
