"""What each layer of a network costs, and which activations live while it runs, for the file of details."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from reds_core.cost.activation_memory import live_activations
from reds_core.cost.counting import CostTerm, terms_form
from reds_core.cost.resources import CostModel
from reds_core.formulation.statement import Statement
from reds_core.knapsack.levels import UNTOUCHED, LevelSettings
from reds_core.network.axis import Channels
from reds_core.network.branches import without_branches, without_channels
from reds_core.network.description import Layer, Network
from reds_core.plan_details import LayerCost, LayerDetails, MemoryStep, NetworkDetails

INPUT = "input"
"""The name of an input of the network that no layer writes, followed by its number if there are several."""


def layers_of(network: Network) -> tuple[LayerDetails, ...]:
    """The calls of layers of a network, in the order in which they run."""
    writers = _writers(network)
    return tuple(
        LayerDetails(
            layer.name,
            layer.kind,
            tuple(writers[t] for t in layer.inputs if t in writers),
            _group_of(network, layer),
        )
        for layer in network.layers
    )


def network_details(
    statement: Statement, name: str, widths: Mapping[str, int], settings: LevelSettings = UNTOUCHED
) -> NetworkDetails:
    """What each layer of one network costs, counted as its budget counts it. Layers of skipped blocks cost nothing.

    Args:
        statement: The network, and how its resources are counted.
        name: The name of the network.
        widths: The number of channels of each group.
        settings: The levels of its layers.
    """
    network, costs = statement.described(settings), statement.costs
    left = without_branches(network, without_channels(widths))
    executed = dict(zip(left.calls, _usage_by_call(left.network, costs, widths), strict=True))
    unused = dict.fromkeys(next(iter(executed.values()), {}), 0)
    layers = tuple(
        LayerCost(layer.name, _output_shape(network, layer, widths), executed.get(call, unused))
        for call, layer in enumerate(network.layers)
    )
    return NetworkDetails(name, layers, _memory(left.network, costs, widths))


def _usage_by_call(network: Network, costs: CostModel, widths: Mapping[str, int]) -> list[dict[str, int]]:
    """The use of each resource that adds up over calls, for each call."""
    found: list[dict[str, int]] = [{} for _ in network.layers]
    for resource in costs.resources:
        terms = costs.terms(network, resource)
        if terms is None:
            continue
        by_call: dict[int, list[CostTerm]] = defaultdict(list)
        for term in terms:
            by_call[term.layer].append(term)
        for call, own in enumerate(found):
            own[resource] = terms_form(network, by_call[call]).at(widths)
    return found


def _output_shape(network: Network, layer: Layer, widths: Mapping[str, int]) -> tuple[int | None, ...]:
    """The shape of the first output of a call at some widths, without the batch."""
    shape = list(layer.output_shape)
    if not layer.outputs:
        return tuple(shape)
    tensor = network.tensors[layer.outputs[0]]
    if -len(shape) <= tensor.dimension < len(shape) and shape[tensor.dimension] == tensor.axis.full(network.channels):
        shape[tensor.dimension] = tensor.axis.length().at(widths)
    return tuple(shape)


def _memory(network: Network, costs: CostModel, widths: Mapping[str, int]) -> tuple[MemoryStep, ...]:
    """The live activations at each step."""
    names, steps = _storage_names(network), []
    for call, live in live_activations(network, costs.element_size_bytes):
        runs, buffers = network.layers[call].name, 0
        sizes: dict[str, int] = {}
        for each in live:
            buffers += each.storage is None
            name = f"{runs} (buffer {buffers})" if each.storage is None else names[each.storage]
            sizes[name] = each.size.at(widths)
        steps.append(MemoryStep(runs, sizes))
    return tuple(steps)


def _writers(network: Network) -> dict[int, str]:
    """The name of the layer that writes each tensor, or of the input that it is."""
    several = len(network.inputs) > 1
    names = {t: f"{INPUT} {i + 1}" if several else INPUT for i, t in enumerate(network.inputs)}
    return names | {t: layer.name for layer in network.layers for t in layer.outputs}


def _storage_names(network: Network) -> dict[int, str]:
    """A name for each storage, which no other has: that of the layer that writes it first."""
    names: dict[int, str] = {}
    for tensor, writer in _writers(network).items():
        storage = network.tensors[tensor].storage
        if storage not in names:
            known = sum(name == writer or name.startswith(f"{writer} (call ") for name in names.values())
            names[storage] = f"{writer} (call {known + 1})" if known else writer
    return names


def _group_of(network: Network, layer: Layer) -> str | None:
    axis = network.tensors[layer.outputs[0]].axis if layer.outputs else None
    return axis.group if isinstance(axis, Channels) else None
