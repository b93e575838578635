"""How the channels that a group keeps stand for all its channels, and what that makes of the weights of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray, IntArray
from reds_core.network.axis import Combined
from reds_core.network.description import Network, Weight, WeightKind

DROPPED = -1
"""The cluster of a channel that no other stands for."""


@dataclass(frozen=True)
class RealisedGroup:
    """How the width of a group was realised, as runs record it.

    Attributes:
        by: The realisation: "drop", or the name of a plugin.
        kept: For each new channel the channel of the input model that represents it.
        clusters: For each channel of the input model the new channel that stands for it, or -1 if none does.
        reason: Why channels were dropped although they were to be merged, as a clause; empty otherwise.
    """

    by: str
    kept: tuple[int, ...]
    clusters: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Joining:
    """How the channels that a group keeps stand for all its channels.

    The weights that compute the channels are combined, so that each new channel is a linear combination of channels.
    The weights that read them are expanded, so that a reader sees a combination of new channels in place of each
    channel. Dropping channels is the special case in which both matrices select.

    Attributes:
        kept: For each new channel the channel that represents it, which is nearest to it, int64 (new channels,).
        clusters: For each channel the new channel that stands for it, or -1 if none does, int64 (channels,).
        combine: The coefficients of each new channel, float64 (new channels, channels).
        expand: The new channels that readers see in place of each channel, float64 (channels, new channels).
        own: Coefficients of single weights that compute the channels in place of `combine`, by index in
            `Network.weights`, such as those of a batch norm whose statistics were repaired.
        reason: Why channels are dropped although they were to be merged, as a clause; empty otherwise.
    """

    kept: IntArray
    clusters: IntArray
    combine: FloatArray
    expand: FloatArray
    own: Mapping[int, FloatArray] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def dropping(cls, channels: int, kept: IntArray, reason: str = "") -> Joining:
        """Return the joining that keeps some channels as they are, and drops the others.

        Args:
            channels: The number of channels of the group.
            kept: The channels that are kept, in their new order.
            reason: Why they are not merged.
        """
        kept = np.asarray(kept, np.int64)
        select = np.eye(channels)[kept]
        clusters = np.full(channels, DROPPED, np.int64)
        clusters[kept] = np.arange(len(kept))
        return cls(kept, clusters, select, select.T.copy(), reason=reason)

    @property
    def merges(self) -> bool:
        """Whether some channels were merged: fewer new channels stand for all channels."""
        return len(self.kept) < len(self.clusters) and bool(np.all(self.clusters != DROPPED))

    def record(self, by: str) -> RealisedGroup:
        """Return the record of the joining.

        Args:
            by: The realisation that it comes from.
        """
        kept, clusters = (tuple(int(n) for n in numbers) for numbers in (self.kept, self.clusters))
        return RealisedGroup(by, kept, clusters, self.reason)


def reads_channels(weight: Weight, dimension: int) -> bool:
    """Whether a weight reads the channels along one of its dimensions. Otherwise, it computes or adjusts them.

    A kernel reads along all dimensions but that of its outputs. A depthwise kernel computes each channel from that
    channel alone, so it does not read in this sense.

    Args:
        weight: The description of the weight.
        dimension: The index of the dimension.
    """
    computes = dimension == weight.output_axis or dimension in (weight.scale_axes or ())
    return weight.kind is WeightKind.KERNEL and not computes


def joined_weights(
    network: Network, weights: Sequence[npt.NDArray[Any]], joinings: Mapping[str, Joining]
) -> list[npt.NDArray[Any]]:
    """Return the weights of a network whose channels are joined, in the dtypes of the given weights.

    Args:
        network: The description of the network.
        weights: Its weights, in the order of `network.weights`.
        joinings: The joining of each group. Groups that are not named keep all their channels as they are.
    """
    return [
        _joined(network, index, np.asarray(array), joinings).astype(np.asarray(array).dtype)
        for index, array in enumerate(weights)
    ]


def _joined(network: Network, index: int, array: npt.NDArray[Any], joinings: Mapping[str, Joining]) -> FloatArray:
    weight, values = network.weights[index], array.astype(np.float64)
    reading: Combined = {group: joining.expand.T for group, joining in joinings.items()}
    computing: Combined = {group: joining.own.get(index, joining.combine) for group, joining in joinings.items()}
    for dimension, axis in enumerate(weight.axes):
        matrices = reading if reads_channels(weight, dimension) else computing
        values = axis.combined(values, dimension, matrices, network.channels)
    return values
