"""Measures how time and labels of the exact solver grow with the problem, as a table and a plot in docs/.

    python benchmarks/growth.py [--time-limit 10] [--out docs]

One axis is varied at a time: channels of a chain of five groups, groups of 64 channels, resources of MobileNetV2 in
steps of 8; each for four kinds of scores. A point that reached the time limit is hollow in the plot; the table shows
its gap.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from reds_dp import DpSolver

from reds_core.bench import KINDS, chain, knapsack, mobilenet_v2
from reds_core.knapsack import Controls, KnapsackProblem, Solution, Status, solve
from reds_core.knapsack.inference import MaxSum, build_factors

CHANNELS = (64, 128, 256, 512, 1024)
GROUPS = (5, 10, 20, 40, 60)
RESOURCES = ({"macs": 0.5}, {"macs": 0.5, "params": 0.5}, {"macs": 0.5, "params": 0.5, "peak_ram": 0.7})


@dataclass(frozen=True)
class Point:
    """One solve.

    Attributes:
        axis: what is varied.
        size: how much of it.
        kind: of the scores.
        solution: what came out.
        labels: kept by label setting, over all runs.
        solve_s: seconds of processor time (the solver uses one thread).
        sweep_s: the same of one plain max-sum sweep over the same tables.
    """

    axis: str
    size: int
    kind: str
    solution: Solution
    labels: int
    solve_s: float
    sweep_s: float

    @property
    def proven(self) -> bool:
        return self.solution.status is Status.OPTIMAL


def problems() -> list[tuple[str, int, str, Callable[[], KnapsackProblem]]]:
    """(axis, size, kind of scores, how to build the problem)."""
    result: list[tuple[str, int, str, Callable[[], KnapsackProblem]]] = []
    for kind in KINDS:
        for n in CHANNELS:
            result.append(("channels", n, kind, lambda n=n, kind=kind: knapsack(chain(5, n), kind)))  # type: ignore[misc]
        for n in GROUPS:
            result.append(("groups", n, kind, lambda n=n, kind=kind: knapsack(chain(n, 64), kind)))  # type: ignore[misc]
        for shares in RESOURCES:
            build = lambda s=shares, kind=kind: knapsack(mobilenet_v2(), kind, 8, tuple(s), s)  # type: ignore[misc]  # noqa: E731
            result.append(("resources", len(shares), kind, build))
    return result


def measure(axis: str, size: int, kind: str, problem: KnapsackProblem, time_limit_s: float) -> Point:
    """Solve `problem` once, and sweep over its tables once."""
    started = time.process_time()
    solution = solve(problem, DpSolver(), Controls(time_limit_s=time_limit_s))
    solve_s = time.process_time() - started
    factors = build_factors(problem)
    sweeps = MaxSum(factors)
    weights = np.concatenate(([1.0], np.full(factors.rows - 1, -1.0)))[None]
    sweeps.sweep(weights)
    started = time.process_time()
    sweeps.sweep(weights)
    sweep_s = time.process_time() - started
    found = re.search(r"(\d+) partial choices?", " ".join(solution.detail))
    if found is None:
        raise SystemExit(f"dp no longer says how many labels it made, but {solution.detail}")
    return Point(axis, size, kind, solution, int(found[1]), solve_s, sweep_s)


def table(points: Sequence[Point]) -> str:
    """Render all points as a Markdown table."""
    lines = ["| axis | size | scores | time (s) | one sweep (s) | labels | result |", "|---|---|---|---|---|---|---|"]
    for p in points:
        gap = "no choice" if p.solution.gap is None else f"gap {p.solution.gap:.1e}"
        stopped = "" if p.solution.limit is None else f" ({p.solution.limit.value})"
        result = "proven" if p.proven else gap + stopped
        lines.append(f"| {p.axis} | {p.size} | {p.kind} | {p.solve_s:.3f} | {p.sweep_s:.4f} | {p.labels} | {result} |")
    return "\n".join(lines)


def plot(points: Sequence[Point], path: Path) -> None:
    """Plot time and labels against each axis with a line for each kind of scores."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    axes_names = ("channels", "groups", "resources")
    figure, panels = pyplot.subplots(2, 3, figsize=(12, 7), sharey="row", layout="constrained")
    for column, axis in enumerate(axes_names):
        for kind, colour in zip(KINDS, ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=True):
            own = [p for p in points if p.axis == axis and p.kind == kind]
            for panel, heights in (
                (panels[0, column], [p.solve_s for p in own]),
                (panels[1, column], [max(p.labels, 1) for p in own]),
            ):
                panel.plot([p.size for p in own], heights, color=colour, label=kind)
                faces = [colour if p.proven else "white" for p in own]
                panel.scatter([p.size for p in own], heights, facecolors=faces, edgecolors=colour, zorder=3)
        for panel in panels[:, column]:
            panel.set_yscale("log")
            panel.grid(alpha=0.3)
            panel.set_xlabel(axis)
            ticks = [p.size for p in points if p.axis == axis and p.kind == KINDS[0]]
            panel.set_xscale("log", base=2)
            panel.set_xticks(ticks, [str(t) for t in ticks])
            panel.minorticks_off()
    panels[0, 0].set_ylabel("processor time (s)")
    panels[1, 0].set_ylabel("labels kept")
    panels[0, 0].legend(title="scores")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure everything and write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time-limit", type=float, default=10.0, help="seconds a solve")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "results")
    given = parser.parse_args()
    points = []
    for axis, size, kind, build in problems():
        points.append(measure(axis, size, kind, build(), given.time_limit))
        p = points[-1]
        print(f"{axis} {size} {kind}: {p.solution.status.value} {p.solve_s:.3f} s, {p.labels} labels", flush=True)
    text = f"""# How the exact solver grows

Made by `python benchmarks/growth.py --time-limit {given.time_limit:g}`. One axis is varied at a time: channels of a
chain of 5 groups, groups of 64 channels each, resources (MACs; and params; and peak RAM) of MobileNetV2 in steps of 8.
In the other cases all widths are candidates. Budgets are 50 % of the full network, 70 % for peak RAM. Scores:
`lognormal` resembles trained networks; `near-equal` kernels differ by 1 %; with `convex` scores value grows faster than
cost, so that the Lagrangian bound is weak; `cost-noise` is value = cost + 5 % noise. Solves stop
after {given.time_limit:g} s of
wall time or with 2^21 labels at one step (hollow points; the table shows the gap and the limit).
Times are processor time of one run on a shared machine, which does not affect the numbers of labels of proven points.

![processor time and labels](solver-growth.png)

{table(points)}
"""
    (given.out / "solver-growth.md").write_text(text)
    plot(points, given.out / "solver-growth.png")


if __name__ == "__main__":
    main()
