"""From numbers on weights to numbers on channels and kernels: the sums that weight-based scorers share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import UnsupportedError
from reds_core.framework.framework import WeightArrays
from reds_core.network.axis import Axis, Kept
from reds_core.network.description import Network, Weight

Importance = Mapping[int, npt.NDArray[np.floating[Any]]]
"""By index into `Network.weights` an array of that weight's shape."""


def attribute_to_channels(network: Network, importance: Importance) -> dict[str, FloatArray]:
    """For each group float64 (channels,): the sum of `importance` over the weights that produce a channel.

    A weight produces the channels on the output axis of its layer: the last axis of a convolution's kernel, its bias,
    the scale and offset of the batch norm behind it, a depthwise kernel.

    Args:
        importance: weights not named count nothing.
    """
    sums = {g.name: np.zeros(g.channels) for g in network.groups}
    for index, array in importance.items():
        output = network.weights[index].output_axis
        if output is not None:
            _add(sums, network, network.weights[index].axes[output], _summed(array, (output,)))
    return sums


def attribute_to_readers(network: Network, importance: Importance) -> dict[str, FloatArray]:
    """For each group float64 (channels,): the sum of `importance` over the weights that read a channel.

    A weight reads the channels on the axes of a kernel that are not its output axis. With gradient x weight this is the
    gradient by a gate on the channel where it is read: by what its removal changes, to first order.
    """
    sums = {g.name: np.zeros(g.channels) for g in network.groups}
    for index, array in importance.items():
        for axis in _reading(network.weights[index]):
            _add(sums, network, network.weights[index].axes[axis], _summed(array, (axis,)))
    return sums


def attribute_to_kernels(
    network: Network, importance: Importance
) -> tuple[dict[str, FloatArray], dict[tuple[str, str], FloatArray]]:
    """The sum of `importance` over every weight that a subnetwork holds, by what it must keep to hold it.

    Returns:
        for each group float64 (channels,): the weights that hang on one of its channels (biases, batch norms, depthwise
            kernels, kernels between the channel and what always stays, such as the network's input or outputs);
        by (input group, output group) float64 (channels, channels): the weights that join two channels, of every layer
            between the two groups, pointwise or not. A group may be joined to itself.
    """
    channels = network.channels
    single = {g.name: np.zeros(g.channels) for g in network.groups}
    double: dict[tuple[str, str], FloatArray] = {}
    for index, array in importance.items():
        weight = network.weights[index]
        moving = [i for i, axis in enumerate(weight.axes) if axis.groups()]
        if weight.output_axis in moving:
            moving = [*(i for i in moving if i != weight.output_axis), weight.output_axis]
        if not moving:
            continue
        if len(moving) > 2:
            raise AssertionError(f"weight '{weight.name}' has more than two pruned axes")
        sums = _summed(array, tuple(moving))
        inner, outer = (weight.axes[moving[0]], weight.axes[moving[-1]])
        if len(moving) == 1:
            _add(single, network, inner, sums)
            continue
        _add(single, network, outer, sums[_fixed(inner, channels)].sum(axis=0))
        _add(single, network, inner, sums[:, _fixed(outer, channels)].sum(axis=1))
        for a in inner.groups():
            rows = inner.owners(a, channels)
            for b in outer.groups():
                columns = outer.owners(b, channels)
                table = double.setdefault((a, b), np.zeros((channels[a], channels[b])))
                np.add.at(table, np.ix_(rows[rows >= 0], columns[columns >= 0]), sums[np.ix_(rows >= 0, columns >= 0)])
    return single, double


def filters(network: Network, weights: Mapping[int, npt.NDArray[np.floating[Any]]]) -> dict[str, FloatArray]:
    """For each group float64 (channels, weights a channel): the given weights that produce a channel, side by side.

    Args:
        weights: arrays by index into `network.weights`.
    """
    channels = network.channels
    columns: dict[str, list[FloatArray]] = {g.name: [np.zeros((g.channels, 0))] for g in network.groups}
    for index, array in weights.items():
        weight = network.weights[index]
        if weight.output_axis is None:
            continue
        axis = weight.axes[weight.output_axis]
        by_position = np.moveaxis(array, weight.output_axis, 0).reshape(array.shape[weight.output_axis], -1)
        for group in axis.groups():
            owner = axis.owners(group, channels)
            positions = np.flatnonzero(owner >= 0)
            # every channel has as many positions; those of one channel are brought together, in their order
            positions = positions[np.argsort(owner[positions], kind="stable")]
            columns[group].append(by_position[positions].astype(np.float64).reshape(channels[group], -1))
    return {group: np.concatenate(parts, axis=1) for group, parts in columns.items()}


def masked(network: Network, weights: WeightArrays, kept: Kept) -> WeightArrays:
    """Copies of `weights` with what reads a channel that is not in `kept` set to zero: such a network computes what the
    network without these channels does. Groups not named stay whole.
    """
    copies = [array.copy() for array in weights]
    for weight, array in zip(network.weights, copies, strict=True):
        for i in _reading(weight):
            axis = weight.axes[i]
            stays = np.zeros(array.shape[i], bool)
            stays[axis.positions(kept, network.channels)] = True
            array[(slice(None),) * i + (~stays,)] = 0
    return copies


def check_readers(network: Network, what: str) -> None:
    """Refuse a network that has a group whose channels no weight reads, as those of queries in a product of attention.

    Args:
        what: needs the readers, as "scorer 'fisher'".

    Raises:
        UnsupportedError: naming the first of them.
    """
    read = {g for weight in network.weights for i in _reading(weight) for g in weight.axes[i].groups()}
    for group in network.channels:
        if group not in read:
            raise UnsupportedError(
                f"no weight reads the channels of group '{group}', which {what} needs", "take another scorer: taylor"
            )


def _reading(weight: Weight) -> Iterator[int]:
    """The axes of `weight` along which channels are read."""
    if weight.output_axis is not None:
        yield from (i for i, axis in enumerate(weight.axes) if i != weight.output_axis and axis.groups())


def _summed(array: npt.NDArray[Any], axes: tuple[int, ...]) -> FloatArray:
    """`array` summed over all axes but `axes`, which are left in the order given."""
    others = tuple(i for i in range(array.ndim) if i not in axes)
    summed = array.sum(axis=others, dtype=np.float64)
    left = sorted(axes)
    result: FloatArray = np.transpose(summed, [left.index(i) for i in axes])
    return result


def _add(sums: Mapping[str, FloatArray], network: Network, axis: Axis, by_position: FloatArray) -> None:
    """Add numbers along an axis to the channels that stand there."""
    for group in axis.groups():
        owner = axis.owners(group, network.channels)
        np.add.at(sums[group], owner[owner >= 0], by_position[owner >= 0])


def _fixed(axis: Axis, channels: Mapping[str, int]) -> IntArray:
    """Positions of `axis` where no group's channel stands."""
    owned = np.zeros(axis.full(channels), bool)
    for group in axis.groups():
        owned |= axis.owners(group, channels) >= 0
    return np.flatnonzero(~owned)
