"""Calls of keras.ops functions in a model's graph, as far as reds knows how they treat channels.

Dimensions in their arguments count the batch as dimension 0. The channels of a call that mixes the examples of a batch,
or whose arguments pruning would have to change, are not pruned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reds_core.network import Axis, Dims, Fixed
from reds_tensorflow.calls import Call, Handler
from reds_tensorflow.handlers.elementwise import elementwise
from reds_tensorflow.handlers.merging import broadcast, concatenated, merge, product
from reds_tensorflow.handlers.shape import block_of, moved_to
from reds_tensorflow.handlers.spatial import spatial

# fmt: off
_ACTIVATIONS = (
    "Celu", "Elu", "Erf", "Exp", "Gelu", "HardShrink", "HardSigmoid", "HardSilu", "HardTanh", "LeakyRelu", "LogSigmoid",
    "Relu", "Relu6", "Selu", "Sigmoid", "Silu", "SoftShrink", "Softplus", "Softsign", "SparsePlus", "SparseSigmoid",
    "Squareplus", "Tanh", "TanhShrink", "Threshold",
)
_OF_ONE_TENSOR = (
    "Abs", "Absolute", "Arccos", "Arccosh", "Arcsin", "Arcsinh", "Arctan", "Arctanh", "Cast", "Cbrt", "Ceil", "Clip",
    "Copy", "Cos", "Cosh", "Deg2rad", "Erfc", "Erfinv", "Exp2", "Expm1", "Fabs", "Floor", "Isfinite", "Isinf", "Isnan",
    "Log", "Log10", "Log1p", "Log2", "LogicalNot", "NanToNum", "Negative", "OnesLike", "Rad2deg", "Reciprocal", "Round",
    "Rsqrt", "SaturateCast", "Sign", "Signbit", "Sin", "Sinc", "Sinh", "Sqrt", "Square", "StopGradient", "Tan", "Trunc",
    "ZerosLike",
)
_OF_SEVERAL_TENSORS = (
    "Add", "Arctan2", "Divide", "DivideNoNan", "Equal", "FloorDivide", "Fmax", "Fmin", "Fmod", "Greater",
    "GreaterEqual", "Heaviside", "Hypot", "Less", "LessEqual", "Logaddexp", "Logaddexp2", "LogicalAnd", "LogicalOr",
    "LogicalXor", "Maximum", "Minimum", "Mod", "Multiply", "NotEqual", "Power", "Subtract", "TrueDivide", "Where",
)
_REDUCTIONS = (
    "All", "Amax", "Amin", "Any", "Logsumexp", "Max", "Mean", "Median", "Min", "Prod", "Std", "Var",
)
# fmt: on
_MIXES_EXAMPLES = "mixes the examples of a batch"


def _dimensions(axes: Any, rank: int) -> list[int] | None:
    """Convert `axes` to dimensions that do not count the batch; None if the batch is among them.

    Args:
        axes: a dimension, several, or None for all.
        rank: rank of the tensor including the batch.
    """
    if axes is None:
        return None
    numbers = [a % rank for a in (axes if isinstance(axes, list | tuple) else [axes])]
    return None if 0 in numbers else [n - 1 for n in numbers]


def reduction(call: Call) -> tuple[Dims, ...]:
    """Mean, maximum and other reductions over some dimensions; channels along these dimensions are not pruned."""
    reduced = _dimensions(call.layer.axis, len(call.dims) + 1)
    if reduced is None:
        return call.opaque(_MIXES_EXAMPLES)
    call.freeze("works across channels", *(call.dims[d] for d in reduced))
    return _reduced(call, reduced)


def total(call: Call) -> tuple[Dims, ...]:
    """Sum over some dimensions. Removing a channel removes only its own summand."""
    reduced = _dimensions(call.layer.axis, len(call.dims) + 1)
    return call.opaque(_MIXES_EXAMPLES) if reduced is None else _reduced(call, reduced)


def _reduced(call: Call, reduced: list[int]) -> tuple[Dims, ...]:
    if call.layer.keepdims:
        return (tuple(Fixed(1) if d in reduced else axis for d, axis in enumerate(call.dims)),)
    return (tuple(axis for d, axis in enumerate(call.dims) if d not in reduced),)


def along_positions(call: Call) -> tuple[Dims, ...]:
    """Functions that move elements along some dimensions, or compute cumulative sums or products."""
    along = _dimensions(call.layer.axis, len(call.dims) + 1)
    if along is None:
        return call.opaque(_MIXES_EXAMPLES)
    call.freeze("works across channels", *(call.dims[d] for d in along))
    return call.inputs


def softmax(call: Call) -> tuple[Dims, ...]:
    """Softmax and similar functions over some dimensions."""
    along = _dimensions(call.layer.axis, len(call.dims) + 1)
    if along is None:
        return call.opaque(_MIXES_EXAMPLES)
    call.normalise(*(call.dims[d] for d in along))
    return call.inputs


def transpose(call: Call) -> tuple[Dims, ...]:
    """Permute dimensions; the batch must stay the first."""
    axes = call.layer.axes
    order = None if axes is None or axes[0] != 0 else _dimensions(list(axes[1:]), len(call.dims) + 1)
    if order is None:
        return call.opaque(_MIXES_EXAMPLES)
    return (tuple(call.dims[d] for d in order),)


def swapaxes(call: Call) -> tuple[Dims, ...]:
    """Swap two dimensions."""
    swapped = _dimensions([call.layer.axis1, call.layer.axis2], len(call.dims) + 1)
    if swapped is None:
        return call.opaque(_MIXES_EXAMPLES)
    first, second = swapped
    dims = list(call.dims)
    dims[first], dims[second] = dims[second], dims[first]
    return (tuple(dims),)


def expand_dims(call: Call) -> tuple[Dims, ...]:
    """Add dimensions of length 1."""
    new = _dimensions(call.layer.axis, len(call.output_shape) + 1)
    if new is None:
        return call.opaque(_MIXES_EXAMPLES)
    rest = iter(call.dims)
    return (tuple(Fixed(1) if d in new else next(rest) for d in range(len(call.output_shape))),)


def squeeze(call: Call) -> tuple[Dims, ...]:
    """Remove dimensions of length 1."""
    gone = _dimensions(call.layer.axis, len(call.dims) + 1)
    if gone is None:
        return call.opaque(_MIXES_EXAMPLES)
    call.freeze("removes the dimension of channels", *(call.dims[d] for d in gone))
    return (tuple(axis for d, axis in enumerate(call.dims) if d not in gone),)


def get_item(call: Call) -> tuple[Dims, ...]:
    """Indexing and slicing. Channels of which only some are taken are not pruned."""
    key = call.arguments[1] if len(call.arguments) > 1 else None
    parts = list(key) if isinstance(key, list | tuple) else [key]
    if not all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in parts) or key is None:
        return call.opaque("takes elements at places that are not known")
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    at = parts.index(Ellipsis)
    named = sum(part is not None for part in parts) - 1
    parts[at : at + 1] = [slice(None)] * (len(call.dims) + 1 - named)
    if parts[0] != slice(None):
        return call.opaque(_MIXES_EXAMPLES)
    taken: list[Axis] = []
    rest = iter(call.dims)
    for part in parts[1:]:
        if part is None:
            taken.append(Fixed(1))
            continue
        axis = next(rest)
        if part == slice(None):
            taken.append(axis)
            continue
        call.freeze("takes some channels by their number", axis)
        if isinstance(part, slice):
            taken.append(Fixed(len(range(*part.indices(call.size(axis))))))
    return (tuple(taken),)


def concatenate(call: Call) -> tuple[Dims, ...]:
    """Concatenate tensors along a dimension."""
    at = _dimensions(call.layer.axis, len(call.output_shape) + 1)
    return call.opaque(_MIXES_EXAMPLES) if at is None else concatenated(call, at[0])


def stack(call: Call) -> tuple[Dims, ...]:
    """Stack tensors along a new dimension."""
    at = _dimensions(call.layer.axis, len(call.output_shape) + 1)
    if at is None:
        return call.opaque(_MIXES_EXAMPLES)
    first = call.inputs[0]
    for dims in call.inputs[1:]:
        for one, other in zip(first, dims, strict=True):
            call.tie(one, other)
    return ((*first[: at[0]], Fixed(len(call.inputs)), *first[at[0] :]),)


def split(call: Call) -> tuple[Dims, ...]:
    """Split a dimension into equal parts. All parts keep the same channels, so that they stay equal."""
    parts, at = call.layer.indices_or_sections, _dimensions(call.layer.axis, len(call.dims) + 1)
    if at is None:
        return call.opaque(_MIXES_EXAMPLES)
    axis = call.dims[at[0]]
    if not isinstance(parts, int):
        call.freeze("splits channels at numbers", axis)
        return tuple(_with(call.dims, at[0], Fixed(shape[at[0]])) for shape in call.output_shapes)
    part = block_of(call, axis, parts) if axis.groups() else Fixed(call.size(axis) // parts)
    return (_with(call.dims, at[0], part),) * parts


def gated(call: Call) -> tuple[Dims, ...]:
    """Gated linear unit: one half of a dimension times the sigmoid of the other. Both halves keep the same channels."""
    at = _dimensions(call.layer.axis, len(call.dims) + 1)
    if at is None:
        return call.opaque(_MIXES_EXAMPLES)
    axis = call.dims[at[0]]
    half = block_of(call, axis, 2) if axis.groups() else Fixed(call.size(axis) // 2)
    return (_with(call.dims, at[0], half),)


def _with(dims: Dims, at: int, axis: Axis) -> Dims:
    return (*dims[:at], axis, *dims[at + 1 :])


def pad(call: Call) -> tuple[Dims, ...]:
    """Pad dimensions."""
    widths = call.layer.pad_width
    if len(widths) == 1 or any(widths[0]):
        return call.opaque(_MIXES_EXAMPLES)
    dims = tuple(
        Fixed(n) if any(w) else axis for w, axis, n in zip(widths[1:], call.dims, call.output_shape, strict=True)
    )
    call.freeze("adds channels", *(axis for w, axis in zip(widths[1:], call.dims, strict=True) if any(w)))
    return (dims,)


def reshape(call: Call) -> tuple[Dims, ...]:
    """Reshape, as the layer of that name, if the batch dimension is kept."""
    if math.prod(call.sizes(call.dims)) != math.prod(call.output_shape):
        return call.opaque(_MIXES_EXAMPLES)
    dims = moved_to(call, call.output_shape)
    call.resize_shape("newshape", dims, with_batch=True)
    return (dims,)


def matmul(call: Call) -> tuple[Dims, ...]:
    """Matrix product over the last two dimensions; the dimensions before them are broadcast."""
    first, second = call.inputs
    if min(len(first), len(second)) < 2:
        return call.opaque("multiplies by vectors")
    before = broadcast(call, [first[:-2], second[:-2]], call.output_shape[:-2])
    return product(call, (*before, first[-2], second[-1]), first[-1], second[-2])


OPERATIONS: Mapping[str, Handler] = {
    **dict.fromkeys(_ACTIVATIONS, Handler(elementwise, in_place=True)),
    **dict.fromkeys(_OF_ONE_TENSOR, Handler(elementwise)),
    **dict.fromkeys(_OF_SEVERAL_TENSORS, Handler(merge, constants=True)),
    **dict.fromkeys(_REDUCTIONS, Handler(reduction)),
    "Sum": Handler(total),
    **dict.fromkeys(("Cumprod", "Cumsum", "Flip", "Roll"), Handler(along_positions)),
    **dict.fromkeys(("LogSoftmax", "Softmax", "Sparsemax"), Handler(softmax)),
    "Transpose": Handler(transpose),
    "Swapaxes": Handler(swapaxes),
    "Stack": Handler(stack),
    "Split": Handler(split),
    "Glu": Handler(gated),
    "Pad": Handler(pad),
    "Reshape": Handler(reshape, in_place=True),
    "Matmul": Handler(matmul, constants=True),
    "Resize": Handler(spatial),
    "ExpandDims": Handler(expand_dims),
    "Squeeze": Handler(squeeze),
    "GetItem": Handler(get_item),
    "Concatenate": Handler(concatenate, constants=True),
}
"""Handlers by the name of the operation's class, which is private in Keras."""
