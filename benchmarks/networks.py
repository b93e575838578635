"""Knapsack problems from the layer shapes of real networks, with seeded synthetic scores.

    python benchmarks/networks.py mobilenet-v2 --step 8 --resources macs,params,peak_ram --fraction 0.5 --out p.npz

No network is built: a layer is its kernel area, its maps' sizes and the channel groups on both sides.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from reds_core.problem import Group, KnapsackProblem, Pair, PeakResource, PeakStep, Resource, SumResource
from reds_core.problem_file import save_problem

FULL_VALUE = 2.0**31
"""Value of the full network, to which synthetic scores are scaled before they are rounded."""

Side = str | int
"""A channel group by name, or a fixed number of channels."""


@dataclass(frozen=True)
class Layer:
    """A convolution, depthwise convolution (source equals target) or dense layer.

    Attributes:
        source, target: what feeds it and what it makes.
        area: weights of one kernel (9 for 3 x 3; 1 for dense).
        pixels_in, pixels_out: positions of its input and output maps.
        held: other maps that are still needed while it runs, as (side, positions).
    """

    source: Side
    target: Side
    area: int
    pixels_in: int
    pixels_out: int
    held: tuple[tuple[Side, int], ...] = ()

    @property
    def depthwise(self) -> bool:
        return self.source == self.target


@dataclass(frozen=True)
class Network:
    """Channel groups by name with their full widths, and the layers between them."""

    name: str
    groups: Mapping[str, int]
    layers: tuple[Layer, ...]


# --- shapes -------------------------------------------------------------------------------------------------------


def ds_cnn(size: str) -> Network:
    """DS-CNN S, M or L on 49 x 10 speech features (Zhang et al., "Hello Edge", 2017)."""
    channels, blocks = {"s": (64, 4), "m": (172, 4), "l": (276, 5)}[size]
    first = 125 if size == "s" else 250
    groups = {"conv": channels, **{f"pw{i}": channels for i in range(1, blocks + 1)}}
    layers = [Layer(1, "conv", 40, 490, first)]
    pixels = first
    for before, after in pairwise(groups):
        layers += [Layer(before, before, 9, pixels, 125), Layer(before, after, 1, 125, 125)]
        pixels = 125
    return Network(f"ds-cnn-{size}", groups, (*layers, Layer(list(groups)[-1], 12, 1, 1, 1)))


def cnn_s() -> Network:
    """CNN S of "Hello Edge": two convolutions and two dense layers."""
    groups = {"conv1": 28, "conv2": 30, "linear": 16, "dense": 128}
    layers = (
        Layer(1, "conv1", 40, 490, 280),
        Layer("conv1", "conv2", 40, 280, 112),
        Layer("conv2", "linear", 112, 112, 1),
        Layer("linear", "dense", 1, 1, 1),
        Layer("dense", 12, 1, 1, 1),
    )
    return Network("cnn-s", groups, layers)


def dnn_s() -> Network:
    """DNN S of "Hello Edge": three dense layers of 144."""
    groups = {"fc1": 144, "fc2": 144, "fc3": 144}
    layers = [Layer(250, "fc1", 1, 1, 1)] + [Layer(a, b, 1, 1, 1) for a, b in pairwise(groups)]
    return Network("dnn-s", groups, (*layers, Layer("fc3", 12, 1, 1, 1)))


def mobilenet_v1() -> Network:
    """MobileNetV1 1.0 at 224 x 224 (Howard et al., 2017)."""
    widths = [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    groups = {f"c{i}": w for i, w in enumerate(widths)}
    side = 112
    layers = [Layer(3, "c0", 9, 224 * 224, side * side)]
    for i, stride in enumerate(strides):
        before = side * side
        side //= stride
        layers += [Layer(f"c{i}", f"c{i}", 9, before, side * side)]
        layers += [Layer(f"c{i}", f"c{i + 1}", 1, side * side, side * side)]
    return Network("mobilenet-v1", groups, (*layers, Layer("c13", 1000, 1, 1, 1)))


def mobilenet_v2() -> Network:
    """MobileNetV2 1.0 at 224 x 224 (Sandler et al., 2018); blocks of a stage share their output's group."""
    groups = {"stem": 32, "s0": 16}
    side = 112
    layers = [Layer(3, "stem", 9, 224 * 224, side * side), Layer("stem", "stem", 9, side * side, side * side)]
    layers.append(Layer("stem", "s0", 1, side * side, side * side))
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
            layers.append(Layer(before, inner, 1, large, large))
            layers.append(Layer(inner, inner, 9, large, small, held))
            layers.append(Layer(inner, out, 1, small, small, held))
            before = out
    groups["head"] = 1280
    layers += [Layer(before, "head", 1, side * side, side * side), Layer("head", 1000, 1, 1, 1)]
    return Network("mobilenet-v2", groups, tuple(layers))


def resnet50() -> Network:
    """ResNet-50 at 224 x 224 with projection shortcuts (He et al., 2015)."""
    groups = {"stem": 64}
    layers = [Layer(3, "stem", 49, 224 * 224, 112 * 112)]
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
            layers.append(Layer(before, a, 1, large, large))
            layers.append(Layer(a, b, 9, large, small, held))
            layers.append(Layer(b, out, 1, small, small, held))
            if block == 0:
                layers.append(Layer(before, out, 1, large, small, ((out, small),)))
            before = out
    return Network("resnet-50", groups, (*layers, Layer(before, 1000, 1, 1, 1)))


def vit_b() -> Network:
    """ViT-B/16 at 224 x 224 (Dosovitskiy et al., 2020): one embedding, heads and a hidden layer in each block."""
    tokens, depth = 197, 12
    groups = {"embedding": 768}
    layers = [Layer(768, "embedding", 1, 196, 196)]
    for i in range(depth):
        heads, hidden = f"block{i}/heads", f"block{i}/hidden"
        groups |= {heads: 12, hidden: 3072}
        held: tuple[tuple[Side, int], ...] = (("embedding", tokens),)
        layers.append(Layer("embedding", heads, 3 * 64, tokens, 3 * 64 * tokens, held))
        layers.append(Layer(heads, heads, 2 * 64 * tokens, 3 * 64 * tokens, 64 * tokens, held))
        layers.append(Layer(heads, "embedding", 64, 64 * tokens, tokens, held))
        layers.append(Layer("embedding", hidden, 1, tokens, tokens, held))
        layers.append(Layer(hidden, "embedding", 1, tokens, tokens, held))
    return Network("vit-b", groups, (*layers, Layer("embedding", 1000, 1, 1, 1)))


def chain(groups: int, channels: int) -> Network:
    """A chain of 1 x 1 convolutions on 10 x 10 maps."""
    names = {f"c{i}": channels for i in range(groups)}
    layers = [Layer(3, "c0", 9, 100, 100)] + [Layer(a, b, 1, 100, 100) for a, b in pairwise(names)]
    return Network(f"chain-{groups}x{channels}", names, tuple(layers))


NETWORKS: Mapping[str, Callable[[], Network]] = {
    "ds-cnn-s": lambda: ds_cnn("s"),
    "ds-cnn-m": lambda: ds_cnn("m"),
    "ds-cnn-l": lambda: ds_cnn("l"),
    "cnn-s": cnn_s,
    "dnn-s": dnn_s,
    "mobilenet-v1": mobilenet_v1,
    "mobilenet-v2": mobilenet_v2,
    "resnet-50": resnet50,
    "vit-b": vit_b,
}


# --- scores -------------------------------------------------------------------------------------------------------

Floats = npt.NDArray[np.float64]


def _kernel_scores(kind: str, rows: int, columns: int, cost: float, rng: np.random.Generator) -> Floats:
    """Scores of the kernels of one layer, float64 (rows, columns), to be summed over kept channels in this order.

    lognormal: channels and kernels differ by lognormal factors, best channels first.
    near-equal: all kernels within 1 % of each other.
    convex: later channels are worth more, so that value grows faster than cost.
    cost-noise: a kernel is worth what it costs, give or take 5 %.
    """
    if kind == "lognormal":
        spread = np.sort(rng.lognormal(0.0, 1.0, rows))[::-1], np.sort(rng.lognormal(0.0, 1.0, columns))[::-1]
        scores = np.multiply.outer(*spread) * rng.lognormal(0.0, 0.5, (rows, columns))
        return scores / scores.mean() * np.sqrt(cost)
    if kind == "near-equal":
        return (1.0 + 0.01 * rng.random((rows, columns))) * np.sqrt(cost)
    if kind == "convex":
        rising = np.sqrt(np.arange(1, rows + 1) / rows), np.sqrt(np.arange(1, columns + 1) / columns)
        return np.multiply.outer(*rising) * (1.0 + 0.05 * rng.random((rows, columns))) * np.sqrt(cost)
    if kind == "cost-noise":
        return cost * (1.0 + 0.1 * (rng.random((rows, columns)) - 0.5))
    raise ValueError(f"unknown kind of scores '{kind}'")


KINDS = ("lognormal", "near-equal", "convex", "cost-noise")


@dataclass
class _Tables:
    """Sums over layers, by group and by pair of groups (first name first)."""

    own_value: dict[str, Floats]
    own_cost: dict[str, dict[str, Floats]]
    pair_value: dict[tuple[str, str], Floats]
    bilinear: dict[str, dict[tuple[str, str], int]]


def _widths(channels: int, step: int) -> npt.NDArray[np.int64]:
    """Every `step`-th width, the full one last."""
    first = channels % step or step
    return np.arange(first, channels + 1, step, dtype=np.int64)


def _accumulate(network: Network, widths: Mapping[str, npt.NDArray[np.int64]], kind: str, seed: int) -> _Tables:
    rng = np.random.default_rng(seed)
    tables = _Tables(
        {g: np.zeros(len(w)) for g, w in widths.items()},
        {r: {g: np.zeros(len(w)) for g, w in widths.items()} for r in ("macs", "params")},
        {},
        {"macs": {}, "params": {}},
    )
    for layer in network.layers:
        kernels = {"macs": layer.area * layer.pixels_out, "params": layer.area}
        joined = not layer.depthwise and isinstance(layer.source, str) and isinstance(layer.target, str)
        if joined:
            a, b = str(layer.source), str(layer.target)
            scores = _kernel_scores(kind, network.groups[a], network.groups[b], kernels["macs"], rng)
            sums = scores.cumsum(axis=0).cumsum(axis=1)[np.ix_(widths[a] - 1, widths[b] - 1)]
            if (b, a) in tables.pair_value:
                a, b, sums = b, a, sums.T
            tables.pair_value[a, b] = tables.pair_value.get((a, b), 0.0) + sums
            for resource, cost in kernels.items():
                tables.bilinear[resource][a, b] = tables.bilinear[resource].get((a, b), 0) + cost
        else:
            group = str(layer.target if isinstance(layer.target, str) else layer.source)
            other = 1 if layer.depthwise else layer.source if isinstance(layer.source, int) else layer.target
            each = float(other) if isinstance(other, int) else 1.0
            scores = _kernel_scores(kind, 1, network.groups[group], kernels["macs"] * each, rng)[0]
            tables.own_value[group] += scores.cumsum()[widths[group] - 1]
            for resource, cost in kernels.items():
                tables.own_cost[resource][group] += cost * each * widths[group]
        if isinstance(layer.target, str):
            tables.own_cost["params"][layer.target] += widths[layer.target]
    return tables


def _peak(network: Network, index: Mapping[str, int], widths: Mapping[str, npt.NDArray[np.int64]]) -> PeakResource:
    steps = []
    for layer in network.layers:
        maps: list[tuple[Side, int]] = [(layer.source, layer.pixels_in), (layer.target, layer.pixels_out), *layer.held]
        base, costs = 0, dict[str, npt.NDArray[np.int64]]()
        for side, pixels in maps:
            if isinstance(side, int):
                base += side * pixels
            else:
                costs[side] = costs.get(side, np.zeros_like(widths[side])) + widths[side] * pixels
        steps.append(PeakStep(base, tuple(index[g] for g in costs), tuple(costs.values())))
    return PeakResource("peak_ram", 2**60, tuple(steps))


def knapsack(
    network: Network,
    kind: str = "lognormal",
    step: int = 1,
    resources: Sequence[str] = ("macs",),
    fraction: float | Mapping[str, float] = 0.5,
    seed: int = 0,
) -> KnapsackProblem:
    """The problem of choosing widths of `network`.

    Args:
        network: groups and layers.
        kind: one of `KINDS`.
        step: distance of the widths on offer; groups of up to 16 channels offer all.
        resources: of macs, params, peak_ram.
        fraction: capacity of each resource as a part of the full network's use; one for all, or by resource.
        seed: of the scores.
    """
    names = list(network.groups)
    index = {g: i for i, g in enumerate(names)}
    widths = {g: _widths(n, step if n > 16 else 1) for g, n in network.groups.items()}
    tables = _accumulate(network, widths, kind, seed)
    total = sum(t[-1] for t in tables.own_value.values()) + sum(t[-1, -1] for t in tables.pair_value.values())
    scale = FULL_VALUE / float(total)

    def whole(table: Floats) -> npt.NDArray[np.int64]:
        return np.rint(table * scale).astype(np.int64)

    groups = tuple(Group(g, widths[g], whole(tables.own_value[g])) for g in names)
    pairs = tuple(Pair(index[a], index[b], whole(t)) for (a, b), t in tables.pair_value.items())
    built: list[Resource] = []
    for name in resources:
        if name == "peak_ram":
            built.append(_peak(network, index, widths))
        else:
            costs = tuple(tables.own_cost[name][g].astype(np.int64) for g in names)
            bilinear = tuple(tables.bilinear[name][key] for key in tables.pair_value)
            built.append(SumResource(name, 2**60, 0, costs, bilinear))
    problem = KnapsackProblem(f"{network.name}-{kind}-{step}", groups, pairs, tuple(built))
    full = problem.evaluate([g.options - 1 for g in groups]).usage
    shares = fraction if isinstance(fraction, Mapping) else dict.fromkeys(full, fraction)
    return problem.with_capacities({r: int(shares[r] * use) for r, use in full.items()})


def main() -> None:
    """Write one problem file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("--kind", choices=KINDS, default="lognormal")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--resources", default="macs", help="comma-separated: macs, params, peak_ram")
    parser.add_argument("--fraction", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    problem = knapsack(
        NETWORKS[given.network](), given.kind, given.step, given.resources.split(","), given.fraction, given.seed
    )
    save_problem(problem, given.out)


if __name__ == "__main__":
    main()
