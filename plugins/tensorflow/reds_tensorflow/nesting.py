"""Layers of a model and of the models inside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras


def leaves(model: Any) -> Iterator[Any]:
    """Every layer that is no model itself, in order; one that is shared comes as often as it stands somewhere."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer
