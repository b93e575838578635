"""The realisation `fold`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from reds_core.transforms import Joining, Narrowing, Realisation
from reds_merging.clusters import Method, clustered, representatives
from reds_merging.producers import producers
from reds_merging.repair import coefficients, means
from reds_merging.soundness import why_not


@dataclass(frozen=True)
class FoldOptions:
    """Options of `fold`.

    Attributes:
        method: Which channels are merged. k-means: clusters with small distances to their means; iterative: the two
            closest channels, again and again.
        repair: How the statistics of merged channels are repaired, which vary less than the channels that they stand
            for. approximate: from the weights, without data; data: batch-norm statistics are measured on training data;
            auto: from the weights, and then measured where there is data; none: not at all.
    """

    method: Method = "k-means"
    repair: Literal["auto", "data", "approximate", "none"] = "auto"


class Fold(Realisation):
    """Model folding (Wang et al., ICLR 2025, arXiv 2502.10216).

    Channels whose weights are similar, with batch norms folded in, are merged: their weights are averaged, and those
    of the layers that read them are summed. No data is needed. Groups whose channels cannot be merged, such as those
    that pass a normalisation over channels, drop channels. The third repair of the paper, by synthesised images, is
    not offered.
    """

    name = "fold"
    requires = ("scipy",)
    Options: ClassVar[type] = FoldOptions

    @property
    def needs_data(self) -> bool:
        return bool(self.options.repair == "data")

    @property
    def measures_statistics(self) -> bool:
        return self.options.repair in ("auto", "data")

    def joined(self, narrowing: Narrowing) -> Joining:
        if narrowing.width == narrowing.channels:
            return Joining.dropping(narrowing.channels, np.arange(narrowing.channels, dtype=np.int64))
        reason = why_not(narrowing.network, narrowing.group)
        if reason is not None:
            return narrowing.dropping(reason)
        found = producers(narrowing.network, narrowing.weights, narrowing.group)
        if not any(producer.rows is not None for producer in found):
            return narrowing.dropping("no kernel computes the channels")
        features = np.concatenate([producer.folded for producer in found], axis=1)
        clusters = clustered(features, narrowing.width, self.options.method)
        kept = representatives(features, clusters)
        expand = np.eye(narrowing.width)[clusters]
        repairs = self.options.repair in ("auto", "approximate")
        own = coefficients(found, clusters, repairs)
        return Joining(kept, clusters, means(clusters), expand, own)
