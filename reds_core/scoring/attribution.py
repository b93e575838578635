"""Attribution of weight scores to channels and kernels: the sums that weight-based scorers share."""

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
"""Importance of the elements of weights: index into `Network.weights` -> array of the shape of that weight."""


def attribute_to_channels(network: Network, importance: Importance) -> dict[str, FloatArray]:
    """Sum `importance` over the weights that produce each channel.

    A weight produces the channels along its output axis: a kernel and a bias of a convolution, the scale and offset of
    the batch norm after it, a depthwise kernel.

    Args:
        network: the network whose channels are scored.
        importance: importance of weights; weights that are not named count as 0.

    Returns:
        Group name -> float64 (channels,).
    """
    sums = {g.name: np.zeros(g.channels) for g in network.groups}
    for index, array in importance.items():
        output = network.weights[index].output_axis
        if output is not None:
            _add(sums, network, network.weights[index].axes[output], _summed(array, (output,)))
    return sums


def attribute_to_readers(network: Network, importance: Importance) -> dict[str, FloatArray]:
    """Sum `importance` over the weights that read each channel.

    A weight reads the channels along all axes but its output axis. If the importance is gradient x weight, the sum is
    the gradient with respect to a gate at the point where the channel is read, that is, the effect of removing the
    channel to first order.

    Args:
        network: the network whose channels are scored.
        importance: importance of weights; weights that are not named count as 0.

    Returns:
        Group name -> float64 (channels,).
    """
    sums = {g.name: np.zeros(g.channels) for g in network.groups}
    for index, array in importance.items():
        for axis in _reading(network.weights[index]):
            _add(sums, network, network.weights[index].axes[axis], _summed(array, (axis,)))
    return sums


def attribute_to_kernels(
    network: Network, importance: Importance
) -> tuple[dict[str, FloatArray], dict[tuple[str, str], FloatArray]]:
    """Sum `importance` over all weights, by the channel or the pair of channels that a weight depends on.

    Returns:
        Group name -> float64 (channels,): weights that depend on one channel (biases, batch norms, depthwise kernels,
            kernels between the channel and an axis that is never pruned, such as the network's input or output).
        (Input group, output group) -> float64 (channels, channels): weights that connect two channels, of all layers
            between the two groups, pointwise or not. Both groups may be the same.
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
    """Collect the given weights that produce each channel, one row per channel.

    Args:
        network: the network whose channels are scored.
        weights: arrays by index into `network.weights`.

    Returns:
        Group name -> float64 (channels, weights per channel).
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
            # all channels have equally many positions; a stable sort brings those of each channel together
            positions = positions[np.argsort(owner[positions], kind="stable")]
            columns[group].append(by_position[positions].astype(np.float64).reshape(channels[group], -1))
    return {group: np.concatenate(parts, axis=1) for group, parts in columns.items()}


def masked(network: Network, weights: WeightArrays, kept: Kept) -> WeightArrays:
    """Copy `weights`, setting those that read a removed channel to zero.

    A network with these weights computes the same function as the network without the removed channels.

    Args:
        network: the network that the weights belong to.
        weights: its weights, in the order of `network.weights`.
        kept: the kept channels of each group; groups that are not named keep all their channels.
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
    """Check that the channels of every group are read by some weight; those of attention queries, for one, are not.

    Args:
        network: the network to check.
        what: the caller that relies on it, for the message, such as "scorer 'fisher'".

    Raises:
        UnsupportedError: if a group has channels that no weight reads; the message names the first such group.
    """
    read = {g for weight in network.weights for i in _reading(weight) for g in weight.axes[i].groups()}
    for group in network.channels:
        if group not in read:
            raise UnsupportedError(
                f"no weight reads the channels of group '{group}', which {what} needs",
                "use another scorer such as taylor",
            )


def _reading(weight: Weight) -> Iterator[int]:
    """Yield the indices of the axes of `weight` along which channels are read."""
    if weight.output_axis is not None:
        yield from (i for i, axis in enumerate(weight.axes) if i != weight.output_axis and axis.groups())


def _summed(array: npt.NDArray[Any], axes: tuple[int, ...]) -> FloatArray:
    """Sum `array` over all axes except `axes`, which the result has in the given order."""
    others = tuple(i for i in range(array.ndim) if i not in axes)
    summed = array.sum(axis=others, dtype=np.float64)
    remaining = sorted(axes)
    result: FloatArray = np.transpose(summed, [remaining.index(i) for i in axes])
    return result


def _add(sums: Mapping[str, FloatArray], network: Network, axis: Axis, by_position: FloatArray) -> None:
    """Add the values along an axis to the sums of the channels at its positions, in place."""
    for group in axis.groups():
        owner = axis.owners(group, network.channels)
        np.add.at(sums[group], owner[owner >= 0], by_position[owner >= 0])


def _fixed(axis: Axis, channels: Mapping[str, int]) -> IntArray:
    """Return the positions of `axis` that belong to no group."""
    owned = np.zeros(axis.full(channels), bool)
    for group in axis.groups():
        owned |= axis.owners(group, channels) >= 0
    return np.flatnonzero(~owned)
