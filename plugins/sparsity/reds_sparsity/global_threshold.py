"""Global magnitude pruning: the density of each layer under one threshold for the magnitudes of all kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.network import Network, WeightKind
from reds_sparsity.patterns import kept_count


def global_densities(network: Network, weights: Sequence[npt.NDArray[Any]], density_percent: int) -> Mapping[str, int]:
    """Return the density of each kernel in percent, by the name of the weight, under one threshold for all kernels.

    The threshold is such that `density_percent` of all weights of kernels are not below it. Densities of kernels are
    rounded up to whole percentages, and are at least 1.

    Args:
        network: The description of the network.
        weights: The values of its weights.
        density_percent: The percentage of the weights that stay, over all kernels.
    """
    kernels = {
        weight.name: np.abs(np.asarray(values, np.float64)).reshape(-1)
        for weight, values in zip(network.weights, weights, strict=True)
        if weight.kind is WeightKind.KERNEL
    }
    every = np.concatenate([*kernels.values(), np.zeros(0)])
    count = kept_count(len(every), density_percent)
    if not count:
        return {}
    threshold = np.partition(every, len(every) - count)[len(every) - count]
    return {
        name: max(1, -(-100 * int(np.count_nonzero(values >= threshold)) // max(len(values), 1)))
        for name, values in kernels.items()
    }
