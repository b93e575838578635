"""Early exits: outputs that are computed from a part of a network, besides that of the whole network.

A network has exits if all of its outputs have one shape and the layers that compute all but the last are named exit_1,
exit_2 and so on, by depth (BranchyNet: Teerapittayanon et al., arXiv 1709.01686). The last output is that of the whole
network. A network that ends at an exit executes only the layers that this output needs.
"""

from __future__ import annotations

from collections.abc import Iterable

from reds_core.network.description import Layer, Network

_PREFIX = "exit_"


def exit_name(number: int) -> str:
    """Return the name of the layer that computes the early exit of a number from 1."""
    return f"{_PREFIX}{number}"


def are_exits(names: Iterable[str]) -> bool:
    """Whether outputs of these names, in their order, are early exits followed by the output of the whole network."""
    *early, _ = names
    return bool(early) and early == [exit_name(number) for number in range(1, len(early) + 1)]


def exit_names(network: Network) -> tuple[str, ...]:
    """Return the names of the early exits of a network by depth; empty if it has none."""
    producers = [_producer(network, tensor) for tensor in network.outputs]
    names = ["" if layer is None else layer.name for layer in producers]
    shapes = {None if layer is None else layer.output_shape for layer in producers}
    return tuple(names[:-1]) if len(shapes) == 1 and are_exits(names) else ()


def _producer(network: Network, tensor: int) -> Layer | None:
    return next((layer for layer in network.layers if tensor in layer.outputs), None)
