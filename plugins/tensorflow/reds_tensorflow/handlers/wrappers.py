"""Layers that hold a layer."""

from __future__ import annotations

from inspect import signature
from typing import Any

from reds_core.network import Dims, Fixed, WeightKind
from reds_tensorflow.calls import Call


def time_distributed(call: Call) -> tuple[Dims, ...]:
    """TimeDistributed: a layer, or a whole model, on each step by itself."""
    steps, *dims = call.argument("inputs")
    call.freeze("works step by step along a dimension that holds channels", steps)
    inner, count = call.layer.layer, call.size(steps)
    arguments = {_first_parameter(inner): tuple(dims)}
    with call.buffers_apart() as inside:
        (made,) = call.part(inner, arguments, (call.output_shape[1:],), count, apart=True)
    made = call.one_moving(made)
    # the input is cut into its steps, each is worked on by itself, and what they give is put together at last
    given, collected = call.buffer(count, *dims), call.buffer(count, *made)
    call.inside(given)
    for held in inside:
        call.inside(*held, collected)
    call.inside(collected, collected)
    return ((Fixed(count), *made),)


def spectral_normalization(call: Call) -> tuple[Dims, ...]:
    """SpectralNormalization: at inference the layer as it is; training divides its kernel by its norm."""
    layer = call.layer
    outputs = call.part(layer.layer, {_first_parameter(layer.layer): call.dims}, call.output_shapes)
    call.weight(layer.vector_u, WeightKind.STATISTIC, (Fixed(1), call.axes_of(layer.kernel)[-1]))
    return outputs


def _first_parameter(layer: Any) -> str:
    """The name by which a layer's `call` takes its input."""
    return next(iter(signature(layer.call).parameters))
