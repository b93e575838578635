"""Wrappers: layers that contain another layer."""

from __future__ import annotations

from inspect import signature
from typing import Any

from reds_core.network import Dims, Fixed, WeightKind
from reds_tensorflow.calls import Call


def time_distributed(call: Call) -> tuple[Dims, ...]:
    """TimeDistributed: a layer, or a whole model, that is applied to each step separately."""
    steps, *dims = call.argument("inputs")
    call.freeze("works step by step along a dimension that holds channels", steps)
    inner, count = call.layer.layer, call.size(steps)
    arguments = {_first_parameter(inner): tuple(dims)}
    with call.buffers_apart() as inside:
        (made,) = call.part(inner, arguments, (call.output_shape[1:],), count, apart=True)
    made = call.one_moving(made)
    # The input is split into steps, each step is computed on its own, and the results are stacked at the end.
    given, collected = call.buffer(count, *dims), call.buffer(count, *made)
    call.inside(given)
    for held in inside:
        call.inside(*held, collected)
    call.inside(collected, collected)
    return ((Fixed(count), *made),)


def spectral_normalization(call: Call) -> tuple[Dims, ...]:
    """SpectralNormalization: at inference the wrapped layer; training divides its kernel by its spectral norm."""
    layer = call.layer
    outputs = call.part(layer.layer, {_first_parameter(layer.layer): call.dims}, call.output_shapes)
    call.weight(layer.vector_u, WeightKind.STATISTIC, (Fixed(1), call.axes_of(layer.kernel)[-1]))
    return outputs


def _first_parameter(layer: Any) -> str:
    """Return the name of the first parameter of a layer's `call`, which is its input."""
    return next(iter(signature(layer.call).parameters))
