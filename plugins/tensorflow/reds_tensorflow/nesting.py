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


def leaves(model: Any) -> Iterator[Any]:
    """Every layer that is no model itself, and whatever layers it holds inside: wrapped ones, cells, sublayers."""
    for layer in outer_leaves(model):
        yield layer
        yield from (inner for inner in layer._flatten_layers(include_self=False) if not isinstance(inner, keras.Model))
