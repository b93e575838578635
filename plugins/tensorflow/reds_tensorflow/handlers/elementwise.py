"""Layers that treat each element by itself, and those that look so but may work across channels."""

from __future__ import annotations

from reds_core.network import Dims, Fixed, WeightKind
from reds_tensorflow.calls import Call


def elementwise(call: Call) -> tuple[Dims, ...]:
    """Layers that treat each element, or each channel, by itself."""
    return call.inputs


def activation(call: Call) -> tuple[Dims, ...]:
    """Activation."""
    call.activation(call.layer.activation, call.dims)
    return call.inputs


def softmax(call: Call) -> tuple[Dims, ...]:
    """Softmax along one dimension or several."""
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else (call.layer.axis,)
    call.normalise(*(call.dims[a - 1 if a > 0 else a] for a in axes))
    return call.inputs


def prelu(call: Call) -> tuple[Dims, ...]:
    """PReLU: a slope for each element, shared along some dimensions."""
    shared = call.layer.shared_axes or ()
    axes = tuple(Fixed(1) if i + 1 in shared else axis for i, axis in enumerate(call.dims))
    call.weight(call.layer.alpha, WeightKind.SCALE, axes)
    return call.inputs


def dropout(call: Call) -> tuple[Dims, ...]:
    """Dropout; a noise shape given as numbers cannot follow the widths."""
    given = zip(call.dims, (call.layer.noise_shape or ())[1:], strict=False)
    call.freeze("has a noise shape in its config", *(axis for axis, size in given if size not in (None, 1)))
    return call.inputs
