"""Framework-neutral description of a network in terms of channel axes.

Costs, scores and slicing all refer to the channels along the dimensions of tensors and weights.
"""

from __future__ import annotations

from reds_core.network.axis import Axis, Channels, Fixed, Kept
from reds_core.network.branches import ResidualBranch, residual_branches, without_branches, without_channels
from reds_core.network.builder import NetworkBuilder, Value
from reds_core.network.description import Buffer, ChannelGroup, Layer, MacsTerm, Network, Tensor, Weight, WeightKind
from reds_core.network.dims import Dims, blocks, fixed_dims, reshaped
from reds_core.network.exits import are_exits, exit_name, exit_names
from reds_core.network.grouping import concat, repeat, tile

__all__ = [
    "Axis",
    "Buffer",
    "ChannelGroup",
    "Channels",
    "Dims",
    "Fixed",
    "Kept",
    "Layer",
    "MacsTerm",
    "Network",
    "NetworkBuilder",
    "ResidualBranch",
    "Tensor",
    "Value",
    "Weight",
    "WeightKind",
    "are_exits",
    "blocks",
    "concat",
    "exit_name",
    "exit_names",
    "fixed_dims",
    "repeat",
    "reshaped",
    "residual_branches",
    "tile",
    "without_branches",
    "without_channels",
]
