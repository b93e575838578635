"""Every behaviour that reds asks of a transform, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_clustering import Clustering, ClusteringOptions

from reds_core.testing import transform_conformance


@transform_conformance(Clustering)
def test_clustering(check: Callable[[], None]) -> None:
    check()


@transform_conformance(lambda: Clustering(ClusteringOptions("16,4,2", "layer", "equal")))
def test_clustering_of_whole_layers(check: Callable[[], None]) -> None:
    check()
