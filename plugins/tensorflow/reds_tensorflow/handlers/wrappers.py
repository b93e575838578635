"""Layers that hold a layer."""

from __future__ import annotations

from reds_core.axis import Fixed
from reds_core.dims import Dims
from reds_core.network import WeightKind
from reds_tensorflow.calls import Call


def time_distributed(call: Call) -> tuple[Dims, ...]:
    """TimeDistributed: a layer on each step by itself."""
    steps, *dims = call.argument("inputs")
    call.freeze("works step by step along a dimension that holds channels", steps)
    arguments = {"inputs": tuple(dims)}
    (inner,) = call.part(
        call.layer.layer, ("layer", "config"), arguments, (call.output_shape[1:],), times=call.size(steps)
    )
    return ((Fixed(call.size(steps)), *inner),)


def spectral_normalization(call: Call) -> tuple[Dims, ...]:
    """SpectralNormalization: at inference the layer as it is; training divides its kernel by its norm."""
    layer = call.layer
    outputs = call.part(layer.layer, ("layer", "config"), {"inputs": call.dims}, call.output_shapes)
    call.weight(layer.vector_u, WeightKind.STATISTIC, (Fixed(1), call.axes_of(layer.kernel)[-1]))
    return outputs
