"""Elementwise layers, and similar layers that may work across channels."""

from __future__ import annotations

from reds_core.network import Dims, Fixed, WeightKind
from reds_tensorflow.calls import Call


def elementwise(call: Call) -> tuple[Dims, ...]:
    """Layers that treat each element, or each channel, independently."""
    return call.inputs


def activation(call: Call) -> tuple[Dims, ...]:
    """Activation: any activation function."""
    call.activation(call.layer.activation, call.dims)
    return call.inputs


def softmax(call: Call) -> tuple[Dims, ...]:
    """Softmax over one or several dimensions."""
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else (call.layer.axis,)
    call.normalise(*(call.dims[a - 1 if a > 0 else a] for a in axes))
    return call.inputs


def prelu(call: Call) -> tuple[Dims, ...]:
    """PReLU: a learned slope for each element, which may be shared along some dimensions."""
    shared = call.layer.shared_axes or ()
    axes = tuple(Fixed(1) if i + 1 in shared else axis for i, axis in enumerate(call.dims))
    call.weight(call.layer.alpha, WeightKind.SCALE, axes)
    return call.inputs


def dropout(call: Call) -> tuple[Dims, ...]:
    """Dropout. A noise shape that is given as numbers cannot follow the widths."""
    given = zip(call.dims, (call.layer.noise_shape or ())[1:], strict=False)
    call.freeze("has a noise shape in its config", *(axis for axis, size in given if size not in (None, 1)))
    return call.inputs
