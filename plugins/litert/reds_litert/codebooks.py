"""Layers whose files may store codebooks: a few integers for each output channel, and indices in place of weights."""

from __future__ import annotations

from reds_core.network import Network, WeightKind
from reds_litert.targets import INT4_LAYERS, low_bits_refusal

CLUSTERS = "clusters"
"""What transforms decide about the number of different weights of a layer."""
CODE_BITS = {2: 1, 4: 2, 16: 4}
"""The numbers of integers that a codebook may have, and the bits of an index into it."""
ANY_WEIGHTS = 256
"""The number of clusters of a layer without codebooks."""


def codebook_refusal(network: Network, site: str, clusters: int, device: str) -> str | None:
    """Return why the kernel of a layer cannot have codebooks of some number of integers, or None if it can.

    Args:
        network: The description of the network.
        site: The name of the layer.
        clusters: The number of integers.
        device: What stores the codebooks, as the subject of a sentence.
    """
    if clusters >= ANY_WEIGHTS or not has_kernel(network, site):
        return None
    if clusters not in CODE_BITS:
        return f"{device} cannot store codebooks of {clusters} integers"
    return layer_refusal(network, site, f"{device} cannot store codebooks")


def layer_refusal(network: Network, site: str, nothing_stored: str) -> str | None:
    """Return why the weights of a layer are not those of one operator, or None if they are.

    Args:
        network: The description of the network.
        site: The name of the layer.
        nothing_stored: The begin of the reason for other kinds of layers, such as "the device cannot store masks".
    """
    kinds = [layer.kind for layer in network.layers if layer.name == site]
    other = next((kind for kind in kinds if kind not in INT4_LAYERS), None)
    return low_bits_refusal(network, site) if other is None else f"{nothing_stored} of {other} layers"


def has_kernel(network: Network, site: str) -> bool:
    """Return whether a layer has a kernel. Transforms that give all layers one level name layers without one, too."""
    used = {index for layer in network.layers if layer.name == site for index in layer.weights}
    return any(network.weights[index].kind is WeightKind.KERNEL for index in used)
