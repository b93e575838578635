"""Scaling of a model's dropout rates during training."""

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
    keras.layers.Attention: ("dropout",),
    keras.layers.LSTMCell: ("dropout", "recurrent_dropout"),
    keras.layers.GRUCell: ("dropout", "recurrent_dropout"),
    keras.layers.SimpleRNNCell: ("dropout", "recurrent_dropout"),
}
"""Attributes with the dropout rates of each layer type. Multi-head attention contains a Dropout layer instead."""
_WITH_CELLS = (keras.layers.ConvLSTM1D, keras.layers.ConvLSTM2D, keras.layers.ConvLSTM3D)
"""Layers whose cells have the rates of an LSTM, but are of no public type."""


@contextmanager
def dropout_times(share: float, *models: Any) -> Iterator[None]:
    """Trace `models` with `share` of their dropout rates within the context."""
    places = {place for model in models for place in _places(model)}
    with replaced(*((layer, name, share * getattr(layer, name)) for layer, name in places)):
        yield


def _places(model: Any) -> Iterator[tuple[Any, str]]:
    for layer in all_layers(model):
        if isinstance(layer, _WITH_CELLS):
            yield from ((layer.cell, name) for name in _RATES[keras.layers.LSTMCell])
        for kind, names in _RATES.items():
            if isinstance(layer, kind):
                yield from ((layer, name) for name in names)
