"""Framework-neutral description of a network: layers in execution order, tensors, weights, channel groups.

Everything that is counted or sliced refers to axes (`reds_core.network.axis`), so costs, scores, permutation and
extraction need no knowledge of layer types.
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
    """Channels that must go together.

    Attributes:
        name: of the first layer that produces them.
        channels: how many there are.
        layers: names of the layers whose output is made of them, in execution order.
    """

    name: str
    channels: int
    layers: tuple[str, ...]


class WeightKind(Enum):
    """What a weight is for; scorers choose by it."""

    KERNEL = "kernel"
    BIAS = "bias"
    SCALE = "scale"
    OFFSET = "offset"
    STATISTIC = "statistic"
    OTHER = "other"


@dataclass(frozen=True)
class Weight:
    """One weight of the network. A weight shared by several calls is listed once.

    Attributes:
        name: unique in the network, such as "conv2d/kernel".
        layer: name of the layer that owns it.
        kind: what it is for.
        axes: one axis of the channel algebra for each dimension of the array.
        output_axis: which dimension runs over the output channels of its layer; None where none does.
        trainable: whether training changes it by gradient.
    """

    name: str
    layer: str
    kind: WeightKind
    axes: tuple[Axis, ...]
    output_axis: int | None
    trainable: bool

    @property
    def has_gradient(self) -> bool:
        """Whether the loss has a gradient by it that says what it is worth: that of frozen weights counts as well."""
        return self.kind is not WeightKind.STATISTIC


@dataclass(frozen=True)
class Tensor:
    """An activation, without its batch dimension.

    Attributes:
        positions: elements for each channel (height x width for a feature map).
        axis: its channel axis.
        storage: tensors of one storage share memory. An in-place layer's output shares its input's.
        dimension: which of its dimensions the channel axis is, counted from the end: -1 is the last.
    """

    positions: int
    axis: Axis
    storage: int
    dimension: int = -1


@dataclass(frozen=True)
class MacsTerm:
    """coefficient x the product of the lengths of `factors` (one axis, or two), in multiply-accumulates."""

    coefficient: int
    factors: tuple[Axis, ...]


@dataclass(frozen=True)
class Buffer:
    """A tensor inside a layer: `elements` for each position of `axis`."""

    elements: int
    axis: Axis


@dataclass(frozen=True)
class Layer:
    """One call of a layer.

    Attributes:
        name: of the layer; calls of a shared layer have the same name.
        kind: its type, such as "Conv2D".
        inputs, outputs: indices into `Network.tensors`.
        weights: indices into `Network.weights`.
        macs: multiply-accumulates of this call.
        output_shape: of the first output at full width, without the batch dimension.
        inside: for each of its inner steps the tensors that are held beside its inputs; its outputs come last.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weights: tuple[int, ...]
    macs: tuple[MacsTerm, ...]
    output_shape: tuple[int | None, ...]
    inside: tuple[tuple[Buffer, ...], ...] = ()


@dataclass(frozen=True)
class Network:
    """A network as reds sees it.

    Attributes:
        groups: the channel groups that may be pruned, in execution order.
        layers: every call, in execution order.
        inputs, outputs: indices into `tensors`.
        warnings: what stays at full width and why, one sentence each.
    """

    name: str
    groups: tuple[ChannelGroup, ...]
    layers: tuple[Layer, ...]
    tensors: tuple[Tensor, ...]
    weights: tuple[Weight, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    warnings: tuple[str, ...] = ()

    @cached_property
    def channels(self) -> Mapping[str, int]:
        """Full number of channels of each group, by name."""
        return {g.name: g.channels for g in self.groups}

    @cached_property
    def prunable_share(self) -> float:
        """Share of the parameters, 0 to 1, that stand in weights with channels of a group on an axis."""
        sizes = [math.prod(axis.full(self.channels) for axis in weight.axes) for weight in self.weights]
        prunable = sum(n for n, w in zip(sizes, self.weights, strict=True) if any(axis.groups() for axis in w.axes))
        return prunable / sum(sizes) if prunable else 0.0
