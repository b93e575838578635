"""A small family of files without training: members read slices of the kernels of the full network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from int8_graphs import ACTIVATIONS, SAME, VALID, GraphBuilder, integers, options

Image = tuple[int, tuple[int, ...]]
"""The index of a tensor and its shape."""


@dataclass
class KernelSource:
    """Gives the kernels of the full network, the same ones each time, of which members take parts."""

    bits: int = 8
    activation_bits: int = 8
    _kernels: dict[str, npt.NDArray[np.int8]] = field(default_factory=dict)

    def kernel(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
        if name not in self._kernels:
            limit = 127 if self.bits == 8 else 7
            seed = [ord(letter) for letter in name]
            self._kernels[name] = integers(np.random.default_rng(seed), shape, -limit, limit)
        return self._kernels[name]


class NetworkBuilder:
    """Adds layers whose kernels are parts of those of the full network, with biases and scales of their own.

    Args:
        source: The kernels.
        seed: The seed of biases and scales.
    """

    def __init__(self, source: KernelSource, seed: int) -> None:
        self.source, self.rng = source, np.random.default_rng(seed)
        self.build = GraphBuilder(source.activation_bits)
        self.is_wide = source.activation_bits == 16

    def activation(self, shape: tuple[int, ...], scale: float, zero_point: int) -> int:
        """A tensor; with 16 bits, its steps are finer by 8 bits and its zero point is 0."""
        return self.build.tensor(shape, scale / 256) if self.is_wide else self.build.tensor(shape, scale, zero_point)

    def _bias(self, scale: npt.NDArray[np.float32]) -> int:
        values = self.rng.integers(-900, 900, len(scale))
        if self.is_wide:
            return self.build.tensor(scale.shape, scale * np.float32(0.05 / 256), data=values * 256)
        return self.build.tensor(scale.shape, scale * np.float32(0.05), data=values.astype(np.int32))

    def conv(self, name: str, x: Image, full: tuple[int, ...], outputs: int, stride: int = 1,
             inputs: npt.NDArray[np.int64] | None = None, activation: str = "relu") -> Image:  # fmt: skip
        """A convolution; `full` is the shape of the full kernel, `inputs` the channels that are read of it."""
        (tensor, shape) = x
        whole = self.source.kernel(name, full)
        kernel = np.ascontiguousarray(whole[:outputs][..., np.arange(shape[3]) if inputs is None else inputs])
        assert kernel.shape[3] == shape[3]
        scale = self.rng.uniform(0.004, 0.012, outputs).astype(np.float32) * (127 / np.abs(whole).max())
        weights = self.build.tensor(kernel.shape, scale, data=kernel, bits=self.source.bits)
        bias = self._bias(scale)
        out = (1, -(-shape[1] // stride), -(-shape[2] // stride), outputs)
        y = self.activation(out, 0.05, -128 if activation == "relu" else 3)
        settings = options("Conv2DOptions", padding=SAME, strideH=stride, strideW=stride, dilationHFactor=1,
                           dilationWFactor=1, fusedActivationFunction=ACTIVATIONS[activation])  # fmt: skip
        self.build.operator("CONV_2D", [tensor, weights, bias], y, settings)
        return y, out

    def depthwise(self, name: str, x: Image, channels: int, kept: npt.NDArray[np.int64] | None = None) -> Image:
        """A depthwise convolution; `channels` is the number of the full network, `kept` those that are left."""
        (tensor, shape) = x
        whole = self.source.kernel(name, (1, 3, 3, channels))
        kernel = np.ascontiguousarray(whole[..., np.arange(shape[3]) if kept is None else kept])
        scale = self.rng.uniform(0.004, 0.012, shape[3]).astype(np.float32) * (127 / np.abs(kernel).max())
        weights = self.build.tensor(kernel.shape, scale, data=kernel, axis=3, bits=self.source.bits)
        bias = self._bias(scale)
        y = self.activation(shape, 0.05, -20)
        settings = options("DepthwiseConv2DOptions", padding=SAME, strideH=1, strideW=1, dilationHFactor=1,
                           dilationWFactor=1, depthMultiplier=1, fusedActivationFunction=0)  # fmt: skip
        self.build.operator("DEPTHWISE_CONV_2D", [tensor, weights, bias], y, settings)
        return y, shape

    def dense(self, name: str, x: Image, channels: int, classes: int) -> Image:
        """A fully connected layer after a flattened image, which had `channels` in the full network."""
        (tensor, shape) = x
        positions = shape[1] * shape[2]
        whole = self.source.kernel(name, (classes, positions * channels)).reshape(classes, positions, channels)
        kernel = np.ascontiguousarray(whole[..., : shape[3]]).reshape(classes, -1)
        flat = self.activation((1, kernel.shape[1]), 0.05, -20)
        target = self.build.tensor((2,), data=np.array([1, kernel.shape[1]], np.int32))
        self.build.operator("RESHAPE", [tensor, target], flat, options("ReshapeOptions"))
        scale = self.rng.uniform(0.004, 0.012, classes).astype(np.float32) * (127 / np.abs(whole).max())
        weights = self.build.tensor(kernel.shape, scale, data=kernel, bits=self.source.bits)
        bias = self._bias(scale)
        y = self.activation((1, classes), 0.3, 5)
        self.build.operator("FULLY_CONNECTED", [flat, weights, bias], y, options("FullyConnectedOptions"))
        return y, (1, classes)

    def pool(self, x: Image, scale: float, zero: int) -> Image:
        (tensor, shape) = x
        out = (1, shape[1] // 2, shape[2] // 2, shape[3])
        y = self.activation(out, scale, zero)
        settings = options("Pool2DOptions", padding=VALID, strideH=2, strideW=2, filterHeight=2, filterWidth=2,
                           fusedActivationFunction=0)  # fmt: skip
        self.build.operator("AVERAGE_POOL_2D", [tensor], y, settings)
        return y, out


def member(source: KernelSource, widths: tuple[int, int, int], seed: int) -> bytes:
    """A network with a residual sum, a concatenation, a depthwise convolution, and a dense layer after Flatten.

    Args:
        source: The kernels.
        widths: The channels of the stem, and of both branches. Those of the full network are 8, 6 and 10.
        seed: The seed of biases and scales.
    """
    stem, left, right = widths
    net = NetworkBuilder(source, seed)
    image = net.activation((1, 8, 7, 2), 0.05, -4)
    first = net.conv("stem", (image, (1, 8, 7, 2)), (8, 3, 3, 2), stem)
    inner = net.conv("inner", first, (8, 1, 1, 8), stem, activation="none")
    total = net.activation(first[1], 0.06, -30)
    net.build.operator("ADD", [first[0], inner[0]], total, options("AddOptions"))
    a = net.conv("left", (total, first[1]), (6, 3, 3, 8), left)
    b = net.conv("right", (total, first[1]), (10, 1, 1, 8), right)
    joined = net.activation((*a[1][:3], left + right), 0.05, -128)
    net.build.operator("CONCATENATION", [a[0], b[0]], joined, options("ConcatenationOptions", axis=3))
    inputs = np.concatenate([np.arange(left), 6 + np.arange(right)])
    spread = net.depthwise("spread", (joined, (*a[1][:3], left + right)), 16, inputs)
    mixed = net.conv("mixed", spread, (8, 3, 3, 16), stem, stride=2, inputs=inputs)
    deep = net.depthwise("deep", mixed, 8)
    y, _ = net.dense("dense", net.pool(deep, 0.05, -20), 8, 5)
    return net.build.content(image, y)


def family(bits: int = 8, activation_bits: int = 8) -> list[tuple[str, bytes]]:
    """Three members and the full network."""
    source = KernelSource(bits, activation_bits)
    widths = {"full": (8, 6, 10), "75": (6, 5, 7), "50": (4, 3, 5), "25": (3, 1, 2)}
    made = [(name, member(source, each, seed)) for seed, (name, each) in enumerate(widths.items())]
    return made[::-1]
