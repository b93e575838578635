"""Notices examples whose values are scaled differently from those on which a model was trained."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from reds_core.framework import columns, each
from reds_tensorflow.evaluation import as_float32, as_tensors, called
from reds_tensorflow.nesting import all_layers
from reds_tensorflow.replacing import methods_replaced

FEWEST_EXAMPLES = 16
"""Fewer examples may vary little by chance, so they are not measured."""
FACTOR = 8.0
"""How many times as much, or as little, values may vary as those of the training without a remark.

Data of the kind that a model was trained on varies by factors of 0.7 to 1.1. A division by 255 that is missing, or that
is made twice, gives factors of 180 to 280, or their inverses.
"""
NARROW, WIDE = 0.05, 20.0
"""Limits of the range of values behind a Rescaling layer, which usually rescales to [0, 1] or [-1, 1]."""
_FIX = "scale the examples as those on which the model was trained"


def input_notes(model: Any, x: Any) -> tuple[str, ...]:
    """Return a remark if values are scaled differently from those on which the model was trained.

    The evidence is a Rescaling layer at the input, or the statistics of the first batch norm or Normalization layer. A
    model without these, or with a batch norm that was never trained, gives no remark.

    Args:
        model: the model.
        x: examples (N, *input shape) drawn at random; a tuple for models of several inputs, in their order.
    """
    if len(columns(x)[0]) < FEWEST_EXAMPLES:
        return ()
    note = _range_note(model, x) or _spread_note(model, x)
    return () if note is None else (f"{note}; {_FIX}",)


def _range_note(model: Any, x: Any) -> str | None:
    """Return a remark on the range of the values that a Rescaling layer gets from the input."""
    reached = _first_call(model, x, [keras.layers.Rescaling])
    if reached is None:
        return None
    layer, inputs = reached
    if not any(np.array_equal(column, inputs) for column in columns(x)):
        return None  # the layer rescales something else
    scale, lowest, highest = float(np.mean(np.abs(layer.scale))), float(inputs.min()), float(inputs.max())
    if lowest == highest or NARROW <= (highest - lowest) * scale <= WIDE:
        return None
    return (
        f"the values of the examples run from {lowest:g} to {highest:g}, but layer '{layer.name}' multiplies them "
        f"by {scale:.3g}, which is made for a range of about {1 / scale:.3g}"
    )


def _spread_note(model: Any, x: Any) -> str | None:
    """Return a remark on the spread of values before the first layer that holds statistics of the training."""
    reached = _first_call(model, x, [keras.layers.BatchNormalization, keras.layers.Normalization])
    if reached is None:
        return None
    layer, inputs = reached
    shares = _variance_shares(layer, inputs)
    if not len(shares):
        return None
    factor = float(np.sqrt(np.median(shares)))
    if 1 / FACTOR <= factor <= FACTOR:
        return None
    if not factor:
        return None  # the examples are all the same
    times = f"{factor:,.0f} times" if factor > 1 else f"1/{1 / factor:,.0f}"
    return (
        f"the values of the examples vary about {times} as much as those on which the model was trained, by the "
        f"statistics of layer '{layer.name}'"
    )


class _Reached(Exception):
    """The layer that is looked for is called."""


def _first_call(model: Any, x: Any, kinds: Sequence[type[Any]]) -> tuple[Any, npt.NDArray[Any]] | None:
    """Return the first layer of some kinds that a call of the model reaches, and its input; None if there is none."""
    found: list[tuple[Any, Any]] = []

    def reach(layer: Any, inputs: Any, *_: Any, **__: Any) -> Any:
        found.append((layer, inputs))
        raise _Reached(layer.name)  # so that the rest of the model is not computed

    layers = [layer for layer in all_layers(model) if isinstance(layer, tuple(kinds))]
    if layers:
        with methods_replaced(layers, "call", reach), suppress(_Reached):
            called(model, each(as_float32, as_tensors(x)))
    return None if not found else (found[0][0], np.asarray(found[0][1]))


def _variance_shares(layer: Any, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the variance of each channel as a share of that on which the layer was trained; empty if unknown."""
    if isinstance(layer, keras.layers.Normalization):
        outputs = np.asarray(layer.call(keras.ops.convert_to_tensor(inputs)))
        return np.ravel(outputs.var(axis=tuple(range(outputs.ndim - 1))))
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
    measured = np.moveaxis(inputs, axis, -1).reshape(-1, inputs.shape[axis]).var(axis=0)
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    if np.all(mean == 0) and np.all(variance == 1):
        return np.zeros(0)  # never trained
    alive = variance > layer.epsilon
    return np.asarray(measured[alive] / variance[alive])
