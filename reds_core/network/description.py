"""Framework-neutral description of a network: layers in execution order, tensors, weights and channel groups.

Tensors and weights refer to axes (`reds_core.network.axis`), so costs, scores, permutation and extraction need not know
any layer types.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from reds_core.network.axis import Axis


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only be pruned together.

    Attributes:
        name: name of the first layer that produces them.
        channels: number of channels.
        layers: names of the layers whose outputs consist of these channels, in execution order.
    """

    name: str
    channels: int
    layers: tuple[str, ...]


class WeightKind(Enum):
    """The role of a weight in its layer, by which scorers select weights."""

    KERNEL = "kernel"
    BIAS = "bias"
    SCALE = "scale"
    OFFSET = "offset"
    STATISTIC = "statistic"
    OTHER = "other"


@dataclass(frozen=True)
class Weight:
    """A weight array of the network. A weight that several calls share is listed once.

    Attributes:
        name: name that is unique in the network, such as "conv2d/kernel".
        layer: name of the layer that owns it.
        kind: role of the weight.
        axes: one channel axis for each dimension of the array.
        output_axis: index of the dimension along the output channels of its layer, or None if there is none.
        trainable: whether training updates it by gradients.
        bits: number of bits of each element on the device, or None for the element size of the run.
        scale_axes: indices of the dimensions along which each position has a scale of its own in files of integers, or
            None for `output_axis` alone. A depthwise convolution has one for each channel and multiple of it.
        shape: shape of the array at full width; empty if it is unknown. `NetworkBuilder.finish` fills it in.
        density_percent: percentage of the elements that the device stores, 1 to 100. The others are zero. How the
            device finds out which they are, such as by a mask of bits, is a weight of its own.
        value_bits: number of bits of the values that it computes with, if elements are codes that a device looks up;
            None if elements are the values.
    """

    name: str
    layer: str
    kind: WeightKind
    axes: tuple[Axis, ...]
    output_axis: int | None
    trainable: bool
    bits: int | None = None
    scale_axes: tuple[int, ...] | None = None
    shape: tuple[int, ...] = ()
    density_percent: int = 100
    value_bits: int | None = None

    @property
    def scales_along(self) -> tuple[int, ...]:
        """Indices of the dimensions along which each position has a scale of its own; none for a single scale."""
        if self.scale_axes is not None:
            return self.scale_axes
        return () if self.output_axis is None else (self.output_axis,)

    @property
    def has_gradient(self) -> bool:
        """Whether the loss has a gradient with respect to the weight, whether or not the weight is trainable."""
        return self.kind is not WeightKind.STATISTIC


@dataclass(frozen=True)
class Tensor:
    """An activation tensor, without its batch dimension.

    Attributes:
        positions: number of elements per channel (height x width for a feature map).
        axis: its channel axis.
        storage: index of its memory. The output of an in-place layer has the same storage as the input.
        dimension: index of the channel dimension, counted from the end: -1 is the last.
        bits: number of bits of each element on the device, or None for the element size of the run.
    """

    positions: int
    axis: Axis
    storage: int
    dimension: int = -1
    bits: int | None = None


@dataclass(frozen=True)
class MacsTerm:
    """A number of multiply-accumulates: `coefficient` x the product of the lengths of `factors` (one or two axes)."""

    coefficient: int
    factors: tuple[Axis, ...]


@dataclass(frozen=True)
class Buffer:
    """A tensor inside a layer, of `elements` elements for each position of `axis`."""

    elements: int
    axis: Axis


@dataclass(frozen=True)
class Layer:
    """One call of a layer.

    Attributes:
        name: name of the layer; all calls of a shared layer have the same name.
        kind: type of the layer, such as "Conv2D".
        inputs, outputs: indices into `Network.tensors`.
        weights: indices into `Network.weights`.
        macs: multiply-accumulates of this call.
        output_shape: shape of the first output at full width, without the batch dimension.
        inside: for each inner step, the tensors that are in memory in addition to the inputs; outputs come last.
        is_identity: whether its output is its input when the network is used, as for dropout.
        is_activated: whether it applies a function that is not linear to what it computes from its weights.
        input_shape: shape of the first input at full width, without the batch dimension; empty if it has no input.
        epsilon: what a batch norm adds to the variance of each channel before the root. None for other layers.
            The statistics of a batch norm are the mean and the variance, in this order.
        mixes_channels: whether what it computes of a channel depends on other channels in ways that are not linear, as
            for a normalisation over channels.
        may_be_in_place: whether its first output can take the memory of its first input if nothing else needs that.
        is_sum: whether its only output is the sum of its inputs, which have the same shape, element by element.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weights: tuple[int, ...]
    macs: tuple[MacsTerm, ...]
    output_shape: tuple[int | None, ...]
    inside: tuple[tuple[Buffer, ...], ...] = ()
    is_identity: bool = False
    is_activated: bool = False
    input_shape: tuple[int | None, ...] = ()
    epsilon: float | None = None
    mixes_channels: bool = False
    may_be_in_place: bool = False
    is_sum: bool = False


@dataclass(frozen=True)
class Network:
    """A network as costs, scorers and solvers see it.

    Attributes:
        groups: the channel groups that may be pruned, in execution order.
        layers: all layer calls, in execution order.
        inputs, outputs: indices into `tensors`.
        warnings: parts that stay at full width and the reasons, one sentence each.
        skippable: names of the groups that may have no channels at all. The residual branch that a group is inside is
            then not executed, see `reds_core.network.branches`.
    """

    name: str
    groups: tuple[ChannelGroup, ...]
    layers: tuple[Layer, ...]
    tensors: tuple[Tensor, ...]
    weights: tuple[Weight, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    warnings: tuple[str, ...] = ()
    skippable: tuple[str, ...] = ()

    @cached_property
    def channels(self) -> Mapping[str, int]:
        """The full number of channels of each group, by name."""
        return {g.name: g.channels for g in self.groups}

    @cached_property
    def prunable_share(self) -> float:
        """The share of the parameters, 0 to 1, that belong to weights with at least one prunable axis."""
        sizes = [math.prod(axis.full(self.channels) for axis in weight.axes) for weight in self.weights]
        prunable = sum(n for n, w in zip(sizes, self.weights, strict=True) if any(axis.groups() for axis in w.axes))
        return prunable / sum(sizes) if prunable else 0.0
