"""The transform `clustering`: how many different values the kernel of each layer has."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from reds_clustering.kmeans import Clusters
from reds_core.arrays import FloatArray
from reds_core.errors import InputError
from reds_core.network import Fixed, Network, Weight, WeightKind
from reds_core.transforms import LayerPart, Nesting, Offered, Stage, Start, Transform

ALLOWED = (2, 4, 16)
"""The numbers of clusters that a kernel may have. Bytes hold 8, 4 or 2 of their codes, without gaps."""
UNTOUCHED = 256
"""The level that leaves a kernel as it is: integers of 8 bits have no more different values."""
ENTRY_BITS = 8
"""The number of bits of an entry of a codebook."""


@dataclass(frozen=True)
class ClusteringOptions:
    """Options of `clustering`.

    Attributes:
        levels: the numbers of different values that a kernel may have, of 2, 4 and 16, joined by commas. A kernel may
            always stay as it is.
        per: "channel" if each output channel has values of its own, which follow the kernel more closely and take no
            more in the C engine; "layer" if all channels of a layer share their values, which compresses files more.
        nesting: "free" if each member of a family has numbers of its own, which fits members in files of their own;
            "equal" if all members have the same.
        assignment: "moving" if the clusters are found anew in each step of a training; "fixed" if each weight keeps the
            cluster that it has when the training starts, as in Deep Compression, which is faster and less accurate.
    """

    levels: str = "16,4"
    per: Literal["channel", "layer"] = "channel"
    nesting: Literal["free", "equal"] = "free"
    assignment: Literal["moving", "fixed"] = "moving"

    def __post_init__(self) -> None:
        _ = self.clusters

    @property
    def clusters(self) -> tuple[int, ...]:
        """The numbers of clusters in rising order, without the level that leaves a kernel as it is.

        Raises:
            InputError: If they are not a list of allowed numbers.
        """
        parts = [part.strip() for part in self.levels.split(",")]
        if any(part not in map(str, ALLOWED) for part in parts):
            raise InputError(
                f"option clustering.levels cannot be '{self.levels}'", "give some of 2, 4 and 16, as in levels=16,4"
            )
        return tuple(sorted({*map(int, parts)}))


class Clustering(Transform):
    """Chooses how many different values a kernel has, so that a device stores codes and a codebook in its place.

    Each value is replaced by the mean of its cluster. Biases, scales and statistics stay as they are.
    """

    name = "clustering"
    what = "clusters"
    stage = Stage.CLUSTER
    nesting = Nesting.FREE
    Options = ClusteringOptions

    @property
    def nests(self) -> Nesting:
        return Nesting(self.options.nesting)

    def offered(self, network: Network, site: str) -> Offered:
        used = {index for layer in network.layers if layer.name == site for index in layer.weights}
        kernels = {index for index in used if self.projects(network.weights[index])}
        if not kernels:
            return Offered.nothing("it has no kernel")
        others = sorted({layer.name for layer in network.layers if layer.name != site and kernels & {*layer.weights}})
        if others:
            return Offered.nothing(f"it shares its kernel with layer '{others[0]}'")
        saving: list[int] = []
        costly: list[int] = []
        for count in self.options.clusters:
            saves = sum(_saved_bits(network, network.weights[index], count) for index in kernels) > 0
            (saving if saves else costly).append(count)
        reason = _too_small(costly) if costly else ""
        return Offered(np.array([*saving, UNTOUCHED], np.int64), reason) if saving else Offered.nothing(reason)

    def described(self, part: LayerPart, level: int) -> LayerPart:
        if level == UNTOUCHED:
            return part
        weights = list(part.weights)
        codebooks: dict[int, int] = {}
        for index, weight in enumerate(part.weights):
            if self.projects(weight):
                weights[index] = replace(weight, bits=code_bits(level), value_bits=ENTRY_BITS)
                codebooks[index] = len(weights)
                weights.append(_codebook(weight, level))
        layers = tuple(
            replace(call, weights=(*call.weights, *(codebooks[w] for w in call.weights if w in codebooks)))
            for call in part.layers
        )
        return replace(part, layers=layers, weights=tuple(weights))

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        if level == UNTOUCHED or not self.projects(of):
            return weight
        columns = self._columns(of)
        values = columns.of(weight)
        return columns.restored(Clusters.of(values, level).shared(values), weight.shape)

    def begun(self, start: Start, of: Weight, level: int) -> Callable[[FloatArray, float], FloatArray]:
        """Return the projection of a training.

        With fixed clusters, their means follow the values. Values that become exactly 0 later on, as with a mask that
        grows, stay 0: clusters are then found anew.
        """
        if self.options.assignment == "moving" or level == UNTOUCHED or not self.projects(of):
            return super().begun(start, of, level)
        columns = self._columns(of)
        clusters = Clusters.of(columns.of(start.values), level)

        def shared(values: FloatArray, progress: float) -> FloatArray:
            table = columns.of(values)
            own = clusters if clusters.keeps_zeros(table) else Clusters.of(table, level)
            return columns.restored(own.shared(table), values.shape)

        return shared

    def _columns(self, of: Weight) -> _Columns:
        return _Columns(of.scales_along if self.options.per == "channel" else ())


@dataclass(frozen=True)
class _Columns:
    """Kernels as tables with one column for each codebook.

    Attributes:
        axes: The dimensions along which each position has a codebook of its own; none for a single one.
    """

    axes: tuple[int, ...]

    def of(self, weight: FloatArray) -> FloatArray:
        """Return the values of a kernel, (values, columns)."""
        last = np.moveaxis(weight, self.axes, self._places)
        count = math.prod(last.shape[last.ndim - len(self.axes) :])
        return last.reshape(weight.size // max(count, 1), count)

    def restored(self, values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        """Return values of `of` in the shape of the kernel."""
        others = tuple(length for axis, length in enumerate(shape) if axis not in self.axes)
        return np.moveaxis(values.reshape(*others, *(shape[axis] for axis in self.axes)), self._places, self.axes)

    @property
    def _places(self) -> tuple[int, ...]:
        return tuple(range(-len(self.axes), 0))


def code_bits(clusters: int) -> int:
    """Return the number of bits of the code of one of so many clusters."""
    return (clusters - 1).bit_length()


def _codebook(kernel: Weight, clusters: int) -> Weight:
    """Describe the values of the clusters of a kernel: integers of 8 bits for each position that has a scale."""
    along = kernel.scales_along
    axes = (*(kernel.axes[axis] for axis in along), Fixed(clusters))
    name = f"{kernel.name}/codebook"
    return Weight(name, kernel.layer, WeightKind.OTHER, axes, 0 if along else None, False, ENTRY_BITS)


def _saved_bits(network: Network, kernel: Weight, clusters: int) -> int:
    """Return how many bits a kernel at full width saves with so many clusters, compared with integers of 8 bits."""
    sizes = [axis.full(network.channels) for axis in kernel.axes]
    books = math.prod(sizes[axis] for axis in kernel.scales_along)
    return math.prod(sizes) * (ENTRY_BITS - code_bits(clusters)) - books * clusters * ENTRY_BITS


def _too_small(counts: list[int]) -> str:
    numbers = " or ".join(map(str, counts))
    return f"codebooks of {numbers} values for each output channel would take more than they save"
