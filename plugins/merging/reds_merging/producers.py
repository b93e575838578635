"""What computes the channels of a group: kernels, batch norms directly behind them, and other scales and offsets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import FloatArray
from reds_core.network import Axis, Layer, Network, Weight, WeightKind
from reds_core.transforms import reads_channels


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """The part of a batch norm that one group passes, with one number for each channel, float64 (channels,).

    Attributes:
        scale: The factors, which are 1 without a weight for them.
        offset: What is added, which is 0 without a weight for it.
        mean: The running means.
        variance: The running variances.
        epsilon: What is added to the variances.
        scale_at, mean_at, variance_at: The indices of the weights in `Network.weights`; None if there is none.
    """

    scale: FloatArray
    offset: FloatArray
    mean: FloatArray
    variance: FloatArray
    epsilon: float
    scale_at: int | None
    mean_at: int
    variance_at: int

    @property
    def slope(self) -> FloatArray:
        """By how much each channel is multiplied."""
        slope: FloatArray = self.scale / np.sqrt(self.variance + self.epsilon)
        return slope


@dataclass(frozen=True, eq=False)
class Producer:
    """A layer that computes the channels of a group.

    Attributes:
        rows: The values of its kernel, one row for each channel, float64 (channels, values). None for a batch norm that
            has no kernel before it, such as one behind an addition.
        bias: One row of biases for each channel, float64 (channels, biases), possibly of no columns.
        weights: The indices of the kernel and the bias in `Network.weights`.
        norm: The batch norm that is folded into it; None if there is none.
    """

    rows: FloatArray | None
    bias: FloatArray
    weights: tuple[int, ...] = ()
    norm: BatchNorm | None = None

    @property
    def sloped(self) -> FloatArray:
        """The kernel with the slopes of the batch norm folded in, one row for each channel."""
        rows = np.zeros((len(self.bias), 0)) if self.rows is None else self.rows
        return rows if self.norm is None else self.norm.slope[:, None] * rows

    @property
    def folded(self) -> FloatArray:
        """The kernel and the offsets with the batch norm folded in, one row for each channel."""
        if self.norm is None:
            return np.concatenate([self.sloped, self.bias], axis=1)
        slope = self.norm.slope
        offset = self.norm.offset + slope * (self.bias.sum(axis=1) - self.norm.mean)
        return np.concatenate([slope[:, None] if self.rows is None else self.sloped, offset[:, None]], axis=1)


def producers(network: Network, weights: Sequence[npt.NDArray[Any]], group: str) -> list[Producer]:
    """Return what computes the channels of a group, in execution order.

    Args:
        network: The description of the network.
        weights: Its weights, in the order of `network.weights`.
        group: The name of the group.
    """
    return list(_Search(network, weights, group).producers())


class _Search:
    """Finds the producers of one group."""

    def __init__(self, network: Network, weights: Sequence[npt.NDArray[Any]], group: str) -> None:
        self._network, self._weights, self._group = network, weights, group
        self._calls = Counter(call.name for call in network.layers)
        self._readers = Counter(index for call in network.layers for index in call.inputs)
        self._readers.update(network.outputs)

    def producers(self) -> Iterator[Producer]:
        norms = {call.name: self._norm(call) for call in self._network.layers if call.epsilon is not None}
        behind = {call.inputs[0]: call for call in self._network.layers if norms.get(call.name) is not None}
        folded: set[str] = set()
        seen: set[str] = set()
        for call in self._network.layers:
            if call.name in seen:
                continue
            seen.add(call.name)
            if call.epsilon is not None:
                norm = norms[call.name]
                if norm is None:
                    yield from self._positions(call)
                elif call.name not in folded:
                    yield Producer(None, np.zeros((len(norm.mean), 0)), norm=norm)
                continue
            producer = self._producer(call)
            if producer is None:
                yield from self._adjustments(call)
                continue
            follower = behind.get(call.outputs[0])
            if follower is not None and self._folds(call, follower):
                folded.add(follower.name)
                producer = Producer(producer.rows, producer.bias, producer.weights, norms[follower.name])
            yield producer

    def _folds(self, call: Layer, norm: Layer) -> bool:
        """Whether a batch norm can be folded into the layer before it, channel by channel."""
        once = self._calls[call.name] == self._calls[norm.name] == self._readers[call.outputs[0]] == 1
        plain = all(
            len(self._network.weights[index].axes) == 1 or self._dimension(index) is not None for index in call.weights
        )
        axes = [self._network.weights[index].axes for index in norm.weights]
        kernels = [i for i in call.weights if self._network.weights[i].kind is WeightKind.KERNEL]
        computed = [self._axis(index) for index in kernels]
        return once and plain and not call.is_activated and all(axis == (made,) for made in computed for axis in axes)

    def _axis(self, index: int) -> Axis | None:
        dimension = self._dimension(index)
        return None if dimension is None else self._network.weights[index].axes[dimension]

    def _dimension(self, index: int) -> int | None:
        """The dimension along which a weight computes or adjusts the channels of the group; None without one."""
        weight = self._network.weights[index]
        along = [d for d, axis in enumerate(weight.axes) if self._group in axis.groups()]
        return next((d for d in along if not reads_channels(weight, d)), None)

    def _rows(self, index: int) -> FloatArray:
        """The values of a weight, one row for each channel of the group."""
        weight, dimension = self._network.weights[index], self._dimension(index)
        assert dimension is not None
        owners = weight.axes[dimension].owners(self._group, self._network.channels)
        places = np.argsort(owners, kind="stable")[np.count_nonzero(owners < 0) :]
        values = np.moveaxis(np.asarray(self._weights[index], np.float64), dimension, 0)[places]
        return values.reshape(self._network.channels[self._group], -1)

    def _norm(self, call: Layer) -> BatchNorm | None:
        """The batch norm of a call if the group passes it with one position for each channel, else None."""
        named: list[tuple[Weight, int]] = [(self._network.weights[index], index) for index in call.weights]
        if any(self._dimension(index) is None for _, index in named):
            return None
        rows = {index: self._rows(index) for _, index in named}
        if any(values.shape[1] != 1 for values in rows.values()):
            return None
        scales, offsets, (mean_at, variance_at) = self._parts(call)
        mean = rows[mean_at][:, 0]
        return BatchNorm(
            scale=rows[scales[0]][:, 0] if scales else np.ones_like(mean),
            offset=rows[offsets[0]][:, 0] if offsets else np.zeros_like(mean),
            mean=mean,
            variance=rows[variance_at][:, 0],
            epsilon=float(call.epsilon or 0.0),
            scale_at=scales[0] if scales else None,
            mean_at=mean_at,
            variance_at=variance_at,
        )

    def _parts(self, call: Layer) -> tuple[list[int], list[int], list[int]]:
        """The indices of the scales, the offsets and the statistics of a batch norm, those of the mean first."""
        kinds = (WeightKind.SCALE, WeightKind.OFFSET, WeightKind.STATISTIC)
        found = ([index for index in call.weights if self._network.weights[index].kind is kind] for kind in kinds)
        scales, offsets, statistics = found
        return scales, offsets, statistics

    def _positions(self, call: Layer) -> Iterator[Producer]:
        """The slopes and offsets of a batch norm that tells the positions of a channel apart, as behind a Flatten."""
        if any(self._dimension(index) is None for index in call.weights):
            return  # the group does not pass it
        scales, offsets, (mean_at, variance_at) = self._parts(call)
        slope = 1 / np.sqrt(self._rows(variance_at) + float(call.epsilon or 0.0))
        slope = slope * self._rows(scales[0]) if scales else slope
        offset = -slope * self._rows(mean_at)
        yield Producer(None, np.concatenate([slope, offset + self._rows(offsets[0]) if offsets else offset], axis=1))

    def _producer(self, call: Layer) -> Producer | None:
        """The layer as a producer if it has kernels that compute the group."""
        kernels = [
            index
            for index in call.weights
            if self._network.weights[index].kind is WeightKind.KERNEL and self._dimension(index) is not None
        ]
        if not kernels:
            return None
        biases = [index for index in call.weights if index not in kernels and self._dimension(index) is not None]
        rows = np.concatenate([self._rows(index) for index in kernels], axis=1)
        none = np.zeros((len(rows), 0))
        bias = np.concatenate([none, *(self._rows(index) for index in biases)], axis=1)
        return Producer(rows, bias, (*kernels, *biases))

    def _adjustments(self, call: Layer) -> Iterator[Producer]:
        """Scales and offsets of single channels, such as the slopes of PReLU."""
        for index in call.weights:
            if self._network.weights[index].kind is not WeightKind.KERNEL and self._dimension(index) is not None:
                yield Producer(None, self._rows(index))
