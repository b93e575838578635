"""How operators of .tflite files pass on channels: which elements of a full tensor those of a pruned one are.

Each axis of a tensor is followed by itself. Where a pruned network has as many elements as the full one, these are the
same elements; the rules below are for axes that are shorter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reds_core.arrays import IntArray


@dataclass(frozen=True, eq=False)
class Channels:
    """The elements of an axis of the full tensor that the pruned tensor keeps.

    Attributes:
        indices: Their indices, int64 (length of the pruned axis,).
        maker: The operator whose output channels these are if they were assumed to be its first ones; None if they
            follow from the graph.
    """

    indices: IntArray
    maker: int | None = None


Axes = tuple[Channels | None, ...]
"""The elements that are kept of each axis of a tensor; None for an axis that cannot be followed."""


@dataclass(frozen=True, eq=False)
class Source:
    """An input of an operator in both networks.

    Attributes:
        axes: Its elements.
        full: Its shape in the full network.
        pruned: Its shape in the pruned network.
        full_data: Its value in the full network if it is a constant.
        pruned_data: Its value in the pruned network if it is a constant.
    """

    axes: Axes
    full: tuple[int, ...]
    pruned: tuple[int, ...]
    full_data: npt.NDArray[Any] | None
    pruned_data: npt.NDArray[Any] | None

    @property
    def is_constant(self) -> bool:
        """Whether it is a constant."""
        return self.pruned_data is not None

    @property
    def last(self) -> Channels | None:
        """The elements of its last axis."""
        return self.axes[-1] if self.axes else None


class Decided(Protocol):
    """What learns which output channels an operator has kept, where these are not its first ones."""

    def __call__(self, channels: Channels | None, indices: IntArray) -> Channels | None:
        """Return the channels after giving the operator that makes them other indices, if those were assumed."""


@dataclass(frozen=True, eq=False)
class Step:
    """An operator in both networks.

    Attributes:
        kind: Its kind.
        options: Its options in the pruned network.
        sources: Its inputs.
        full_results: The shapes of its outputs in the full network.
        pruned_results: The shapes of its outputs in the pruned network.
        decided: What learns which channels operators before it have kept.
    """

    kind: str
    options: Any
    sources: tuple[Source, ...]
    full_results: tuple[tuple[int, ...], ...]
    pruned_results: tuple[tuple[int, ...], ...]
    decided: Decided


def same(length: int) -> Channels:
    """All elements of an axis."""
    return Channels(np.arange(length))


def passed_on(step: Step) -> list[Axes] | None:
    """Return the elements of each output of an operator, or None if there is no rule for it.

    Axes that are as long as in the full network need no rule, and what is returned for them is not used.
    """
    rule = _RULES.get(step.kind)
    return None if rule is None else rule(step)


def regrouped(axes: Axes, full: Sequence[int], full_new: Sequence[int], pruned_new: Sequence[int]) -> Axes:
    """Return the elements of each axis after a reshape.

    Args:
        axes: The elements of each axis before.
        full: The shape of the full tensor before.
        full_new: Its shape after.
        pruned_new: The shape of the pruned tensor after.
    """
    unknown: Axes = (None,) * len(pruned_new)
    if any(channels is None for channels in axes):
        return unknown
    kept = [channels.indices for channels in axes if channels is not None]
    if math.prod(len(indices) for indices in kept) != math.prod(pruned_new) or math.prod(full) != math.prod(full_new):
        return unknown
    flat = np.zeros((), np.int64)
    for indices, length in zip(kept, full, strict=True):
        flat = flat[..., None] * length + indices
    places = np.unravel_index(flat.reshape(tuple(pruned_new)), tuple(full_new))
    found: list[Channels | None] = []
    for axis, place in enumerate(places):
        line = np.moveaxis(place, axis, -1)
        indices = line.reshape(-1, line.shape[-1])[0]
        is_alone = bool((line == indices).all())
        maker = axes[-1].maker if axes and axes[-1] is not None and axis == len(places) - 1 else None
        is_passed = maker is not None and np.array_equal(indices, kept[-1])
        found.append(Channels(indices.astype(np.int64), maker if is_passed else None) if is_alone else None)
    return tuple(found)


def _kept(step: Step) -> list[Axes]:
    """The elements of the first computed input, for operators that work on each channel by itself."""
    source = next((source for source in step.sources if not source.is_constant), None)
    return [source.axes if source is not None and len(source.axes) == len(shape) else () for shape in step.full_results]


def _combined(step: Step) -> list[Axes]:
    """Those of all computed inputs, whose shapes are aligned at their ends."""
    result: list[Channels | None] = []
    for axis in range(1, len(step.full_results[0]) + 1):
        found: Channels | None = None
        for source in step.sources:
            if source.is_constant or axis > len(source.axes) or source.full[-axis] == 1:
                continue
            other = source.axes[-axis]
            if found is None or other is None:
                found = found or other
            elif np.array_equal(found.indices, other.indices):
                found = found if found.maker is None else other
            elif found.maker is None and other.maker is None:
                return [(None,) * len(step.full_results[0])]
            else:
                fixed, assumed = (found, other) if found.maker is None else (other, found)
                found = step.decided(assumed, fixed.indices)
        result.append(found)
    return [tuple(reversed(result))]


def _concatenated(step: Step) -> list[Axes]:
    rank = len(step.full_results[0])
    axis = int(step.options.axis) % rank
    axes: list[Channels | None] = list(step.sources[0].axes)
    parts, start = [], 0
    for source in step.sources:
        channels = source.axes[axis]
        if channels is None:
            return [()]
        parts.append(channels.indices + start)
        start += source.full[axis]
    axes[axis] = Channels(np.concatenate(parts))
    return [tuple(axes)]


def _split(step: Step) -> list[Axes]:
    """The elements of the parts of an axis, of which each is pruned by itself."""
    data = next(source for source in step.sources if not source.is_constant)
    place = 0 if step.kind == "SPLIT" else 2
    axis = int(np.ravel(np.asarray(step.sources[place].pruned_data))[0]) % len(data.full)
    full, pruned = ([shape[axis] for shape in shapes] for shapes in (step.full_results, step.pruned_results))
    starts = np.cumsum([0, *full])
    parts = np.concatenate([start + np.arange(n) for start, n in zip(starts, pruned, strict=False)])
    channels = step.decided(data.axes[axis], parts)
    if channels is None:
        return [()] * len(full)
    cuts = np.cumsum([0, *pruned])
    result: list[Axes] = []
    for index, length in enumerate(full):
        indices = channels.indices[cuts[index] : cuts[index + 1]] - starts[index]
        is_inside = bool(((indices >= 0) & (indices < length)).all())
        axes = list(data.axes)
        axes[axis] = Channels(indices) if is_inside else None
        result.append(tuple(axes))
    return result


def _reshaped(step: Step) -> list[Axes]:
    source = step.sources[0]
    return [regrouped(source.axes, source.full, step.full_results[0], step.pruned_results[0])]


def _transposed(step: Step) -> list[Axes]:
    order = step.sources[1].pruned_data
    return [()] if order is None else [tuple(step.sources[0].axes[int(axis)] for axis in order)]


def _reduced(step: Step) -> list[Axes]:
    source, axes = step.sources[0], step.sources[1].pruned_data
    if axes is None:
        return [()]
    gone = {int(axis) % len(source.axes) for axis in np.ravel(axes)}
    if step.options is not None and step.options.keepDims:
        return [tuple(same(1) if axis in gone else each for axis, each in enumerate(source.axes))]
    return [tuple(each for axis, each in enumerate(source.axes) if axis not in gone)]


def _stacked(step: Step) -> list[Axes]:
    axes = list(step.sources[0].axes)
    axes.insert(int(step.options.axis) % (len(axes) + 1), same(len(step.sources)))
    return [tuple(axes)]


def _unstacked(step: Step) -> list[Axes]:
    axes = list(step.sources[0].axes)
    del axes[int(step.options.axis) % len(axes)]
    return [tuple(axes)] * len(step.full_results)


EACH_BY_ITSELF = (
    *("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "ELU", "GELU", "HARD_SWISH", "LOGISTIC", "TANH"),
    *("ABS", "NEG", "SQRT", "RSQRT", "SQUARE", "EXP", "LOG", "FLOOR", "CEIL", "ROUND", "SIN", "COS", "SIGN", "CAST"),
    *("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
    *("PAD", "PADV2", "MIRROR_PAD", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "STRIDED_SLICE", "SLICE"),
    *("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION", "QUANTIZE", "DEQUANTIZE"),
)
"""Operators after which a channel that was removed is still a channel that is removed, and no other is. Those that
could cut or pad channels are among them, because a result of another length is not used."""
OF_PAIRS = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW", "PRELU", "ADD_N")
_RULES: dict[str, Callable[[Step], list[Axes]]] = {
    **dict.fromkeys(EACH_BY_ITSELF, _kept),
    **dict.fromkeys(OF_PAIRS, _combined),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"), _reduced),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), _reshaped),
    **dict.fromkeys(("SPLIT", "SPLIT_V"), _split),
    "CONCATENATION": _concatenated,
    "TRANSPOSE": _transposed,
    "PACK": _stacked,
    "UNPACK": _unstacked,
}
