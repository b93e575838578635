"""Measures how the exact solver grows with the number of levels of each layer, as a table and a plot in docs/.

    python benchmarks/levels_growth.py [--time-limit 120] [--out docs]

The widths of all groups of a network and the bits of the weights of each layer are decided in one problem. Networks are
layer shapes without weights, and all values are synthetic. A point that reached the time limit is hollow in the plot;
the table shows its gap.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from reds_dp import DpSolver

from reds_core.arrays import FloatArray
from reds_core.bench import NETWORKS, NetworkShape
from reds_core.cost import CostModel, parse_budgets
from reds_core.formulation import DecisionSpace, Statement, WidthRules, decision_space
from reds_core.knapsack import Controls, KnapsackProblem, Nesting, Solution, Status, solve
from reds_core.network import Axis, ChannelGroup, Channels, Fixed, Layer, MacsTerm, Network, Tensor, Weight, WeightKind
from reds_core.scoring import ScoreTable
from reds_core.transforms import LayerPart, Offered, Stage, Transform

LEVELS = ((8,), (4, 8), (2, 4, 8), (2, 3, 4, 8))
"""The bits that the weights of each layer may have. A single level leaves only widths to decide."""

CASES = (
    ("ds-cnn-s", 64),
    ("mobilenet-v1", 16),
    ("mobilenet-v2", 16),
    ("mobilenet-v2", 32),
    ("resnet-50", 8),
    ("resnet-50", 16),
    ("vit-b", 16),
)
"""Networks, and the most widths of a group."""

BUDGETS = {"macs": 0.5, "weight_bytes": 0.25}
"""Shares of the full network, whose weights have 8 bits."""

KINDS = ("lognormal", "near-equal")
"""Kinds of scores; see `scores`."""

SEEDS = 3
"""The number of problems of each size."""

GOALS = {("ds-cnn-s", 64): 0.3, ("mobilenet-v2", 16): 3.0, ("mobilenet-v2", 32): 3.0, ("resnet-50", 16): 5.0}
"""The seconds of processor time that a proof with the bits 4 and 8 should take at most, tables included."""

LOSSES = {2: 0.15, 3: 0.03, 4: 0.008}
"""About what the loss of a trained network rises by if one layer has so few bits."""

RATE = 0.5
"""What a unit of loss is worth, in units of the logarithm of the share of scores that a group keeps."""


class Bits(Transform):
    """Offers the same bits for the kernel of every layer."""

    name = "bits"
    what = "weight_bits"
    stage = Stage.ENCODE
    nesting: ClassVar[Nesting] = Nesting.FREE

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = np.array(levels, np.int64)

    def offered(self, network: Network, site: str) -> Offered:
        has_kernel = any(layer.name == site and layer.weights for layer in network.layers)
        return Offered(self.levels) if has_kernel else Offered.nothing("it has no kernel")

    def described(self, part: LayerPart, level: int) -> LayerPart:
        kernels = (dataclasses.replace(w, bits=level) if w.kind is WeightKind.KERNEL else w for w in part.weights)
        return dataclasses.replace(part, weights=tuple(kernels))

    def projected(self, weight: FloatArray, of: Weight, level: int) -> FloatArray:
        raise NotImplementedError  # no weights exist


def network(shape: NetworkShape) -> Network:
    """Describe a network by its shapes. Tensors only carry the channels of their layers."""
    groups = {name: ChannelGroup(name, channels, ()) for name, channels in shape.groups.items()}
    layers: list[Layer] = []
    weights: list[Weight] = []
    tensors: list[Tensor] = []

    def axis(side: str | int) -> Axis:
        return Channels(side) if isinstance(side, str) else Fixed(side)

    for i, each in enumerate(shape.layers):
        source, target, name = axis(each.source), axis(each.target), f"{i}/{each.source}-{each.target}"
        own = []
        if each.area:
            axes = (Fixed(each.area), target) if each.depthwise else (Fixed(each.area), source, target)
            own = [len(weights), len(weights) + 1]
            weights.append(Weight(f"{name}/kernel", name, WeightKind.KERNEL, axes, len(axes) - 1, True))
            weights.append(Weight(f"{name}/bias", name, WeightKind.BIAS, (target,), 0, True))
        tensors += [Tensor(each.pixels_in, source, 2 * i), Tensor(each.pixels_out, target, 2 * i + 1)]
        factors = (target,) if each.depthwise else (source, target)
        macs = (MacsTerm(each.kernel_macs, factors),)
        layers.append(Layer(name, "Layer", (2 * i,), (2 * i + 1,), tuple(own), macs, (None,)))
    return Network(
        shape.name,
        tuple(groups.values()),
        tuple(layers),
        tuple(tensors),
        tuple(weights),
        (0,),
        (len(tensors) - 1,),
    )


def scores(described: Network, space: DecisionSpace | None, kind: str, seed: int) -> ScoreTable:
    """Draw values like those of trained networks: logarithms of kept shares of scores, less losses by few bits.

    Args:
        described: the network.
        space: what can be decided besides widths, or None.
        kind: "lognormal" for channels whose scores differ as in trained networks, "near-equal" for channels and layers
            that differ by 1 %.
        seed: seed of the random numbers.
    """
    rng = np.random.default_rng(seed)

    def drawn(size: int) -> FloatArray:
        return rng.lognormal(0.0, 1.0, size) if kind == "lognormal" else 1.0 + 0.01 * rng.random(size)

    channels = {g.name: np.sort(drawn(g.channels))[::-1] for g in described.groups}
    curves = {name: np.log(own.cumsum() / own.sum()) for name, own in channels.items()}
    values: dict[tuple[str, str], FloatArray] = {}
    for offer in () if space is None else space.offers:
        losses = [LOSSES.get(level, 0.0) for level in offer.levels.tolist()]
        values[offer.site, offer.what] = -RATE * np.array(losses) * drawn(1)
    return ScoreTable(channels, curves=curves, level_values=values)


def stated(shape: NetworkShape, levels: Sequence[int], widths: int, kind: str, seed: int) -> KnapsackProblem:
    """State the problem of a network.

    Args:
        shape: the network.
        levels: the bits that each layer may have.
        widths: the most widths of a group.
        kind, seed: see `scores`.
    """
    described = network(shape)
    space = decision_space(described, [Bits(levels)]) if len(levels) > 1 else None
    statement = Statement(described, CostModel(additional=("weight_bytes",)), WidthRules(max_options=widths), space)
    (budget,) = parse_budgets(f"{name}={share}" for name, share in BUDGETS.items())
    return statement.formulate(scores(described, space, kind, seed), budget).problem


@dataclass(frozen=True)
class Solve:
    """One problem, stated and solved.

    Attributes:
        options: the number of options of all groups.
        largest: the number of options of the largest group.
        state_s: seconds of processor time in which the problem was stated.
        solve_s: seconds of processor time in which it was solved (the solver uses one thread).
        solution: what came out.
    """

    options: int
    largest: int
    state_s: float
    solve_s: float
    solution: Solution

    @property
    def proven(self) -> bool:
        return self.solution.status is Status.OPTIMAL

    @property
    def both_s(self) -> float:
        return self.state_s + self.solve_s


@dataclass(frozen=True)
class Point:
    """The solves of one network, one for each seed.

    Attributes:
        network: the name of the network.
        widths: the most widths of a group.
        levels: the bits that each layer may have.
        kind: of the scores.
        solves: one for each seed.
    """

    network: str
    widths: int
    levels: tuple[int, ...]
    kind: str
    solves: tuple[Solve, ...]

    @property
    def median_s(self) -> float:
        """The median of the times of stating and solving."""
        return statistics.median(solve.both_s for solve in self.solves)

    @property
    def proven(self) -> bool:
        """Whether all solves ended with a proof."""
        return all(solve.proven for solve in self.solves)


def measure(name: str, widths: int, levels: tuple[int, ...], kind: str, time_limit_s: float) -> Point:
    """State and solve the problem of one network once for each seed."""
    solves = []
    for seed in range(SEEDS):
        started = time.process_time()
        problem = stated(NETWORKS[name](), levels, widths, kind, seed)
        state_s = time.process_time() - started
        started = time.process_time()
        solution = solve(problem, DpSolver(), Controls(time_limit_s=time_limit_s))
        solve_s = time.process_time() - started
        counts = [group.options for group in problem.groups]
        solves.append(Solve(sum(counts), max(counts), state_s, solve_s, solution))
    return Point(name, widths, levels, kind, tuple(solves))


def table(points: Sequence[Point]) -> str:
    """Render all points as a Markdown table."""
    lines = [
        "| network | widths | bits | scores | options | largest group | stated (s) | both (s) | slowest (s) | result |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for p in points:
        first, gaps = p.solves[0], [s.solution.gap for s in p.solves if not s.proven]
        known = [gap for gap in gaps if gap is not None]
        limits = "/".join(sorted({s.solution.limit.value for s in p.solves if s.solution.limit is not None}))
        open_ = f"{len(gaps)} of {len(p.solves)} open ({limits})" + (f", gap at most {max(known):.1e}" if known else "")
        lines.append(
            f"| {p.network} | {p.widths} | {', '.join(map(str, p.levels))} | {p.kind} | {first.options} "
            f"| {first.largest} | {statistics.median(s.state_s for s in p.solves):.2f} | {p.median_s:.2f} "
            f"| {max(s.both_s for s in p.solves):.2f} | {'proven' if p.proven else open_} |"
        )
    return "\n".join(lines)


def goals(points: Sequence[Point]) -> str:
    """Compare the points that have a goal with it, as a Markdown table."""
    lines = ["| network | widths | scores | goal (s) | median (s) | slowest (s) |", "|---|---|---|---|---|---|"]
    for p in points:
        goal = GOALS.get((p.network, p.widths))
        if goal is not None and p.levels == (4, 8):
            slowest = max(s.both_s for s in p.solves)
            lines.append(f"| {p.network} | {p.widths} | {p.kind} | {goal:g} | {p.median_s:.2f} | {slowest:.2f} |")
    return "\n".join(lines)


def plot(points: Sequence[Point], path: Path) -> None:
    """Plot the time of each network against the number of levels, with a panel for each kind of scores."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(KINDS), figsize=(11, 4.5), sharey=True, layout="constrained")
    for panel, kind in zip(panels, KINDS, strict=True):
        for number, (name, widths) in enumerate(CASES):
            own = [p for p in points if (p.network, p.widths, p.kind) == (name, widths, kind)]
            across, up = [len(p.levels) for p in own], [p.median_s for p in own]
            panel.plot(across, up, color=f"C{number}", label=f"{name}, {widths} widths")
            faces = [f"C{number}" if p.proven else "white" for p in own]
            panel.scatter(across, up, facecolors=faces, edgecolors=f"C{number}", zorder=3)
        panel.set_title(kind)
        panel.set_xlabel("levels of each layer")
        panel.set_xticks([len(levels) for levels in LEVELS])
        panel.set_yscale("log")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("processor time (s)")
    panels[0].legend(fontsize=8, loc="upper left")
    figure.savefig(path, dpi=110)


PAGE = """# How the exact solver grows with the levels of layers

Made by `python benchmarks/levels_growth.py --time-limit {limit:g}`. The widths of all groups of a network and the
bits of the weights of each layer are decided in one problem, of which `dp` looks for a proven optimum. A layer has
its levels in the options of one of its groups, so an option is a width and the bits of one to three layers. With a
single level, only widths are decided.

The budgets are 50 % of the MACs and 25 % of the bytes of all weights at 8 bits. Networks are shapes without weights.
The value of a width is the logarithm of the share of scores that it keeps, and few bits cost about as much as was
measured on trained networks. Scores: `lognormal` channels and layers differ as in trained networks; `near-equal` ones
differ by 1 %. `widths` is the most widths of a group; where options would be more than 1024, the layers of a group
have one level in common.

Times are the median and the slowest of {seeds} seeds, in seconds of processor time on a shared machine, and include
stating the problem (`stated`), in which all tables are counted. Solves stop after {limit:g} s of wall time or with
2^21 labels at one step (hollow points). Other programs may run at the same time, so that the limit of wall time is
reached after less processor time.

![processor time](levels-growth.png)

## Goals

With the bits 4 and 8, tables included:

{goals}

## All points

{table}
"""


def main() -> None:
    """Measure all points and write the page and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time-limit", type=float, default=120.0, help="seconds of wall time for each solve")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder of the page and the plot")
    arguments = parser.parse_args()
    points = []
    for kind in KINDS:
        for name, widths in CASES:
            for levels in LEVELS:
                points.append(measure(name, widths, levels, kind, arguments.time_limit))
                print(table(points[-1:]).splitlines()[-1], flush=True)
    plot(points, arguments.out / "levels-growth.png")
    page = PAGE.format(limit=arguments.time_limit, seeds=SEEDS, goals=goals(points), table=table(points))
    (arguments.out / "levels-growth.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
