"""Transform of reds that lets the weights of a layer share a few values (weight sharing, clustering)."""

from __future__ import annotations

from collections.abc import Sequence

from reds_clustering.clustering import Clustering, ClusteringOptions
from reds_core import hookimpl
from reds_core.transforms import Transform

__all__ = ["Clustering", "ClusteringOptions"]


@hookimpl
def reds_transforms() -> Sequence[type[Transform]]:
    """Return the transforms of this package."""
    return [Clustering]
