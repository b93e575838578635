"""Measures how far a sweep of the exact solver is from the memory's bandwidth, and where the solver's time goes.

    python benchmarks/solver_profile.py [--write] [--only REGEX] [--limit 10]

Everything is measured in processor seconds, once with compiled code and once with NumPy (REDS_COMPILED=0). `--write`
puts both tables into docs/results/solver-speed.md.
"""

from __future__ import annotations

import argparse
import cProfile
import math
import os
import pstats
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from page_sections import put
from reds_dp import DpSolver
from target_problems import TARGETS, deep_transformer

from reds_core.bench import NETWORKS, knapsack
from reds_core.knapsack import Controls, KnapsackProblem, solve
from reds_core.knapsack.inference import MaxSum, build_factors
from reds_core.system import this_machine

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "solver-speed.md"
SWITCH = "REDS_COMPILED"
WAYS = {"compiled": None, "NumPy": "0"}
"""Name of each implementation, and what the environment variable `SWITCH` is set to for it."""
LEAST_S = 0.05
"""Processor seconds for which each operation is repeated in a round."""
ROUNDS = 5
NUMBER_BYTES = 8

SWEEPS: Mapping[str, Callable[[], KnapsackProblem]] = {
    "cnn-s": lambda: knapsack(NETWORKS["cnn-s"]()),
    "ds-cnn-s": lambda: knapsack(NETWORKS["ds-cnn-s"]()),
    "ds-cnn-l": lambda: knapsack(NETWORKS["ds-cnn-l"]()),
    "mobilenet-v2, step 8": lambda: knapsack(NETWORKS["mobilenet-v2"](), step=8),
    "resnet-50, step 8": lambda: knapsack(NETWORKS["resnet-50"](), step=8),
    "transformer-100, step 8": lambda: knapsack(deep_transformer(), step=8),
    "mobilenet-v1, step 1": lambda: knapsack(NETWORKS["mobilenet-v1"]()),
}
"""Problems by name, from tables that fit into the first cache to tables that fit into none."""

PARTS = {
    "sweeps": (("maxsum.py", "sweep"), ("maxsum.py", "marginals")),
    "label setting": (("labels.py", "run"),),
    "of that, dominance": (("dominance.py", "undominated"),),
    "local search": (("ascent.py", "improve"),),
    "building tables": (("factors.py", "build_factors"), ("maxsum.py", "__init__"), ("terms.py", "__init__")),
}
"""Parts of the solver as functions, by the names of their files."""


def per_call_s(work: Callable[[], object]) -> float:
    """The processor seconds of one call: the least of several rounds, each of which repeats the call."""
    work()
    calls = 1
    while True:
        began = time.process_time()
        for _ in range(calls):
            work()
        spent_s = time.process_time() - began
        if spent_s >= LEAST_S:
            break
        calls *= 2
    rounds = [spent_s / calls]
    for _ in range(ROUNDS - 1):
        began = time.process_time()
        for _ in range(calls):
            work()
        rounds.append((time.process_time() - began) / calls)
    return min(rounds)


def bandwidth(nbytes: int) -> tuple[float, float]:
    """Bytes a second of reading (a maximum) and of copying arrays of this total size, as NumPy does it.

    A copy counts what it reads and what it writes; source and target together have the given size.
    """
    # not zeros, all of whose pages may be one page of the system
    read = np.ones(max(nbytes // NUMBER_BYTES, 1))
    source = np.ones(max(nbytes // NUMBER_BYTES // 2, 1))
    target = np.ones_like(source)
    read_s = per_call_s(partial(np.maximum.reduce, read))
    copy_s = per_call_s(partial(np.copyto, target, source))
    return read.nbytes / read_s, 2 * source.nbytes / copy_s


def touched_bytes(sweeps: MaxSum) -> int:
    """The least traffic of a sweep: all tables are read once, and all messages are written and read once."""
    messages = sum(math.prod(sweeps.sizes[g] for g in separator) for separator in sweeps.separators if separator)
    return sweeps.factors.nbytes + 2 * NUMBER_BYTES * messages


def bucket_entries(sweeps: MaxSum) -> int:
    """The number of joint options of which a sweep takes a maximum."""
    total = 0
    for group, separator in enumerate(sweeps.separators):
        total += math.prod(sweeps.sizes[g] for g in (*separator, group))
    return total


def in_way(way: str) -> None:
    """Switch to one implementation of the innermost loops."""
    setting = WAYS[way]
    if setting is None:
        os.environ.pop(SWITCH, None)
    else:
        os.environ[SWITCH] = setting


def sweep_table(only: str) -> str:
    """The table of sweeps as Markdown."""
    lines = [
        "| problem | tables | joint options | read | copy | sweep, compiled | of reading | sweep, NumPy | of reading |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, build in SWEEPS.items():
        if not re.search(only, name):
            continue
        factors = build_factors(build())
        weights = np.concatenate(([1.0], np.full(factors.rows - 1, -1.0)))[None]
        read, copy = bandwidth(factors.nbytes)
        cells = []
        entries = bucket_entries(MaxSum(factors))
        for way in WAYS:
            in_way(way)
            sweeps = MaxSum(factors)
            seconds = per_call_s(partial(sweeps.sweep, weights))
            speed = touched_bytes(sweeps) / seconds
            cells += [f"{1e6 * seconds:,.0f} µs, {speed / 1e9:.2f} GB/s", f"{100 * speed / read:.0f} %"]
        lines.append(
            f"| {name} | {_size(factors.nbytes)} | {entries:,} | {read / 1e9:.1f} GB/s | {copy / 1e9:.1f} GB/s | "
            f"{' | '.join(cells)} |"
        )
        sys.stderr.write(lines[-1] + "\n")
    in_way("compiled")
    return "\n".join(lines)


def _size(nbytes: float) -> str:
    return f"{nbytes / 2**20:.1f} MiB" if nbytes >= 2**20 else f"{nbytes / 2**10:.0f} KiB"


@dataclass(frozen=True)
class Profile:
    """Where the time of a solve goes.

    Attributes:
        total_s: Processor seconds of the solve under the profiler.
        plain_s: Processor seconds of the solve without the profiler.
        parts_s: Processor seconds under the profiler by part; None for a part that did not run.
        labels: The number of partial choices that the solver kept.
        gap: The gap that it left.
    """

    total_s: float
    plain_s: float
    parts_s: Mapping[str, float | None]
    labels: int
    gap: float | None


def profile(problem: KnapsackProblem, limit_s: float) -> Profile:
    """Solve a problem once without and once with the profiler."""
    controls = Controls(time_limit_s=limit_s, seed=0)
    began = time.process_time()
    solution = solve(problem, DpSolver(), controls)
    plain_s = time.process_time() - began
    found = re.search(r"(\d+) partial choices?", " ".join(solution.detail))
    profiler = cProfile.Profile(time.process_time)
    profiler.runcall(solve, problem, DpSolver(), controls)
    stats = pstats.Stats(profiler)
    parts_s: dict[str, float | None] = {}
    for part, functions in PARTS.items():
        times = [
            times[3]
            for (file, _, function), times in stats.stats.items()  # type: ignore[attr-defined]
            if (Path(file).name, function) in functions
        ]
        parts_s[part] = sum(times) if times else None
    total_s: float = stats.total_tt  # type: ignore[attr-defined]
    return Profile(total_s, plain_s, parts_s, int(found[1]) if found else 0, solution.gap)


def profile_table(only: str, limit_s: float, folder: Path) -> str:
    """The table of profiles as Markdown."""
    solve(SWEEPS["cnn-s"](), DpSolver())  # loads code
    lines = [
        f"| problem | code | time | {' | '.join(PARTS)} | labels | labels a second of label setting |",
        f"| --- | --- | ---: |{' ---: |' * len(PARTS)} ---: | ---: |",
    ]
    for target in TARGETS:
        if not re.search(only, target.name):
            continue
        problem = target.problem(folder)
        for way in WAYS:
            in_way(way)
            found = profile(problem, limit_s)
            shares = ["–" if s is None else f"{100 * s / found.total_s:.0f} %" for s in found.parts_s.values()]
            setting_s = (found.parts_s["label setting"] or 0.0) / found.total_s * found.plain_s
            rate = f"{found.labels / setting_s:,.0f}" if setting_s and found.labels else "–"
            gap = "" if not found.gap else f" (gap {found.gap:.1e})"
            lines.append(
                f"| {target.name} | {way} | {found.plain_s:.3g} s{gap} | {' | '.join(shares)} "
                f"| {found.labels:,} | {rate} |"
            )
            sys.stderr.write(lines[-1] + "\n")
    in_way("compiled")
    return "\n".join(lines)


def conditions(loads: list[float]) -> str:
    """A sentence on the machine."""
    machine = this_machine()
    return (
        f"{machine.cpu} with {machine.cores} cores, Python {machine.python}, NumPy {np.__version__}, load average "
        f"{min(loads):.1f} to {max(loads):.1f} (median {statistics.median(loads):.1f})."
    )


def main() -> None:
    time.perf_counter = time.process_time  # the solver's clock: what else the machine does must not end a solve
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="regular expression: which problems")
    parser.add_argument("--limit", type=float, default=10.0, help="time limit of the profiled solves")
    parser.add_argument("--out", type=Path, default=Path("out/solver-targets"), help="folder for generated problems")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/results/solver-speed.md")
    given = parser.parse_args()
    loads = [os.getloadavg()[0]]
    sweeps = sweep_table(given.only)
    loads.append(os.getloadavg()[0])
    profiles = profile_table(given.only, given.limit, given.out / "problems")
    loads.append(os.getloadavg()[0])
    for section, text in {"sweeps": sweeps, "profile": profiles}.items():
        text = f"{text}\n\n{conditions(loads)}"
        sys.stdout.write(text + "\n\n")
        if given.write:
            put(PAGE, section, text)


if __name__ == "__main__":
    main()
