"""Descriptions of small networks, with weights, on which transforms are tested without any framework."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.network.axis import Axis
from reds_core.network.builder import NetworkBuilder, Value
from reds_core.network.description import MacsTerm, Network, Weight, WeightKind
from reds_core.network.dims import Dims, fixed_dims

EPSILON = 1e-3
"""What batch norms add to variances."""


def sample_networks() -> tuple[Network, ...]:
    """The networks on which transforms are tested by default.

    Between them they have convolutions of every kind, a residual addition, batch norms, dense layers with and
    without biases, layers without weights, and a layer whose channels cannot be pruned.
    """
    return (_convolutional(), _dense())


def random_weights(network: Network, seed: int) -> list[FloatArray]:
    """Random values for each weight of `network` at full width, float64, none of which is zero."""
    rng = np.random.default_rng(seed)
    shapes = [tuple(axis.full(network.channels) for axis in weight.axes) for weight in network.weights]
    return [rng.uniform(0.1, 1.0, shape) * rng.choice((-1.0, 1.0), shape) for shape in shapes]


class _Describing:
    """Describes layers one after the other."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.builder = NetworkBuilder()
        self.value = self.builder.input(shape)

    def conv(self, name: str, channels: int, size: int = 1, bias: bool = False) -> Value:
        """Add a convolution with a square kernel, stride 1 and padding."""
        height, width, read = self.value.dims
        made = self.builder.fresh(channels)
        weights = [self._weight(name, "kernel", WeightKind.KERNEL, (*fixed_dims((size, size)), read, made), 3)]
        weights += [self._weight(name, "bias", WeightKind.BIAS, (made,), 0)] if bias else []
        positions = self._length(height) * self._length(width)
        macs = MacsTerm(positions * size * size, (read, made))
        return self._call(name, "Conv2D", (height, width, made), weights, (macs,))

    def depthwise(self, name: str, size: int) -> Value:
        """Add a depthwise convolution with a square kernel, stride 1 and padding."""
        height, width, channels = self.value.dims
        axes = (*fixed_dims((size, size)), channels, *fixed_dims((1,)))
        kernel = self._weight(name, "kernel", WeightKind.KERNEL, axes, 2)
        macs = MacsTerm(self._length(height) * self._length(width) * size * size, (channels,))
        return self._call(name, "DepthwiseConv2D", self.value.dims, [kernel], (macs,))

    def norm(self, name: str) -> Value:
        """Add a batch norm."""
        axes = (self.value.dims[-1],)
        kinds = {
            "gamma": WeightKind.SCALE,
            "beta": WeightKind.OFFSET,
            "moving_mean": WeightKind.STATISTIC,
            "moving_variance": WeightKind.STATISTIC,
        }
        weights = [self._weight(name, weight, kind, axes, 0) for weight, kind in kinds.items()]
        return self._call(name, "BatchNormalization", self.value.dims, weights, in_place=True, epsilon=EPSILON)

    def dense(self, name: str, channels: int, bias: bool = True) -> Value:
        """Add a dense layer over the last dimension."""
        made = self.builder.fresh(channels)
        read = self.value.dims[-1]
        weights = [self._weight(name, "kernel", WeightKind.KERNEL, (read, made), 1)]
        weights += [self._weight(name, "bias", WeightKind.BIAS, (made,), 0)] if bias else []
        return self._call(name, "Dense", (*self.value.dims[:-1], made), weights, (MacsTerm(1, (read, made)),))

    def activation(self, name: str) -> Value:
        """Add an activation, which has no weights."""
        return self._call(name, "ReLU", self.value.dims, [], in_place=True)

    def pool(self, name: str) -> Value:
        """Add the mean over all positions."""
        return self._call(name, "GlobalAveragePooling2D", self.value.dims[-1:], [])

    def add(self, name: str, other: Value) -> Value:
        """Add an earlier value."""
        self.builder.tie(self.value.dims[-1], other.dims[-1], f"layer '{name}'")
        (self.value,) = self.builder.call(name, "Add", (other, self.value), (self.value.dims,), is_sum=True)
        return self.value

    def _length(self, axis: Axis) -> int:
        return self.builder.length(axis)

    def _weight(self, layer: str, name: str, kind: WeightKind, axes: Dims, output_axis: int) -> str:
        key = f"{layer}/{name}"
        self.builder.weight(key, Weight(key, layer, kind, axes, output_axis, kind is not WeightKind.STATISTIC))
        return key

    def _call(
        self,
        name: str,
        kind: str,
        dims: Dims,
        weights: Sequence[str],
        macs: Sequence[MacsTerm] = (),
        in_place: bool = False,
        epsilon: float | None = None,
    ) -> Value:
        (self.value,) = self.builder.call(name, kind, (self.value,), (dims,), weights, macs, in_place, epsilon=epsilon)
        return self.value


def _convolutional() -> Network:
    layers = _Describing((8, 8, 3))
    layers.conv("stem", 12, 3)
    layers.norm("stem_norm")
    first = layers.activation("stem_relu")
    layers.depthwise("depthwise", 3)
    layers.norm("depthwise_norm")
    layers.conv("pointwise", 16, bias=True)
    layers.activation("pointwise_relu")
    layers.conv("project", 12, 3)
    layers.add("add", first)
    layers.pool("pool")
    return layers.builder.finish("convolutional", [layers.dense("head", 10)])


def _dense() -> Network:
    layers = _Describing((20,))
    layers.dense("first", 9)
    layers.activation("relu")
    layers.dense("second", 1, bias=False)
    layers.dense("third", 17)
    return layers.builder.finish("dense", [layers.dense("out", 4)])
