"""Networks as transforms describe them: the part of each layer, and the network with some layers at chosen levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reds_core.errors import InputError
from reds_core.knapsack.levels import LevelSettings
from reds_core.network.description import Layer, Network, Tensor, Weight
from reds_core.transforms.transform import LayerPart, Transform


@dataclass(frozen=True)
class _Place:
    """Where the contents of a part are in its network: for each index of the part, the index of the network."""

    calls: tuple[int, ...]
    tensors: tuple[int, ...]
    weights: tuple[int, ...]


@dataclass(frozen=True)
class _Change:
    """A part of a network before and after it was described."""

    place: _Place
    before: LayerPart
    after: LayerPart


@dataclass(frozen=True)
class DescribedNetwork:
    """A network with some layers at chosen levels.

    Attributes:
        network: The network. Its groups, inputs and outputs are those of the network that it was described from.
        sites: For each entry of `network.layers`, the name of the layer of the original network that it belongs to.
    """

    network: Network
    sites: tuple[str, ...]


def layer_parts(network: Network) -> dict[str, LayerPart]:
    """Return each layer of a network as transforms see it, by the name of the layer, in execution order.

    All calls of a layer are one part.
    """
    return {site: _part(network, place) for site, place in _places(network).items()}


def described(network: Network, transforms: Sequence[Transform], settings: LevelSettings) -> Network:
    """Return the network with its layers at the levels of `settings`.

    Tensors and weights of the network keep their indices, unless a transform removes some. Layers, tensors and weights
    that a transform adds follow: an added layer runs directly before the call whose output depends on it, and added
    tensors and weights come last. Added tensors have memory of their own, which those with the same number share.

    Args:
        network: The network.
        transforms: The transforms whose levels `settings` holds, in any order. They are applied by stage.
        settings: The levels. Layers and dimensions that are not named stay as they are, except for those of transforms
            that have one level for the whole network.

    Raises:
        InputError: If `settings` names a layer that the network does not have.
    """
    return described_sites(network, transforms, settings).network


def described_sites(network: Network, transforms: Sequence[Transform], settings: LevelSettings) -> DescribedNetwork:
    """As `described`, with the layer of the original network that each layer belongs to."""
    places = _places(network)
    staged = sorted(transforms, key=lambda transform: transform.stage)
    changed = []
    fixing = [transform for transform in transforms if transform.network_level is not None]
    for site in {**settings.levels, **places} if fixing else settings.levels:
        if site not in places:
            raise InputError(f"network '{network.name}' has no layer '{site}'", "give levels of its own layers")
        place, levels = places[site], fixed_levels(fixing, site) | dict(settings.levels.get(site, {}))
        before = _part(network, place)
        after = described_part(before, [(t, levels[t.what]) for t in staged if t.what in levels])
        if after != before:
            changed.append(_Change(place, before, after))
    return _spliced(network, changed)


def fixed_levels(transforms: Iterable[Transform], site: str) -> dict[str, int]:
    """Return the levels of a layer that transforms set without a decision, by the name of what they set."""
    levels = ((transform.what, transform.level_of(site)) for transform in transforms)
    return {what: level for what, level in levels if level is not None}


def described_part(part: LayerPart, levels: Iterable[tuple[Transform, int]]) -> LayerPart:
    """Return a part at the levels of several transforms, which are applied in the given order."""
    for transform, level in levels:
        part = transform.described(part, level)
    return part


def _places(network: Network) -> Mapping[str, _Place]:
    calls: dict[str, list[int]] = {}
    for index, layer in enumerate(network.layers):
        calls.setdefault(layer.name, []).append(index)
    return {site: _place(network, tuple(indices)) for site, indices in calls.items()}


def _place(network: Network, calls: tuple[int, ...]) -> _Place:
    layers = [network.layers[index] for index in calls]
    tensors = dict.fromkeys(t for layer in layers for t in (*layer.inputs, *layer.outputs))
    weights = dict.fromkeys(w for layer in layers for w in layer.weights)
    return _Place(calls, tuple(tensors), tuple(weights))


def _part(network: Network, place: _Place) -> LayerPart:
    tensors = {index: own for own, index in enumerate(place.tensors)}
    weights = {index: own for own, index in enumerate(place.weights)}
    return LayerPart(
        tuple(_renumbered(network.layers[index], tensors, weights) for index in place.calls),
        tuple(network.tensors[index] for index in place.tensors),
        tuple(network.weights[index] for index in place.weights),
    )


def _renumbered(layer: Layer, tensors: Mapping[int, int], weights: Mapping[int, int]) -> Layer:
    return replace(
        layer,
        inputs=tuple(tensors[index] for index in layer.inputs),
        outputs=tuple(tensors[index] for index in layer.outputs),
        weights=tuple(weights[index] for index in layer.weights),
    )


def _spliced(network: Network, changes: Sequence[_Change]) -> DescribedNetwork:
    """Return the network with the contents of some parts replaced."""
    tensors: list[Tensor] = list(network.tensors)
    weights: list[Weight | None] = list(network.weights)
    calls: list[list[Layer]] = [[layer] for layer in network.layers]
    for change in changes:
        tensor_at = _tensors_put(tensors, change)
        weight_at = _weights_put(weights, change)
        layers = [_renumbered(layer, tensor_at, weight_at) for layer in change.after.layers]
        _calls_put(calls, network, change.place, layers)
    kept = {old: new for new, old in enumerate(i for i, weight in enumerate(weights) if weight is not None)}
    if len(kept) < len(weights):
        same = {index: index for index in range(len(tensors))}
        calls = [[_renumbered(layer, same, kept) for layer in layers] for layers in calls]
    sites = tuple(network.layers[index].name for index, layers in enumerate(calls) for _ in layers)
    spliced = replace(
        network,
        layers=tuple(layer for layers in calls for layer in layers),
        tensors=tuple(tensors),
        weights=tuple(weight for weight in weights if weight is not None),
    )
    return DescribedNetwork(spliced, sites)


def _tensors_put(tensors: list[Tensor], change: _Change) -> Mapping[int, int]:
    """Put the tensors of a part into a network. Return, for each index of the part, the index of the network."""
    at = dict(enumerate(change.place.tensors))
    storages: dict[int, int] = {}
    for own, tensor in enumerate(change.after.tensors):
        if own >= len(at):  # a transform cannot know which storages are free in the network
            free = max(t.storage for t in tensors) + 1
            at[own] = len(tensors)
            tensors.append(replace(tensor, storage=storages.setdefault(tensor.storage, free)))
        elif tensor != change.before.tensors[own]:  # a neighbour may have changed what this part left as it was
            tensors[at[own]] = tensor
    return at


def _weights_put(weights: list[Weight | None], change: _Change) -> Mapping[int, int]:
    """Put the weights of a part into a network. Those that the part no longer has become None."""
    at = dict(enumerate(change.place.weights))
    for own, weight in enumerate(change.after.weights):
        if own >= len(at):
            at[own] = len(weights)
            weights.append(weight)
        else:
            weights[at[own]] = weight
    for index in change.place.weights[len(change.after.weights) :]:
        weights[index] = None
    return at


def _calls_put(calls: list[list[Layer]], network: Network, place: _Place, layers: Sequence[Layer]) -> None:
    """Put the layers of a part where the call was whose outputs they lead to."""
    waiting: list[Layer] = []
    position = {output: index for index in place.calls for output in network.layers[index].outputs}
    put: dict[int, list[Layer]] = {index: [] for index in place.calls}
    last = place.calls[0]
    for layer in layers:
        waiting.append(layer)
        ends = [position[output] for output in layer.outputs if output in position]
        if ends:
            last = ends[0]
            put[last] += waiting
            waiting = []
    put[last] += waiting
    for index, own in put.items():
        calls[index] = own
