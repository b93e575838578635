"""Sampling of latencies: segments are timed at some widths, and tables are computed from the samples.

A segment is a part that the device runs as a unit: a layer with the batch norm and activation that are fused into it.
Its time is sampled at a grid of widths of the groups that it touches, and interpolated between grid points. The sum
over the segments is scaled to agree with measurements of the whole network.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.cost.counting import SumForm, TableForm, product_sum
from reds_core.network.description import Layer, Network

SamplePoint = tuple[int, tuple[int, ...]]
"""The index of a segment, and the widths of its groups."""


@dataclass(frozen=True)
class Timing:
    """The time of repeated runs.

    Attributes:
        ns: the lower decile in ns, which other work on the machine affects least.
        spread_ns: upper decile - lower decile, in ns.
        runs: number of runs.
    """

    ns: float
    spread_ns: float
    runs: int


@dataclass(frozen=True)
class Segment:
    """A part of a network that the device runs as a unit.

    Attributes:
        index: index among the network's segments, by which the framework identifies it.
        layers: names of its layers, in execution order.
        calls: indices of its calls in `Network.layers`.
        groups: names of the groups whose widths affect its time.
    """

    index: int
    layers: tuple[str, ...]
    calls: tuple[int, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """The time of one segment at one choice of widths.

    Attributes:
        segment: index of the segment.
        widths: widths of the segment's groups, in their order.
        timing: the measured time.
    """

    segment: int
    widths: tuple[int, ...]
    timing: Timing


@dataclass(frozen=True)
class Whole:
    """The predicted and the measured time of a whole exported subnetwork, in nanoseconds.

    Attributes:
        widths: the number of channels of each group.
        predicted_ns: the time that the table predicts.
        measured: the time that was measured.
    """

    widths: Mapping[str, int]
    predicted_ns: float
    measured: Timing


def touched_groups(network: Network, calls: Iterable[int]) -> tuple[str, ...]:
    """Return the groups of the tensors and weights of some calls, in the network's order."""
    found: set[str] = set()
    for layer in (network.layers[c] for c in calls):
        axes = [network.tensors[t].axis for t in (*layer.inputs, *layer.outputs)]
        for weight in layer.weights:
            axes += network.weights[weight].axes
        found.update(group for axis in axes for group in axis.groups())
    return tuple(g.name for g in network.groups if g.name in found)


# --- where to sample --------------------------------------------------------------------------------------------------


def levels(channels: int, points: int, multiple: int = 8) -> tuple[int, ...]:
    """Return up to `points` evenly spaced widths from 1 to `channels`; inner ones are multiples of `multiple`."""
    if channels <= points:
        return tuple(range(1, channels + 1))
    ideal = np.linspace(1, channels, points)
    between = {round(w / multiple) * multiple or round(w) for w in ideal[1:-1]}
    return tuple(sorted({1, channels} | {min(w, channels) for w in between}))


def narrow_widths(channels: Mapping[str, int]) -> dict[str, int]:
    """Return a quarter of each group's channels, but at least one."""
    return {group: max(round(count / 4), 1) for group, count in channels.items()}


def wanted_samples(segments: Sequence[Segment], channels: Mapping[str, int], points: int) -> list[SamplePoint]:
    """Return (segment, widths) for every sample of the tables.

    A segment with one group is sampled at the group's levels, one with two groups at the grid of their levels. One with
    more groups is sampled with all groups at the same level, and with each group alone at its smallest level.
    """
    wanted = []
    for segment in segments:
        axes = [levels(channels[g], points) for g in segment.groups]
        if len(axes) <= 2:
            choices = list(itertools.product(*axes))
        else:
            together = [tuple(a[min(i, len(a) - 1)] for a in axes) for i in range(max(map(len, axes)))]
            full = tuple(a[-1] for a in axes)
            alone = [(*full[:i], axes[i][0], *full[i + 1 :]) for i in range(len(axes))]
            choices = list(dict.fromkeys([*together, *alone]))
        wanted += [(segment.index, choice) for choice in choices]
    return wanted


def rounds(
    segments: Sequence[Segment], wanted: Sequence[SamplePoint], channels: Mapping[str, int]
) -> Iterator[tuple[dict[str, int], list[SamplePoint]]]:
    """Yield choices of widths for the whole network, each with the samples to take from it, until all are taken.

    Building a network at new widths is slow, so each choice covers as many compatible samples as possible.
    """
    groups = {s.index: s.groups for s in segments}
    left = list(wanted)
    while left:
        widths: dict[str, int] = {}
        taken, rest = [], []
        for segment, choice in left:
            if all(widths.get(g, w) == w for g, w in zip(groups[segment], choice, strict=True)):
                widths.update(zip(groups[segment], choice, strict=True))
                taken.append((segment, choice))
            else:
                rest.append((segment, choice))
        yield {g: widths.get(g, n) for g, n in channels.items()}, taken
        left = rest


# --- tables -----------------------------------------------------------------------------------------------------------


def summed_times(
    network: Network, segments: Sequence[Segment], samples: Iterable[Sample], overhead_ns: float
) -> SummedTimes:
    """Return the time of the network as a function of the group widths.

    Args:
        network: the network.
        segments: its segments.
        samples: all samples of the segments.
        overhead_ns: time of an empty run, which is part of each sample, but occurs only once in the whole network.
    """
    tables = SummedTimes(network.channels)
    by_segment: dict[int, dict[tuple[int, ...], float]] = {s.index: {} for s in segments}
    for sample in samples:
        by_segment[sample.segment][sample.widths] = max(sample.timing.ns - overhead_ns, 0.0)
    for segment in segments:
        times = by_segment[segment.index]
        if len(segment.groups) == 0:
            tables.constant += times[()]
        elif len(segment.groups) == 1:
            tables.add_group(segment.groups[0], times)
        elif len(segment.groups) == 2:
            tables.add_pair(segment.groups, times)
        else:
            tables.add_fitted(network, segment, times)
    tables.constant += overhead_ns
    return tables


class SummedTimes:
    """The sum of the times of segments in ns. It is kept in floats and rounded once, by `form`."""

    def __init__(self, channels: Mapping[str, int]) -> None:
        self.constant = 0.0
        self._channels = channels
        self._groups: dict[str, FloatArray] = {}
        self._pairs: dict[tuple[str, str], FloatArray] = {}
        self._rank = {g: i for i, g in enumerate(channels)}

    def add_group(self, group: str, times: Mapping[tuple[int, ...], float]) -> None:
        at = sorted(times)
        widths = np.arange(1, self._channels[group] + 1)
        self._group(group, np.interp(widths, [w for (w,) in at], [times[w] for w in at]))

    def add_pair(self, groups: tuple[str, ...], times: Mapping[tuple[int, ...], float]) -> None:
        """Add times at a grid of two groups' widths, with bilinear interpolation between its points."""
        first, second = (sorted({w[i] for w in times}) for i in (0, 1))
        grid = np.array([[times[a, b] for b in second] for a in first])
        rows, columns = (np.arange(1, self._channels[g] + 1) for g in groups)
        along = np.stack([np.interp(columns, second, row) for row in grid])
        self._pair(groups[0], groups[1], np.stack([np.interp(rows, first, c) for c in along.T], axis=1))

    def add_fitted(self, network: Network, segment: Segment, times: Mapping[tuple[int, ...], float]) -> None:
        """Add a fit of times: a constant, MACs, elements read and elements written, with nonnegative coefficients."""
        terms = _work(network, segment)
        at = list(times)
        matrix = np.array(
            [[t.at({**network.channels, **dict(zip(segment.groups, w, strict=True))}) for t in terms] for w in at],
            float,
        )
        prices = _nonnegative_prices(matrix, np.array([times[w] for w in at]))
        for term, price in zip(terms, prices, strict=True):
            self.constant += price * term.constant
            for group, coefficient in term.linear.items():
                self._group(group, price * coefficient * np.arange(1.0, self._channels[group] + 1))
            for (a, b), coefficient in term.products.items():
                rows, columns = (np.arange(1.0, self._channels[g] + 1) for g in (a, b))
                if a == b:
                    self._group(a, price * coefficient * rows**2)
                else:
                    self._pair(a, b, price * coefficient * np.outer(rows, columns))

    def form(self, scale: float = 1.0, offset_ns: float = 0.0) -> TableForm:
        """Return the sum x `scale` + `offset_ns` as a form in the group widths, in whole nanoseconds."""
        return TableForm(
            round(self.constant * scale + offset_ns),
            {g: np.rint(t * scale).astype(np.int64) for g, t in self._groups.items()},
            {p: np.rint(t * scale).astype(np.int64) for p, t in self._pairs.items()},
        )

    def _group(self, group: str, table: FloatArray) -> None:
        self._groups[group] = self._groups.get(group, 0.0) + table

    def _pair(self, a: str, b: str, table: FloatArray) -> None:
        key, table = ((a, b), table) if self._rank[a] < self._rank[b] else ((b, a), table.T)
        self._pairs[key] = self._pairs.get(key, 0.0) + table


def _work(network: Network, segment: Segment) -> tuple[SumForm, ...]:
    """Return the terms of a fit as forms in the group widths: one, MACs, elements read, elements written."""
    calls: list[Layer] = [network.layers[c] for c in segment.calls]

    def elements(tensors: Iterable[int]) -> SumForm:
        return product_sum(network, [(network.tensors[t].positions, [network.tensors[t].axis]) for t in tensors])

    macs = product_sum(network, [(t.coefficient, t.factors) for layer in calls for t in layer.macs])
    return SumForm(1), macs, elements(calls[0].inputs), elements(calls[-1].outputs)


def _nonnegative_prices(matrix: FloatArray, times: FloatArray) -> FloatArray:
    """Solve nonnegative least squares by trying all subsets of the columns, of which there are few."""
    columns = matrix.shape[1]
    scale = np.maximum(np.abs(matrix).max(axis=0), 1.0)
    best, least = np.zeros(columns), math.inf
    for size in range(1, columns + 1):
        for chosen in map(list, itertools.combinations(range(columns), size)):
            prices, *_ = np.linalg.lstsq(matrix[:, chosen] / scale[chosen], times, rcond=None)
            if np.all(prices >= 0):
                error = float(np.square(matrix[:, chosen] / scale[chosen] @ prices - times).sum())
                if error < least:
                    best, least = np.zeros(columns), error
                    best[chosen] = prices / scale[chosen]
    return best
