"""Layers that normalise over channels.

Their statistics change with every channel that is removed, so these channels are not pruned by default. With the option
`prune_normalised` they are, and the layer normalises over the channels that are kept.
"""

from __future__ import annotations

from reds_core.network import Axis, Dims, WeightKind, repeat
from reds_tensorflow.calls import Call

_SQUARED = 8
"""An int8 file computes squares in float32: the input and its square take four bytes per element each."""


def layer_normalization(call: Call) -> tuple[Dims, ...]:
    """LayerNormalization over one dimension or several."""
    layer, axes = call.layer, _axes(call)
    call.normalise(*axes)
    call.weight(layer.gamma, WeightKind.SCALE, axes, _channels(axes))
    call.weight(layer.beta, WeightKind.OFFSET, axes, _channels(axes))
    # The layer computes x * y + z, where y has the size of x if there is a gamma, and z if there is a beta.
    _hold(call, 3 if layer.gamma is not None else 2 if layer.beta is not None else 1)
    return call.inputs


def rms_normalization(call: Call) -> tuple[Dims, ...]:
    """RMSNormalization: LayerNormalization without subtracting the mean."""
    axes = _axes(call)
    call.normalise(*axes)
    call.weight(call.layer.scale, WeightKind.SCALE, axes, _channels(axes))
    _hold(call, _SQUARED)
    return call.inputs


def unit_normalization(call: Call) -> tuple[Dims, ...]:
    """UnitNormalization: the input divided by its norm."""
    call.normalise(*_axes(call))
    _hold(call, _SQUARED)
    return call.inputs


def group_normalization(call: Call) -> tuple[Dims, ...]:
    """GroupNormalization: blocks of adjacent channels that are normalised separately, and kept or removed as a whole.

    With as many blocks as channels (instance normalisation) each block is a single channel.
    """
    layer, (axis,) = call.layer, _axes(call)
    if layer.groups == 1:
        call.normalise(axis)
    else:
        blocks = call.fresh(layer.groups)
        call.tie(axis, repeat(blocks, call.size(axis) // layer.groups))
        call.resize(groups=blocks)
    call.freeze("normalises over dimensions that hold channels", *(other for other in call.dims if other is not axis))
    call.weight(layer.gamma, WeightKind.SCALE, (axis,), 0)
    call.weight(layer.beta, WeightKind.OFFSET, (axis,), 0)
    _hold(call, 1)
    return call.inputs


def _axes(call: Call) -> Dims:
    """Return the axes that the layer's `axis` refers to, which counts the batch as dimension 0."""
    numbers = call.layer.axis if isinstance(call.layer.axis, list | tuple) else (call.layer.axis,)
    return tuple(call.dims[a - 1 if a > 0 else a] for a in numbers)


def _hold(call: Call, count: int) -> None:
    """Add an inner step that holds `count` tensors of the input's size, since LiteRT has no operator for the layer."""
    call.inside(*[call.buffer(1, *call.dims)] * count)


def _channels(axes: tuple[Axis, ...]) -> int | None:
    """Return the index of the first axis that holds channels which may be pruned, or None."""
    return next((i for i, axis in enumerate(axes) if axis.groups()), None)
