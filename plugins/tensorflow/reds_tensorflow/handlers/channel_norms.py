"""Layers that normalise over channels. Their statistics change with every channel that goes, so channels stay whole
unless the option `prune_normalised` asks for pruning them; then what is kept is normalised over what is kept."""

from __future__ import annotations

from reds_core.network import Axis, Dims, WeightKind, repeat
from reds_tensorflow.calls import Call

_SQUARED = 8
"""An int8 file squares in float32: the input and its square, four bytes an element each."""


def layer_normalization(call: Call) -> tuple[Dims, ...]:
    """LayerNormalization over one dimension or several."""
    layer, axes = call.layer, _axes(call)
    call.normalise(*axes)
    call.weight(layer.gamma, WeightKind.SCALE, axes, _channels(axes))
    call.weight(layer.beta, WeightKind.OFFSET, axes, _channels(axes))
    # x y + z, where y is as large as x once gamma is in it, and z once beta is
    _hold(call, 3 if layer.gamma is not None else 2 if layer.beta is not None else 1)
    return call.inputs


def rms_normalization(call: Call) -> tuple[Dims, ...]:
    """RMSNormalization: as LayerNormalization, without a mean."""
    axes = _axes(call)
    call.normalise(*axes)
    call.weight(call.layer.scale, WeightKind.SCALE, axes, _channels(axes))
    _hold(call, _SQUARED)
    return call.inputs


def unit_normalization(call: Call) -> tuple[Dims, ...]:
    """UnitNormalization: the input divided by its length."""
    call.normalise(*_axes(call))
    _hold(call, _SQUARED)
    return call.inputs


def group_normalization(call: Call) -> tuple[Dims, ...]:
    """GroupNormalization: blocks of neighbouring channels, each normalised by itself, go or stay as a whole.

    With as many blocks as channels (instance normalisation) these are single channels.
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
    """The axes that the layer's `axis` names, which counts the batch."""
    numbers = call.layer.axis if isinstance(call.layer.axis, list | tuple) else (call.layer.axis,)
    return tuple(call.dims[a - 1 if a > 0 else a] for a in numbers)


def _hold(call: Call, count: int) -> None:
    """Say that tensors as large as the input are held inside, beside the input: LiteRT has no operator of its own."""
    call.inside(*[call.buffer(1, *call.dims)] * count)


def _channels(axes: tuple[Axis, ...]) -> int | None:
    """Which of the axes holds channels that may go."""
    return next((i for i, axis in enumerate(axes) if axis.groups()), None)
