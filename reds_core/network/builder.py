"""Builds a network description while a framework follows the calls of a model in execution order."""

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
    """A tensor while the network is being followed.

    Attributes:
        index: into the tensors of the network.
        dims: one axis a dimension, without the batch; by what was known when it was made.
    """

    index: int
    dims: Dims


@dataclass(frozen=True)
class _Call:
    layer: Layer
    in_place: bool


class NetworkBuilder:
    """Collects tensors, weights and calls; decides groups and storages at the end.

    A framework calls `input` for each input, then `call` for each call of a layer in execution order, then `finish`.
    Axes come from `fresh` and from the dims of earlier values.
    """

    def __init__(self) -> None:
        self._grouping = Grouping()
        self._tensors: list[Dims] = []
        self._calls: list[_Call] = []
        self._weights: dict[Hashable, Weight] = {}
        self._declared: dict[Hashable, Dims] = {}
        self._freezes: list[tuple[Axis, str | None]] = []
        self._inputs: list[int] = []
        self._warnings: list[str] = []
        self._names: dict[str, Axis] = {}

    def fresh(self, channels: int) -> Axis:
        """The axis of a new group."""
        return self._grouping.fresh(channels)

    def resolved(self, axis: Axis) -> Axis:
        """`axis` by what is known now; after `finish`, in the names of the network's groups."""
        return self._grouping.resolved(axis).replaced(self._names)

    def length(self, axis: Axis) -> int:
        """Full length of `axis`. Not for axes in the names of the finished network."""
        return self._grouping.length(axis)

    def tie(self, first: Axis, second: Axis, where: str) -> None:
        """Make both axes keep the same positions; where that cannot be said, both stay whole with a warning.

        Raises:
            ValueError: if they differ in length.
        """
        if not self._grouping.tie(first, second):
            self._warnings.append(f"{where} joins channels that lie in different orders, so they stay at full width")

    def freeze(self, axis: Axis, warning: str | None = None) -> None:
        """Make all groups of `axis` stay whole. The warning is given only if nothing else keeps them whole silently."""
        self._freezes.append((axis, warning))

    def warn(self, warning: str) -> None:
        """Give a warning whatever else is found."""
        self._warnings.append(warning)

    def declare(self, key: Hashable, dims: Dims, where: str) -> None:
        """Say that what `key` stands for has these dims. A second declaration ties them to the first's."""
        for known, axis in zip(self._declared.setdefault(key, dims), dims, strict=True):
            self.tie(known, axis, where)

    def declared(self, key: Hashable) -> Dims:
        """The dims that were declared for `key`, by what is known now."""
        return tuple(self.resolved(axis) for axis in self._declared[key])

    def weight(self, key: Hashable, weight: Weight) -> None:
        """List a weight. One that is listed already (of a shared layer) has its axes tied instead."""
        self._weights.setdefault(key, weight)
        self.declare(key, weight.axes, f"layer '{weight.layer}'")

    def input(self, shape: Sequence[int]) -> Value:
        """An input of the network; its channels always stay."""
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
    ) -> tuple[Value, ...]:
        """A call of a layer; gives its output tensors.

        Args:
            weights: keys of weights listed before.
            macs: multiply-accumulates of the call.
            in_place: whether the first output may take the storage of the first input.
            inside: for each inner step the tensors that are held beside the inputs.
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
        )
        self._calls.append(_Call(layer, in_place))
        return values

    def finish(self, name: str, outputs: Sequence[Value]) -> Network:
        """The network. Channels of its outputs stay whole; nothing may be added afterwards."""
        for value in outputs:
            for axis in value.dims:
                self._grouping.freeze(axis)
        for axis, warning in self._freezes:
            if self._grouping.freeze(axis) and warning is not None:
                self._warnings.append(warning)
        output_indices = tuple(v.index for v in outputs)
        groups = self._named_groups()
        storages = self._storages(output_indices)
        network = Network(
            name=name,
            groups=groups,
            layers=tuple(self._resolved_layer(c.layer) for c in self._calls),
            tensors=tuple(self._tensor(dims, storage) for dims, storage in zip(self._tensors, storages, strict=True)),
            weights=tuple(
                replace(weight, axes=tuple(map(self.resolved, weight.axes))) for weight in self._weights.values()
            ),
            inputs=tuple(self._inputs),
            outputs=output_indices,
        )
        stays = f"{network.prunable_share:.0%} of the parameters stay prunable"
        return replace(network, warnings=tuple(f"{w} ({stays})" for w in dict.fromkeys(self._warnings)))

    def _value(self, dims: Dims) -> Value:
        self._tensors.append(dims)
        return Value(len(self._tensors) - 1, dims)

    def with_one_moving(self, dims: Dims, where: str) -> Dims:
        """`dims` with groups on at most one axis, the last of them: a tensor has one channel axis."""
        dims = tuple(self.resolved(axis) for axis in dims)
        moving = [axis for axis in dims if axis.groups()]
        for axis in moving[:-1]:
            self._grouping.freeze(axis)
            self._warnings.append(f"{where} has channels on two dimensions, so those of the first stay at full width")
        return tuple(self.resolved(axis) for axis in dims)

    def _named_groups(self) -> tuple[ChannelGroup, ...]:
        """The groups in order of their first producer, from which they have their names."""
        members: dict[str, list[str]] = {}
        own = list(self._weights.values())
        for layer in (c.layer for c in self._calls):
            weights = [own[index] for index in layer.weights]
            for weight in weights:  # of a layer inside, such as one of a model that is run at each step
                if weight.layer != layer.name and weight.output_axis is not None:
                    for group in self.resolved(weight.axes[weight.output_axis]).groups():
                        members.setdefault(group, []).extend((weight.layer, layer.name))
            produced = [axis for index in layer.outputs for axis in self._tensors[index]]
            for axis in produced:
                for group in self.resolved(axis).groups():
                    members.setdefault(group, []).append(layer.name)
            # channels inside a layer, such as attention heads, are on its weights alone
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

    def _tensor(self, dims: Dims, storage: int) -> Tensor:
        resolved = [self.resolved(axis) for axis in dims] or [Fixed(1)]
        at = next((i for i, axis in enumerate(resolved) if axis.groups()), len(resolved) - 1)
        others = [axis.length().constant for i, axis in enumerate(resolved) if i != at]
        return Tensor(math.prod(others), resolved[at], storage, at - len(resolved))

    def _storages(self, outputs: tuple[int, ...]) -> list[int]:
        """For each tensor its storage: an in-place output takes its input's unless that is still needed."""
        last_read = dict.fromkeys(range(len(self._tensors)), -1)
        for step, call in enumerate(self._calls):
            last_read.update(dict.fromkeys(call.layer.inputs, step))
        last_read.update(dict.fromkeys(outputs, len(self._calls)))
        storages = list(range(len(self._tensors)))
        for step, call in enumerate(self._calls):
            if call.in_place and last_read[call.layer.inputs[0]] == step:
                storages[call.layer.outputs[0]] = storages[call.layer.inputs[0]]
        return storages
