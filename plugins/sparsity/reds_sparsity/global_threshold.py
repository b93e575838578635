"""Global magnitude pruning: the density of each layer under one threshold for the magnitudes of all kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_sparsity.patterns import kept_count


def global_densities(kernels: Mapping[str, npt.NDArray[Any]], density_percent: int) -> Mapping[str, int]:
    """Return the density of each layer in percent, under one threshold for the magnitudes of all kernels.

    The threshold is such that `density_percent` of all weights are not below it. Densities of layers are rounded up to
    whole percentages, and are at least 1.

    Args:
        kernels: The weights of the kernels of each layer, in any shape.
        density_percent: The percentage of the weights that stay, over all layers.
    """
    magnitudes = {site: np.abs(np.asarray(values, np.float64)).reshape(-1) for site, values in kernels.items()}
    every = np.concatenate([*magnitudes.values(), np.zeros(0)])
    if not len(every):
        return {}
    place = len(every) - kept_count(len(every), density_percent)
    threshold = np.partition(every, place)[place]
    return {
        site: max(1, -(-100 * int(np.count_nonzero(values >= threshold)) // len(values)))
        for site, values in magnitudes.items()
    }
