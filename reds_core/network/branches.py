"""Residual branches that a network can do without: what is executed only for one operand of a sum.

If a group of channels inside a branch has no channels, all products with them vanish and the branch computes a
constant. The branch then need not be executed: the sum is its other operand plus the constant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from reds_core.network.axis import Axis
from reds_core.network.builder import storages_of
from reds_core.network.description import Network


@dataclass(frozen=True)
class ResidualBranch:
    """A residual branch that is not executed if its group has no channels.

    Attributes:
        group: the name of the group of channels, which is nowhere but inside the branch.
        sum: the index of the call, in `Network.layers`, that adds the branch.
        inner: indices of the calls whose outputs consist of channels of the group.
        constant: indices of the calls that compute the constant, in execution order.
        output: the index of the tensor that the branch adds.
        other: the index of the other operand of the sum.
    """

    group: str
    sum: int
    inner: tuple[int, ...]
    constant: tuple[int, ...]
    output: int
    other: int

    @property
    def calls(self) -> frozenset[int]:
        """The indices of all calls of the branch, without the sum."""
        return frozenset((*self.inner, *self.constant))


@dataclass(frozen=True)
class WholeBranch:
    """A residual branch that is always executed.

    Attributes:
        sum: the name of the layer that adds it.
        groups: the groups that are nowhere but inside the branch, in network order.
        reason: why it cannot be left out, as a clause.
    """

    sum: str
    groups: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Branches:
    """The residual branches of a network.

    Attributes:
        found: those that it can do without, by the name of the group, in execution order of the sums.
        whole: the others that have groups of their own.
    """

    found: Mapping[str, ResidualBranch]
    whole: tuple[WholeBranch, ...]


def residual_branches(network: Network) -> Branches:
    """Return the residual branches of a network.

    A branch is what is executed only for one of the two operands of a sum. The network can do without it if exactly one
    group of channels is nowhere but inside it, and everything between the channels of this group and the sum reads
    nothing else.
    """
    maker = {tensor: call for call, layer in enumerate(network.layers) for tensor in layer.outputs}
    found: dict[str, ResidualBranch] = {}
    whole: list[WholeBranch] = []
    taken: set[int] = set()
    for index, layer in enumerate(network.layers):
        if not layer.is_sum or len(layer.inputs) != 2 or layer.inputs[0] == layer.inputs[1]:
            continue
        for place, output in enumerate(layer.inputs):
            other = layer.inputs[1 - place]
            calls = _only_for(network, maker, index, other)
            groups = _inside(network, calls)
            if not groups or output not in {t for call in calls for t in network.layers[call].outputs}:
                continue
            branch = _branch(network, index, calls, groups, output, other)
            if isinstance(branch, str):
                whole.append(WholeBranch(layer.name, groups, branch))
            elif index in taken:
                reason = f"the other operand of '{layer.name}' is the branch that can be left out"
                whole.append(WholeBranch(layer.name, groups, reason))
            elif branch.group not in found:
                found[branch.group] = branch
                taken.add(index)
    return Branches(found, tuple(whole))


def skippable_branches(network: Network) -> Mapping[str, ResidualBranch]:
    """Return the branches of the groups in `network.skippable`."""
    if not network.skippable:
        return {}
    return {group: branch for group, branch in residual_branches(network).found.items() if group in network.skippable}


def without_channels(widths: Mapping[str, int]) -> tuple[str, ...]:
    """Return the names of the groups that have no channels."""
    return tuple(group for group, width in widths.items() if width == 0)


@dataclass(frozen=True)
class Reduced:
    """A network without some of its branches.

    Attributes:
        network: the network. Its groups and tensors keep their names and indices. In place of each sum is a call that
            adds the constant of the branch, in place if it can.
        calls: for each entry of `network.layers`, its index in the layers of the whole network.
    """

    network: Network
    calls: tuple[int, ...]


def without_branches(network: Network, groups: Collection[str]) -> Reduced:
    """Return what is left of a network if the branches of some groups are not executed.

    Args:
        network: the network.
        groups: names of groups for which `residual_branches` finds a branch.
    """
    if not groups:
        return Reduced(network, tuple(range(len(network.layers))))
    gone = [branch for group, branch in residual_branches(network).found.items() if group in groups]
    sums = {branch.sum: branch for branch in gone}
    dead = {call for branch in gone for call in branch.calls}
    calls = tuple(call for call in range(len(network.layers)) if call not in dead)
    used = {weight for call in calls for weight in network.layers[call].weights}
    unused = {weight for call in dead for weight in network.layers[call].weights} - used
    kept = {old: new for new, old in enumerate(i for i in range(len(network.weights)) if i not in unused)}
    layers = []
    for call in calls:
        layer = network.layers[call]
        if call in sums:
            layer = replace(
                layer, inputs=(sums[call].other,), may_be_in_place=True, is_identity=True, is_sum=False, inside=()
            )
        layers.append(replace(layer, weights=tuple(kept[weight] for weight in layer.weights)))
    storages = storages_of(layers, len(network.tensors), network.outputs)
    tensors = tuple(replace(t, storage=s) for t, s in zip(network.tensors, storages, strict=True))
    weights = tuple(network.weights[index] for index in kept)
    return Reduced(replace(network, layers=tuple(layers), tensors=tensors, weights=weights), calls)


def vanishes(axis: Axis, group: str) -> bool:
    """Return whether an axis has no positions if a group has no channels."""
    length = axis.length()
    return not length.constant and tuple(g for g, _ in length.coefficients) == (group,)


def _only_for(network: Network, maker: Mapping[int, int], index: int, other: int) -> frozenset[int]:
    """The calls that nothing needs if the sum with this index is its operand `other`."""
    needed: set[int] = set()
    waiting = [*network.outputs, other]
    while waiting:
        call = maker.get(waiting.pop())
        if call is not None and call not in needed:
            needed.add(call)
            waiting += (other,) if call == index else network.layers[call].inputs
    # what nothing needs in the whole network either is no part of a branch
    return frozenset(call for call in range(index) if call not in needed and _leads_to(network, call, index))


def _leads_to(network: Network, call: int, index: int) -> bool:
    """Whether what a call computes reaches the sum with this index."""
    reached = {*network.layers[call].outputs}
    for later in range(call + 1, index + 1):
        if reached & {*network.layers[later].inputs}:
            if later == index:
                return True
            reached.update(network.layers[later].outputs)
    return False


def _inside(network: Network, calls: frozenset[int]) -> tuple[str, ...]:
    """The groups that are nowhere but at some calls, in network order."""

    def touched(of: Iterable[int]) -> set[str]:
        axes = [network.tensors[t].axis for call in of for t in network.layers[call].outputs]
        axes += [axis for call in of for w in network.layers[call].weights for axis in network.weights[w].axes]
        return {group for axis in axes for group in axis.groups()}

    own = touched(calls) - touched(call for call in range(len(network.layers)) if call not in calls)
    return tuple(group.name for group in network.groups if group.name in own)


def _branch(
    network: Network, index: int, calls: frozenset[int], groups: tuple[str, ...], output: int, other: int
) -> ResidualBranch | str:
    """The branch of a sum, or why it cannot be left out."""
    if len(groups) > 1:
        named = ", ".join(f"'{group}'" for group in groups)
        return f"it has several groups of channels ({named}), which could only be left out together"
    (group,) = groups
    if any(len(network.layers[call].outputs) != 1 for call in calls):
        return "one of its layers has several outputs"
    empty = {
        tensor
        for call in calls
        for tensor in network.layers[call].outputs
        if vanishes(network.tensors[tensor].axis, group)
    }
    known, inner, constant = set(empty), [], []
    for call in sorted(calls):
        layer = network.layers[call]
        if empty.issuperset(layer.outputs):
            inner.append(call)
        elif layer.inputs and known.issuperset(layer.inputs):
            constant.append(call)
            known.update(layer.outputs)
    if output not in known or output in empty:
        return f"what it adds depends on more than the channels of '{group}'"
    if len(inner) + len(constant) < len(calls):
        return f"a part of it does not lead through the channels of '{group}'"
    outside = {w for call in range(len(network.layers)) if call not in calls for w in network.layers[call].weights}
    if any(outside & {*network.layers[call].weights} for call in calls):
        return "it shares weights with layers outside"
    axes = [network.weights[w].axes for call in constant for w in network.layers[call].weights]
    axes += [term.factors for call in constant for term in network.layers[call].macs]
    if any(len([a for a in each if a.groups()]) > 1 and not any(vanishes(a, group) for a in each) for each in axes):
        return f"its last layers mix channels of other groups than '{group}'"
    return ResidualBranch(group, index, tuple(inner), tuple(constant), output, other)
