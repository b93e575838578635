"""Where a network can have early exits: the layers after which a single tensor is all that the rest of it needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from reds_core.cost.counting import macs_terms, terms_form
from reds_core.errors import InputError, UnsupportedError, argument, command
from reds_core.network.description import Network
from reds_core.runs.options import converted

AUTO = "auto"
_INSIDE = "/"
"""What the names of layers inside nested models contain, after which there can be no exit."""
AUTO_SHARES = (0.25, 0.5, 0.75)
"""The shares of the MACs after which exits are placed automatically."""


@dataclass(frozen=True)
class ExitPoint:
    """A place for an early exit.

    Attributes:
        layer: The name of the layer after whose output it is.
        macs_share: The share of the MACs of the network, 0 to 1, that is computed up to there.
    """

    layer: str
    macs_share: float


def exit_points(network: Network) -> tuple[ExitPoint, ...]:
    """Return the places at which blocks of a network end, by depth.

    After such a layer, everything that is computed later needs its output alone. Of several such layers in a row, such
    as a convolution, its batch norm and its activation, the last before the next layer with MACs counts. After it, at
    least two layers with MACs follow, since an exit before the last of them would be the output of the network. Layers
    inside nested models are left out.
    """
    macs = _macs_by_call(network)
    total = max(sum(macs), 1)
    found = list[ExitPoint]()
    before = 0
    for call, layer in enumerate(network.layers):
        before += macs[call]
        later = [at for at in range(call + 1, len(network.layers)) if macs[at]]
        if len(later) > 1 and _is_alone(network, call) and _INSIDE not in layer.name:
            if found and found[-1].macs_share == before / total:
                found.pop()  # nothing with MACs lies between
            found.append(ExitPoint(layer.name, before / total))
    return tuple(point for point in found if point.macs_share)


def chosen_points(network: Network, at: str | Sequence[str]) -> tuple[ExitPoint, ...]:
    """Return the places of the exits that are asked for, by depth.

    Args:
        network: The network.
        at: Names of layers; "auto" takes those among `exit_points` whose shares of the MACs are nearest to 25, 50 and
            75 %, each once.

    Raises:
        InputError: If there is no such layer, or it is named twice.
        UnsupportedError: If no place is found automatically.
    """
    names = [at] if isinstance(at, str) else list(converted("at", at, tuple[str, ...]))
    if names == [AUTO]:
        points = exit_points(network)
        if not points:
            raise UnsupportedError(
                f"no block of network '{network.name}' ends before its last layers",
                f"name layers with {argument('at')}; {command('inspect')} lists them",
            )
        nearest = {min(points, key=lambda point: abs(point.macs_share - share)) for share in AUTO_SHARES}
        return tuple(point for point in points if point in nearest)
    calls = {layer.name: call for call, layer in enumerate(network.layers)}
    for name in names:
        if name not in calls:
            raise InputError(
                f"network '{network.name}' has no layer '{name}'", f"{command('inspect')} lists the layers"
            )
        if names.count(name) > 1:
            raise InputError(f"layer '{name}' is named twice", "name each layer once")
    macs = _macs_by_call(network)
    for name in names:
        if not sum(macs[calls[name] + 1 :]):
            raise InputError(
                f"no layer with MACs follows '{name}', so an exit there would take as long as the whole network",
                "give an earlier layer",
            )
    order = sorted(names, key=lambda name: calls[name])
    return tuple(ExitPoint(name, sum(macs[: calls[name] + 1]) / max(sum(macs), 1)) for name in order)


def _macs_by_call(network: Network) -> list[int]:
    """Return the MACs of each call of a layer at full width."""
    by_call = defaultdict(list)
    for term in macs_terms(network):
        by_call[term.layer].append(term)
    return [terms_form(network, by_call[call]).at(network.channels) for call in range(len(network.layers))]


def _is_alone(network: Network, call: int) -> bool:
    """Whether the one output of a call is all that later calls, and the outputs of the network, need."""
    made = {*network.inputs, *(t for layer in network.layers[: call + 1] for t in layer.outputs)}
    needed = {*network.outputs, *(t for layer in network.layers[call + 1 :] for t in layer.inputs)}
    return made & needed == set(network.layers[call].outputs) and len(network.layers[call].outputs) == 1
