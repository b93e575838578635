"""What a device stores of a kernel in which some weights are zero."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from reds_core.network import Network, Weight, WeightKind
from reds_core.transforms import LayerPart

MASK_BITS = 1
"""The size of an element of a mask, which says whether a weight is stored."""
START_BITS = 32
"""The size of the number that says where the weights of an output channel start."""
INT8_BITS = 8


def stored_sparse(part: LayerPart, density_of: Callable[[Weight], int]) -> LayerPart:
    """Describe a layer of which only some weights are stored, beside a mask and where each output channel starts.

    Args:
        part: The layer.
        density_of: Returns the percentage of the elements of a weight that are stored.
    """
    weights = list(part.weights)
    added: dict[int, tuple[int, ...]] = {}
    for index, weight in enumerate(part.weights):
        density = density_of(weight)
        if density < weight.density_percent:
            weights[index] = replace(weight, density_percent=density)
            added[index] = (len(weights), len(weights) + 1)
            weights += _places(weight)
    layers = tuple(
        replace(call, weights=(*call.weights, *(new for old in call.weights for new in added.get(old, ()))))
        for call in part.layers
    )
    return replace(part, layers=layers, weights=tuple(weights))


def saved_bits(network: Network, kernel: Weight, density_percent: int) -> int:
    """Return how many bits a kernel at full width saves with a density, compared with integers of 8 bits."""
    sizes = [axis.full(network.channels) for axis in kernel.axes]
    starts = math.prod(sizes[axis] for axis in kernel.scales_along) * START_BITS
    elements = math.prod(sizes)
    return elements * (INT8_BITS - MASK_BITS) - elements * INT8_BITS * density_percent // 100 - starts


def _places(kernel: Weight) -> list[Weight]:
    """Describe the mask of a kernel, and the numbers that say where the weights of each output channel start."""
    kind, layer, along = WeightKind.OTHER, kernel.layer, kernel.scales_along
    mask = replace(kernel, name=f"{kernel.name}/mask", kind=kind, trainable=False, bits=MASK_BITS)
    axes = tuple(kernel.axes[axis] for axis in along)
    starts = Weight(f"{kernel.name}/starts", layer, kind, axes, 0 if along else None, False, START_BITS)
    return [mask, starts]
