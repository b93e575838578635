"""Random networks of any size: chains, trees and residual networks.

The kind, the size and the seed determine the network. Layers are 1 x 1 or 3 x 3 convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from reds_core.bench.shapes import LayerShape, NetworkShape, Side

CHANNELS = (16, 24, 32, 48, 64)
"""Full widths of random groups."""

AREAS = (1, 9)
"""Weights of a random kernel."""

SIDE = 32
"""Rows and columns of the input feature map; layers halve them at random down to 4."""


def chain(groups: int, channels: int) -> NetworkShape:
    """A chain of equal 1 x 1 convolutions on 10 x 10 maps."""
    names = {f"c{i}": channels for i in range(groups)}
    layers = [LayerShape(3, "c0", 9, 100, 100)] + [LayerShape(a, b, 1, 100, 100) for a, b in pairwise(names)]
    return NetworkShape(f"chain-{groups}x{channels}", names, tuple(layers))


def random_chain(size: int, seed: int) -> NetworkShape:
    """A chain of `size` groups."""
    return _tree("chain", size, seed, lambda i, rng: i - 1)


def random_tree(size: int, seed: int) -> NetworkShape:
    """A tree of `size` groups, each fed by a random earlier group."""
    return _tree("tree", size, seed, lambda i, rng: int(rng.integers(0, i)))


def _tree(kind: str, size: int, seed: int, parent: Callable[[int, np.random.Generator], int]) -> NetworkShape:
    rng = np.random.default_rng(seed)
    sides = [SIDE]
    groups = {"g0": int(rng.choice(CHANNELS))}
    layers = [LayerShape(3, "g0", 9, SIDE**2, SIDE**2)]
    for i in range(1, size):
        before = parent(i, rng)
        groups[f"g{i}"] = int(rng.choice(CHANNELS))
        sides.append(_halved(sides[before], rng))
        layers.append(LayerShape(f"g{before}", f"g{i}", int(rng.choice(AREAS)), sides[before] ** 2, sides[i] ** 2))
    return NetworkShape(f"{kind}-{size}", groups, tuple(layers))


def residual(size: int, seed: int) -> NetworkShape:
    """A residual network of `size` groups: two in each block, and one for each stage, to which its blocks add."""
    rng = np.random.default_rng(seed)
    side, stage = SIDE, "s0"
    groups = {stage: int(rng.choice(CHANNELS))}
    layers = [LayerShape(3, stage, 9, side**2, side**2)]
    while len(groups) < size:
        before, large = stage, side**2
        if len(groups) + 3 <= size and rng.random() < 0.4:
            stage = f"s{len(groups)}"
            groups[stage] = int(rng.choice(CHANNELS))
            side = _halved(side, rng)
            layers.append(LayerShape(before, stage, 1, large, side**2))
        inner = [f"b{len(groups)}", f"b{len(groups) + 1}"][: max(size - len(groups), 1)]
        groups |= {name: int(rng.choice(CHANNELS)) for name in inner}
        held: tuple[tuple[Side, int], ...] = ((stage, side**2),)
        path = [before, *inner, stage]
        pixels = [large] + [side**2] * len(inner)
        for a, b, area, size_in in zip(path, path[1:], (1, 9, 1), pixels, strict=False):
            layers.append(LayerShape(a, b, area, size_in, side**2, held))
    return NetworkShape(f"residual-{size}", groups, tuple(layers))


def _halved(side: int, rng: np.random.Generator) -> int:
    return side // 2 if side > 4 and rng.random() < 0.25 else side


TOPOLOGIES: Mapping[str, Callable[[int, int], NetworkShape]] = {
    "chain": random_chain,
    "tree": random_tree,
    "residual": residual,
}
"""Builders that make a network from a number of groups and a seed."""
