"""How much of a model's own dropout training keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from reds_tensorflow.nesting import all_layers
from reds_tensorflow.replacing import replaced

_RATES = {
    keras.layers.Dropout: ("rate",),
    keras.layers.AlphaDropout: ("rate",),
    keras.layers.GaussianDropout: ("rate",),
    keras.layers.LSTMCell: ("dropout", "recurrent_dropout"),
    keras.layers.GRUCell: ("dropout", "recurrent_dropout"),
    keras.layers.SimpleRNNCell: ("dropout", "recurrent_dropout"),
}
"""Attributes that hold the rates of a layer; those of attention stand in a Dropout of its own."""


@contextmanager
def dropout_times(share: float, *models: Any) -> Iterator[None]:
    """Inside, `models` are traced with `share` of their dropout rates."""
    places = {place for model in models for place in _places(model)}
    with replaced(*((layer, name, share * getattr(layer, name)) for layer, name in places)):
        yield


def _places(model: Any) -> Iterator[tuple[Any, str]]:
    for layer in all_layers(model):
        for kind, names in _RATES.items():
            if isinstance(layer, kind):
                yield from ((layer, name) for name in names)
