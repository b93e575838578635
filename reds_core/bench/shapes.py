"""Layer shapes of real networks, as far as the cost of widths depends on them.

No network is built: a layer consists of its kernel area, the sizes of its feature maps and its channel groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

Side = str | int
"""A channel group by name, or a fixed number of channels."""


@dataclass(frozen=True)
class LayerShape:
    """A convolution, depthwise convolution (source equals target) or dense layer.

    Attributes:
        source, target: input and output channels.
        area: number of weights of one kernel (9 for 3 x 3; 1 for dense).
        pixels_in, pixels_out: number of positions of its input and output feature maps.
        held: other feature maps that must stay in memory while it runs, as (channels, positions).
        macs: multiply-accumulates of one kernel; None means area x pixels_out.
    """

    source: Side
    target: Side
    area: int
    pixels_in: int
    pixels_out: int
    held: tuple[tuple[Side, int], ...] = ()
    macs: int | None = None

    @property
    def depthwise(self) -> bool:
        return self.source == self.target

    @property
    def kernel_macs(self) -> int:
        """Multiply-accumulates of one kernel."""
        return self.area * self.pixels_out if self.macs is None else self.macs


@dataclass(frozen=True)
class NetworkShape:
    """The full widths of channel groups by name, and the layers between the groups."""

    name: str
    groups: Mapping[str, int]
    layers: tuple[LayerShape, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the full network."""

        def channels(side: Side) -> int:
            return self.groups[side] if isinstance(side, str) else side

        return sum(
            layer.kernel_macs * channels(layer.target) * (1 if layer.depthwise else channels(layer.source))
            for layer in self.layers
        )


# --- keyword spotting: Zhang et al., "Hello Edge", 2017, the networks of the REDS paper -------------------------------


def ds_cnn(size: str) -> NetworkShape:
    """DS-CNN S, M or L on 49 x 10 speech features."""
    channels, blocks = {"s": (64, 4), "m": (172, 4), "l": (276, 5)}[size]
    first, later = (125, 125) if size == "s" else (250, 65)
    groups = {"conv": channels, **{f"pw{i}": channels for i in range(1, blocks + 1)}}
    layers = [LayerShape(1, "conv", 40, 490, first)]
    pixels = first
    for before, after in pairwise(groups):
        layers += [LayerShape(before, before, 9, pixels, later), LayerShape(before, after, 1, later, later)]
        pixels = later
    return NetworkShape(f"ds-cnn-{size}", groups, (*layers, LayerShape(list(groups)[-1], 12, 1, 1, 1)))


def cnn(size: str) -> NetworkShape:
    """CNN S, M or L on 49 x 10 speech features: two convolutions of 10 x 4, two dense layers."""
    conv1, conv2, linear = {"s": (28, 30, 16), "m": (64, 48, 16), "l": (60, 76, 58)}[size]
    groups = {"conv1": conv1, "conv2": conv2, "linear": linear, "dense": 128}
    layers = (
        LayerShape(1, "conv1", 40, 490, 280),
        LayerShape("conv1", "conv2", 40, 280, 64),
        LayerShape("conv2", "linear", 64, 64, 1),
        LayerShape("linear", "dense", 1, 1, 1),
        LayerShape("dense", 12, 1, 1, 1),
    )
    return NetworkShape(f"cnn-{size}", groups, layers)


def dnn(size: str) -> NetworkShape:
    """DNN S, M or L on 25 x 10 speech features: three dense layers."""
    groups = dict.fromkeys(("fc1", "fc2", "fc3"), {"s": 144, "m": 256, "l": 436}[size])
    layers = [LayerShape(250, "fc1", 1, 1, 1)] + [LayerShape(a, b, 1, 1, 1) for a, b in pairwise(groups)]
    return NetworkShape(f"dnn-{size}", groups, (*layers, LayerShape("fc3", 12, 1, 1, 1)))


# --- vision -----------------------------------------------------------------------------------------------------------


def mobilenet_v1(alpha: float = 1.0, resolution: int = 224, classes: int = 1000) -> NetworkShape:
    """MobileNetV1 (Howard et al., 2017) of width `alpha` on images of `resolution` x `resolution`."""
    widths = [int(alpha * w) for w in (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)]
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    groups = {f"c{i}": w for i, w in enumerate(widths)}
    side = resolution // 2
    layers = [LayerShape(3, "c0", 9, resolution**2, side * side)]
    for i, stride in enumerate(strides):
        before = side * side
        side //= stride
        layers += [LayerShape(f"c{i}", f"c{i}", 9, before, side * side)]
        layers += [LayerShape(f"c{i}", f"c{i + 1}", 1, side * side, side * side)]
    suffix = "" if (alpha, resolution) == (1.0, 224) else f"-{alpha:g}-{resolution}"
    return NetworkShape(f"mobilenet-v1{suffix}", groups, (*layers, LayerShape("c13", classes, 1, 1, 1)))


def mobilenet_v2() -> NetworkShape:
    """MobileNetV2 1.0 at 224 x 224 (Sandler et al., 2018); the blocks of a stage share one output group."""
    groups = {"stem": 32, "s0": 16}
    side = 112
    layers = [LayerShape(3, "stem", 9, 224 * 224, side * side), LayerShape("stem", "stem", 9, side * side, side * side)]
    layers.append(LayerShape("stem", "s0", 1, side * side, side * side))
    before = "s0"
    stages = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
    for number, (width, repeats, stride) in enumerate(stages, 1):
        out = f"s{number}"
        groups[out] = width
        for block in range(repeats):
            inner = f"{out}/e{block}"
            groups[inner] = 6 * groups[before]
            large = side * side
            side //= stride if block == 0 else 1
            small = side * side
            held: tuple[tuple[Side, int], ...] = () if block == 0 else ((before, large),)
            layers.append(LayerShape(before, inner, 1, large, large))
            layers.append(LayerShape(inner, inner, 9, large, small, held))
            layers.append(LayerShape(inner, out, 1, small, small, held))
            before = out
    groups["head"] = 1280
    layers += [LayerShape(before, "head", 1, side * side, side * side), LayerShape("head", 1000, 1, 1, 1)]
    return NetworkShape("mobilenet-v2", groups, tuple(layers))


def resnet50() -> NetworkShape:
    """ResNet-50 at 224 x 224 with projection shortcuts (He et al., 2015)."""
    groups = {"stem": 64}
    layers = [LayerShape(3, "stem", 49, 224 * 224, 112 * 112)]
    before, side = "stem", 56
    for number, repeats in enumerate((3, 4, 6, 3), 1):
        out, inner = f"s{number}", 64 * 2 ** (number - 1)
        groups[out] = 4 * inner
        for block in range(repeats):
            a, b = f"{out}/a{block}", f"{out}/b{block}"
            groups[a] = groups[b] = inner
            large = side * side
            side //= 2 if block == 0 and number > 1 else 1
            small = side * side
            held: tuple[tuple[Side, int], ...] = ((before, large),)
            layers.append(LayerShape(before, a, 1, large, large))
            layers.append(LayerShape(a, b, 9, large, small, held))
            layers.append(LayerShape(b, out, 1, small, small, held))
            if block == 0:
                layers.append(LayerShape(before, out, 1, large, small, ((out, small),)))
            before = out
    return NetworkShape("resnet-50", groups, (*layers, LayerShape(before, 1000, 1, 1, 1)))


def vit_b() -> NetworkShape:
    """ViT-B/16 at 224 x 224 (Dosovitskiy et al., 2020): one embedding, heads and a hidden layer in each block."""
    tokens, depth = 197, 12
    groups = {"embedding": 768}
    layers = [LayerShape(768, "embedding", 1, 196, 196)]
    for i in range(depth):
        heads, hidden = f"block{i}/heads", f"block{i}/hidden"
        groups |= {heads: 12, hidden: 3072}
        held: tuple[tuple[Side, int], ...] = (("embedding", tokens),)
        layers.append(LayerShape("embedding", heads, 3 * 64, tokens, 3 * 64 * tokens, held, macs=3 * 64 * tokens))
        # attention multiplies activations and has no weights
        layers.append(LayerShape(heads, heads, 0, 3 * 64 * tokens, 64 * tokens, held, macs=2 * 64 * tokens * tokens))
        layers.append(LayerShape(heads, "embedding", 64, 64 * tokens, tokens, held))
        layers.append(LayerShape("embedding", hidden, 1, tokens, tokens, held))
        layers.append(LayerShape(hidden, "embedding", 1, tokens, tokens, held))
    return NetworkShape("vit-b", groups, (*layers, LayerShape("embedding", 1000, 1, 1, 1)))


NETWORKS: Mapping[str, Callable[[], NetworkShape]] = {
    "ds-cnn-s": lambda: ds_cnn("s"),
    "ds-cnn-m": lambda: ds_cnn("m"),
    "ds-cnn-l": lambda: ds_cnn("l"),
    "cnn-s": lambda: cnn("s"),
    "cnn-m": lambda: cnn("m"),
    "cnn-l": lambda: cnn("l"),
    "dnn-s": lambda: dnn("s"),
    "dnn-m": lambda: dnn("m"),
    "dnn-l": lambda: dnn("l"),
    "mobilenet-v1": mobilenet_v1,
    "mobilenet-v1-0.25-96": lambda: mobilenet_v1(0.25, 96, 2),
    "mobilenet-v2": mobilenet_v2,
    "resnet-50": resnet50,
    "vit-b": vit_b,
}
"""Builders of the networks by name."""
