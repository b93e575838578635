"""Builder of network descriptions, which a framework fills as it traces a model in execution order."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from reds_core.network.axis import Axis, Channels, Fixed
from reds_core.network.description import Buffer, ChannelGroup, Layer, MacsTerm, Network, Tensor, Weight
from reds_core.network.dims import Dims, fixed_dims
from reds_core.network.grouping import Grouping


@dataclass(frozen=True)
class Value:
    """A tensor of a network that is being built.

    Attributes:
        index: index into `Network.tensors`.
        dims: one axis for each dimension except the batch dimension, as known when the tensor was added.
    """

    index: int
    dims: Dims


class NetworkBuilder:
    """Collects the tensors, weights and layer calls of a network, and derives its channel groups from them.

    A framework calls `input` for each input, then `call` for each call of a layer in execution order, then `finish`.
    Axes come from `fresh` and from the dims of earlier values.
    """

    def __init__(self) -> None:
        self._grouping = Grouping()
        self._tensors: list[Dims] = []
        self._calls: list[Layer] = []
        self._weights: dict[Hashable, Weight] = {}
        self._declared: dict[Hashable, Dims] = {}
        self._freezes: list[tuple[Axis, str | None]] = []
        self._inputs: list[int] = []
        self._warnings: list[str] = []
        self._names: dict[str, Axis] = {}

    def fresh(self, channels: int) -> Axis:
        """Return the axis of a new group of `channels` channels."""
        return self._grouping.fresh(channels)

    def resolved(self, axis: Axis) -> Axis:
        """Return `axis` with all ties so far applied; after `finish`, with the group names of the network."""
        return self._grouping.resolved(axis).replaced(self._names)

    def length(self, axis: Axis) -> int:
        """Return the full length of `axis`, which must not use the group names of the finished network."""
        return self._grouping.length(axis)

    def tie(self, first: Axis, second: Axis, where: str) -> None:
        """Require both axes to keep the same positions; if that cannot be expressed, freeze both with a warning.

        Args:
            where: the place in the network, which begins the warning.

        Raises:
            ValueError: if the axes differ in length.
        """
        if not self._grouping.tie(first, second):
            self._warnings.append(f"{where} joins channels that lie in different orders, so they stay at full width")

    def freeze(self, axis: Axis, warning: str | None = None) -> None:
        """Keep all channels of the groups of `axis`. The warning is omitted if they are kept for another reason."""
        self._freezes.append((axis, warning))

    def warn(self, warning: str) -> None:
        """Add a warning to the network unconditionally."""
        self._warnings.append(warning)

    def declare(self, key: Hashable, dims: Dims, where: str) -> None:
        """Declare the dims of the object that `key` identifies. Repeated declarations are tied to the first one."""
        for known, axis in zip(self._declared.setdefault(key, dims), dims, strict=True):
            self.tie(known, axis, where)

    def declared(self, key: Hashable) -> Dims:
        """Return the dims that were declared for `key`, with all ties so far applied."""
        return tuple(self.resolved(axis) for axis in self._declared[key])

    def weight(self, key: Hashable, weight: Weight) -> None:
        """Add a weight. If it was added before (by a shared layer), its axes are tied to the earlier ones instead."""
        self._weights.setdefault(key, weight)
        self.declare(key, weight.axes, f"layer '{weight.layer}'")

    def input(self, shape: Sequence[int]) -> Value:
        """Add an input of the network, whose channels are never pruned, and return its tensor."""
        value = self._value(fixed_dims(shape))
        self._inputs.append(value.index)
        return value

    def call(
        self,
        name: str,
        kind: str,
        inputs: Sequence[Value],
        outputs: Sequence[Dims],
        weights: Iterable[Hashable] = (),
        macs: Iterable[MacsTerm] = (),
        in_place: bool = False,
        inside: Iterable[tuple[Buffer, ...]] = (),
        is_identity: bool = False,
        is_activated: bool = False,
        epsilon: float | None = None,
        mixes_channels: bool = False,
        is_sum: bool = False,
    ) -> tuple[Value, ...]:
        """Add a call of a layer, and return its output tensors.

        Args:
            weights: keys of weights that were added before.
            macs: multiply-accumulates of the call.
            in_place: whether the first output may use the storage of the first input.
            inside: for each inner step, the tensors that are in memory in addition to the inputs.
            is_identity: whether its output is its input when the network is used.
            is_activated: whether it applies a function that is not linear to what it computes from its weights.
            epsilon: what a batch norm adds to variances; None for other layers.
            mixes_channels: whether what it computes of a channel depends on others in ways that are not linear.
            is_sum: whether its only output is the sum of its inputs, which have the same shape.
        """
        order = list(self._weights)
        values = tuple(self._value(self.with_one_moving(dims, f"layer '{name}' of type {kind}")) for dims in outputs)
        layer = Layer(
            name=name,
            kind=kind,
            inputs=tuple(v.index for v in inputs),
            outputs=tuple(v.index for v in values),
            weights=tuple(order.index(key) for key in weights),
            macs=tuple(macs),
            output_shape=tuple(self.length(axis) for axis in outputs[0]),
            inside=tuple(inside),
            is_identity=is_identity,
            is_activated=is_activated,
            input_shape=tuple(self.length(axis) for axis in inputs[0].dims) if inputs else (),
            epsilon=epsilon,
            mixes_channels=mixes_channels,
            may_be_in_place=in_place,
            is_sum=is_sum,
        )
        self._calls.append(layer)
        return values

    def finish(self, name: str, outputs: Sequence[Value]) -> Network:
        """Return the network, whose outputs keep all their channels. Nothing may be added afterwards."""
        for value in outputs:
            for axis in value.dims:
                self._grouping.freeze(axis)
        for axis, warning in self._freezes:
            if self._grouping.freeze(axis) and warning is not None:
                self._warnings.append(warning)
        output_indices = tuple(v.index for v in outputs)
        groups = self._named_groups()
        storages = storages_of(self._calls, len(self._tensors), output_indices)
        network = Network(
            name=name,
            groups=groups,
            layers=tuple(map(self._resolved_layer, self._calls)),
            tensors=tuple(self._tensor(dims, storage) for dims, storage in zip(self._tensors, storages, strict=True)),
            weights=tuple(map(self._weight, self._weights.values())),
            inputs=tuple(self._inputs),
            outputs=output_indices,
        )
        stays = f"{network.prunable_share:.0%} of the parameters stay prunable"
        return replace(network, warnings=tuple(f"{w} ({stays})" for w in dict.fromkeys(self._warnings)))

    def _value(self, dims: Dims) -> Value:
        self._tensors.append(dims)
        return Value(len(self._tensors) - 1, dims)

    def with_one_moving(self, dims: Dims, where: str) -> Dims:
        """Return `dims` with groups on at most one axis, the last of them, because a tensor has one channel axis."""
        dims = tuple(self.resolved(axis) for axis in dims)
        moving = [axis for axis in dims if axis.groups()]
        for axis in moving[:-1]:
            self._grouping.freeze(axis)
            self._warnings.append(f"{where} has channels on two dimensions, so those of the first stay at full width")
        return tuple(self.resolved(axis) for axis in dims)

    def _named_groups(self) -> tuple[ChannelGroup, ...]:
        """Return the groups in the order of their first producers, after which they are named."""
        members: dict[str, list[str]] = {}
        own = list(self._weights.values())
        for layer in self._calls:
            weights = [own[index] for index in layer.weights]
            for weight in weights:  # weights of inner layers, such as those of a model that runs at each time step
                if weight.layer != layer.name and weight.output_axis is not None:
                    for group in self.resolved(weight.axes[weight.output_axis]).groups():
                        members.setdefault(group, []).extend((weight.layer, layer.name))
            produced = [axis for index in layer.outputs for axis in self._tensors[index]]
            for axis in produced:
                for group in self.resolved(axis).groups():
                    members.setdefault(group, []).append(layer.name)
            # channels inside a layer, such as attention heads, appear only on its weights
            for axis in (axis for weight in weights for axis in weight.axes):
                for group in self.resolved(axis).groups():
                    members.setdefault(group, [layer.name])
        groups: list[ChannelGroup] = []
        taken: set[str] = set()
        for group, layers in members.items():
            name, number = layers[0], 1
            while name in taken:
                number += 1
                name = f"{layers[0]}/{number}"
            taken.add(name)
            groups.append(ChannelGroup(name, self.length(Channels(group)), tuple(dict.fromkeys(layers))))
        self._names = {group: Channels(named.name) for group, named in zip(members, groups, strict=True)}
        return tuple(groups)

    def _resolved_layer(self, layer: Layer) -> Layer:
        macs = (MacsTerm(term.coefficient, tuple(map(self.resolved, term.factors))) for term in layer.macs)
        inside = (tuple(Buffer(b.elements, self.resolved(b.axis)) for b in step) for step in layer.inside)
        return replace(layer, macs=tuple(macs), inside=tuple(inside))

    def _weight(self, weight: Weight) -> Weight:
        axes = tuple(map(self.resolved, weight.axes))
        return replace(weight, axes=axes, shape=tuple(map(self._grouping.length, weight.axes)))

    def _tensor(self, dims: Dims, storage: int) -> Tensor:
        resolved = [self.resolved(axis) for axis in dims] or [Fixed(1)]
        at = next((i for i, axis in enumerate(resolved) if axis.groups()), len(resolved) - 1)
        others = [axis.length().constant for i, axis in enumerate(resolved) if i != at]
        return Tensor(math.prod(others), resolved[at], storage, at - len(resolved))


def storages_of(layers: Sequence[Layer], tensors: int, outputs: Sequence[int]) -> list[int]:
    """Return the storage of each tensor: an in-place output uses that of its input unless that is still needed.

    Args:
        layers: all layer calls, in execution order.
        tensors: the number of tensors.
        outputs: indices of the tensors that are outputs of the network.
    """
    last_read = dict.fromkeys(range(tensors), -1)
    for step, layer in enumerate(layers):
        last_read.update(dict.fromkeys(layer.inputs, step))
    last_read.update(dict.fromkeys(outputs, len(layers)))
    storages = list(range(tensors))
    for step, layer in enumerate(layers):
        if layer.may_be_in_place and last_read[layer.inputs[0]] == step:
            storages[layer.outputs[0]] = storages[layer.inputs[0]]
    return storages
