"""The axes of the tensors of a .tflite file as functions of the widths of a network's groups.

The axis of the output channels of each kernel is that of the layer to which the kernel belongs. All other axes follow
from the operators, each of which says how the axes of its outputs are made of those of its inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from reds_core.errors import UnsupportedError
from reds_core.network import Axis, Fixed, concat, repeat, tile
from reds_litert.channels import EACH_BY_ITSELF, OF_PAIRS
from reds_litert.graph import FileGraph, FileOperator
from reds_litert.kernel_operators import CONV, DENSE, DEPTHWISE, WITH_KERNELS, channel_axis
from reds_litert.schema import WEIGHTS

TensorAxes = tuple[Axis, ...]
"""The axis of each dimension of a tensor."""
SHAPED = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators that only change the shape of a tensor."""
REDUCING = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")


def followed_axes(graph: FileGraph, outputs: Mapping[int, Axis], channels: Mapping[str, int]) -> dict[int, TensorAxes]:
    """Return the axes of the tensors that depend on the widths of groups, constants among them, by index.

    Args:
        graph: The graph of the file at full width.
        outputs: The axis of the output channels of each kernel that is found, by the index of the kernel's tensor.
        channels: The full width of each group.

    Raises:
        UnsupportedError: If an operator reads pruned channels, and what it makes of them is not known.
    """
    follower = _Follower(graph, outputs, channels)
    for operator in graph.operators:
        follower.follow(operator)
    return follower.axes


def is_moving(axes: Sequence[Axis]) -> bool:
    """Whether the lengths of some axes depend on the widths of groups."""
    return any(axis.groups() for axis in axes)


def regrouped(axes: TensorAxes, full: Sequence[int], new: Sequence[int]) -> TensorAxes | None:
    """Return the axes after a reshape, or None if that is not known.

    Args:
        axes: The axes before, of which one depends on widths.
        full: The full shape before.
        new: The full shape after.
    """
    moving = [place for place, axis in enumerate(axes) if axis.groups()]
    if len(moving) != 1 or math.prod(full) != math.prod(new):
        return None
    place = moving[0]
    before, after = math.prod(full[:place]), math.prod(full[place + 1 :])
    for at, length in enumerate(new):
        tiles, repeats = before // math.prod(new[:at]), after // math.prod(new[at + 1 :])
        if length == tiles * full[place] * repeats and full[place] > 1:
            axis = tile(repeat(axes[place], repeats), tiles)
            return tuple(axis if index == at else Fixed(n) for index, n in enumerate(new))
    return None


class _Follower:
    """Follows axes through a graph, one operator after the other.

    Attributes:
        axes: The axes of the tensors that depend on widths, by index.
    """

    def __init__(self, graph: FileGraph, outputs: Mapping[int, Axis], channels: Mapping[str, int]) -> None:
        self._graph, self._outputs, self._channels = graph, outputs, channels
        self.axes: dict[int, TensorAxes] = {}

    def follow(self, operator: FileOperator) -> None:
        """Find the axes of the outputs of an operator, and of the constants that it reads.

        Raises:
            UnsupportedError: If that is not known.
        """
        if operator.kind in WITH_KERNELS:
            self._follow_kernel(operator)
            return
        if not any(index in self.axes for index in operator.inputs):
            return
        rule = _RULES.get(operator.kind)
        results = None if rule is None else rule(self, operator)
        if results is None:
            raise self._unknown(operator)
        for index, axes in zip(operator.outputs, results, strict=True):
            self._found(operator, index, axes)

    def of(self, index: int) -> TensorAxes:
        """The axes of a tensor."""
        return self.axes.get(index) or tuple(Fixed(length) for length in self.shape(index))

    def shape(self, index: int) -> tuple[int, ...]:
        """The full shape of a tensor."""
        return self._graph.tensors[index].shape

    def computed(self, operator: FileOperator) -> list[int]:
        """The inputs of an operator that are not constants."""
        return [index for index in operator.inputs if index >= 0 and self._graph.tensors[index].data is None]

    def numbers(self, index: int) -> list[int] | None:
        """The elements of a constant of integers; None if the tensor is computed."""
        data = self._graph.tensors[index].data
        return None if data is None else [int(number) for number in np.ravel(data)]

    def cut(self, operator: FileOperator, index: int, axes: TensorAxes) -> None:
        """Give a constant its axes.

        Raises:
            UnsupportedError: If it has others, since another operator reads it as well.
        """
        if index < 0 or not is_moving(axes):
            return
        if self.axes.setdefault(index, axes) != axes:
            raise self._unknown(operator)

    def _found(self, operator: FileOperator, index: int, axes: TensorAxes) -> None:
        shape = self.shape(index)
        fitted = [axis if axis.groups() else Fixed(length) for axis, length in zip(axes, shape, strict=False)]
        if tuple(axis.full(self._channels) for axis in fitted) != shape:
            raise self._unknown(operator)
        if is_moving(fitted):
            self.axes[index] = tuple(fitted)

    def _follow_kernel(self, operator: FileOperator) -> None:
        source, kernel = operator.inputs[0], operator.inputs[WEIGHTS]
        given, shape = self.of(source), self.shape(kernel)
        axis = self._outputs.get(kernel, Fixed(shape[channel_axis(operator.kind)]))
        if not is_moving((*given, axis)):
            return
        last: Axis | None = given[-1]
        if operator.kind == DENSE and self.shape(source)[-1] != shape[-1]:
            count = math.prod(self.shape(source)) // shape[-1]
            flat = regrouped(given, self.shape(source), (count, shape[-1])) if is_moving(given) else (Fixed(shape[-1]),)
            last = None if flat is None else flat[-1]
        is_known = operator.kind == DENSE or (operator.kind in (CONV, DEPTHWISE) and not is_moving(given[:-1]))
        if not is_known or last is None:
            raise self._unknown(operator)
        if operator.kind == DEPTHWISE:
            multiplier = shape[-1] // self.shape(source)[-1]
            axis = repeat(last, multiplier)
            axes: TensorAxes = (*map(Fixed, shape[:-1]), axis)
        elif operator.kind == CONV and self.shape(source)[-1] != shape[-1]:  # a grouped convolution
            raise self._unknown(operator)
        else:
            axes = (axis, *map(Fixed, shape[1:-1]), last)
        self.cut(operator, kernel, axes)
        for bias in operator.inputs[WEIGHTS + 1 :]:
            self.cut(operator, bias, (axis,))
        result = self.shape(operator.outputs[0])
        self._found(operator, operator.outputs[0], (*map(Fixed, result[:-1]), axis))

    def _unknown(self, operator: FileOperator) -> UnsupportedError:
        return UnsupportedError(
            f"it is not known which channels operator {operator.kind} passes on when channels before it are removed",
            "choose another model, or give budgets of other resources",
        )


def _kept(follower: _Follower, operator: FileOperator) -> list[TensorAxes] | None:
    source = follower.computed(operator)[0]
    axes = follower.of(source)
    same = [
        not axis.groups() or before == after
        for axis, before, after in zip(axes, follower.shape(source), follower.shape(operator.outputs[0]), strict=False)
    ]
    return [axes] * len(operator.outputs) if all(same) else None


def _combined(follower: _Follower, operator: FileOperator) -> list[TensorAxes] | None:
    """The axes of operands whose shapes are aligned at their ends."""
    shape = follower.shape(operator.outputs[0])
    found: list[Axis] = [Fixed(length) for length in shape]
    for index in follower.computed(operator):
        axes = follower.of(index)
        for back in range(1, len(axes) + 1):
            if axes[-back].groups():
                if found[-back].groups() and found[-back].length() != axes[-back].length():
                    return None
                found[-back] = axes[-back]
    for index in operator.inputs:
        if index not in follower.computed(operator):
            own = follower.shape(index)
            aligned = found[len(found) - len(own) :]
            follower.cut(operator, index, tuple(a if n > 1 else Fixed(n) for a, n in zip(aligned, own, strict=True)))
    return [tuple(found)]


def _concatenated(follower: _Follower, operator: FileOperator) -> list[TensorAxes] | None:
    axes = list(follower.of(follower.computed(operator)[0]))
    axis = int(operator.options.axis) % len(axes)
    parts = tuple(follower.of(index)[axis] for index in operator.inputs)
    others = [[a for at, a in enumerate(follower.of(index)) if at != axis] for index in operator.inputs]
    if any(is_moving(other) for other in others):
        return None
    axes[axis] = concat(parts)
    return [tuple(axes)]


def _reshaped(follower: _Follower, operator: FileOperator) -> list[TensorAxes] | None:
    source = operator.inputs[0]
    axes = regrouped(follower.of(source), follower.shape(source), follower.shape(operator.outputs[0]))
    return None if axes is None else [axes]


def _transposed(follower: _Follower, operator: FileOperator) -> list[TensorAxes] | None:
    order = follower.numbers(operator.inputs[1])
    return None if order is None else [tuple(follower.of(operator.inputs[0])[place] for place in order)]


def _reduced(follower: _Follower, operator: FileOperator) -> list[TensorAxes] | None:
    axes, numbers = follower.of(operator.inputs[0]), follower.numbers(operator.inputs[1])
    if numbers is None:
        return None
    gone = {number % len(axes) for number in numbers}
    if operator.options is not None and operator.options.keepDims:
        return [tuple(Fixed(1) if at in gone else axis for at, axis in enumerate(axes))]
    return [tuple(axis for at, axis in enumerate(axes) if at not in gone)]


def _padded(follower: _Follower, operator: FileOperator) -> list[TensorAxes] | None:
    """The axes of a padded tensor, to whose channels zeros may be added as well."""
    numbers = follower.numbers(operator.inputs[1])
    if numbers is None:
        return None
    padded: list[Axis] = []
    for place, axis in enumerate(follower.of(operator.inputs[0])):
        before, after = numbers[2 * place : 2 * place + 2]
        padded.append(concat((*((Fixed(before),) if before else ()), axis, *((Fixed(after),) if after else ()))))
    return [tuple(padded)]


_RULES: dict[str, Callable[[_Follower, FileOperator], list[TensorAxes] | None]] = {
    **dict.fromkeys((kind for kind in EACH_BY_ITSELF if kind != "SLICE"), _kept),
    **dict.fromkeys(OF_PAIRS, _combined),
    **dict.fromkeys(REDUCING, _reduced),
    **dict.fromkeys(SHAPED, _reshaped),
    **dict.fromkeys(("PAD", "PADV2"), _padded),
    "CONCATENATION": _concatenated,
    "TRANSPOSE": _transposed,
}
