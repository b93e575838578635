"""From numbers on weights to numbers on channels: the sums that weight-based scorers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.network import Network


def attribute_to_channels(
    network: Network, importance: Mapping[int, npt.NDArray[np.floating[Any]]]
) -> dict[str, npt.NDArray[np.float64]]:
    """For each group float64 (channels,): the sum of `importance` over the weights that produce a channel.

    A weight produces the channels on the output axis of its layer: the last axis of a convolution's kernel, its bias,
    the scale and offset of the batch norm behind it, a depthwise kernel.

    Args:
        importance: by index into `network.weights` an array of that weight's shape; weights not named count nothing.
    """
    channels = network.channels
    sums = {g.name: np.zeros(g.channels) for g in network.groups}
    for index, array in importance.items():
        weight = network.weights[index]
        if weight.output_axis is None:
            continue
        axis = weight.axes[weight.output_axis]
        others = tuple(d for d in range(array.ndim) if d != weight.output_axis)
        by_position = array.sum(axis=others, dtype=np.float64)
        for group in axis.groups():
            owner = axis.owners(group, channels)
            np.add.at(sums[group], owner[owner >= 0], by_position[owner >= 0])
    return sums
