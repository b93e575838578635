"""Fully connected layers."""

from __future__ import annotations

from reds_core.network import Dims
from reds_tensorflow.calls import Call
from reds_tensorflow.handlers.layout import positions


def dense(call: Call) -> tuple[Dims, ...]:
    """Dense on the last dimension of a tensor of any rank."""
    layer, inner, outer = call.layer, call.dims[-1], call.fresh(call.layer.units)
    call.count(positions(call.output_shape, -1), inner, outer)
    call.kernel(layer.kernel, (inner, outer), 1)
    call.bias(outer)
    call.resize(units=outer)
    dims = (*call.dims[:-1], outer)
    call.activation(layer.activation, dims)
    return (dims,)
