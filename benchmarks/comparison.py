"""Compares the solvers with each other, and writes docs/results/comparison.md.

    python benchmarks/comparison.py --out DIR [--parts race,paper,kernels] [--repeat 3] [--time-limit 10]
    python benchmarks/comparison.py --from-records DIR [--page docs/results/comparison.md]

There are three comparisons, which are run by `reds bench` and resume where they stopped; together they take about a
quarter of an hour on an idle machine:

- race: exact solvers on nine problems of different structure, all with the presolve of reds;
- paper: all solvers on the networks of the paper at 25 % of the MACs, on the small networks also without presolve;
- kernels: the formulation of the paper with a variable for each kernel, on the smallest network.

Solvers take turns on every problem, each solve has a process and one thread, and times are processor seconds. With
--from-records, only the page is written, from the records that --out has collected.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from target_problems import RACE

from reds_core import Registry, read_records
from reds_core.bench import SolveRecord, suite
from reds_core.cli import run
from reds_core.knapsack import (
    Controls,
    Group,
    KnapsackProblem,
    Limit,
    Solver,
    Status,
    SumResource,
    load_problem,
    save_problem,
    solve,
)
from reds_core.knapsack.relaxation import LinearOptions, prepared
from reds_core.system import RECORDS_FILE, Machine, RecordKind, this_machine, utc_now

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "comparison.md"
OWN = "dp"
RIVALS = ("cpsat", "scipy-milp", "pulp", "highs", "scip", "gurobi", "toulbar2")
HEURISTICS = ("scipy-lp", "lagrangian", "greedy", "uniform-width", "global-threshold")
RAW = ("cpsat", "scipy-milp", "pulp", "highs", "scip", "gurobi", "toulbar2", "scipy-lp")
SMALL = ("cnn-s-25", "cnn-m-25", "ds-cnn-s-25")
"""The networks that are also solved without presolve."""
PARTS = {
    "race": "Exact solvers, all with presolve",
    "paper": "All solvers on the networks of the paper, at 25 % of the MACs",
    "kernels": "The formulation of the paper with a binary variable for each kernel",
}
KERNELS_TIME_LIMIT_S = 60
OVERHEAD_REPEATS = 3
REMARK_FILE = "remark.md"
"""Conditions of the measurement that the records do not show; part of the page where it exists."""
WANTED = 20
"""How many times as fast as the best rival of each problem the exact solver should be."""


class Overhead(Enum):
    """What is timed by itself."""

    PRESOLVE = "presolve"
    """The presolve of reds on a problem."""
    START = "start"
    """Starting the processes of a solver that has its back end run in processes of their own."""


@dataclass(frozen=True)
class OverheadRecord:
    """The time of a part of solves.

    Attributes:
        overhead: Which part.
        name: The name of the problem, or of the solver.
        cpu_s: Processor seconds, the median of several runs.
        started_at: UTC, ISO 8601.
        machine: Where it ran.
    """

    overhead: Overhead
    name: str
    cpu_s: float
    started_at: str
    machine: Machine


OVERHEADS = RecordKind(OverheadRecord, "a part of solves", "python benchmarks/comparison.py")


def installed(names: Sequence[str]) -> list[str]:
    """Those of the solvers that can be used here."""
    available = Registry().available(Solver)
    return [name for name in names if name in available]


def paper_files(folder: Path, names: Sequence[str]) -> list[str]:
    """The problems of the suite `paper` with these names, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for each in suite("paper"):
        if each.problem.name in names:
            path = folder / f"{each.problem.name}.npz"
            if not path.exists():
                save_problem(each.problem, path)
            files.append(str(path))
    return files


def race_files(folder: Path) -> list[str]:
    """The problems of the race, as files that are named after them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for target in RACE:
        path = folder / f"{target.name}.npz"
        if not path.exists():
            shutil.copyfile(target.file(folder / "generated"), path)
        files.append(str(path))
    return files


def compare(out: Path, parts: Sequence[str], repeat: int, time_limit_s: float) -> None:
    """Start or resume the comparisons."""
    rivals = installed(RIVALS)
    if "race" in parts:
        files = race_files(out / "problems" / "race")
        time_overheads(files, rivals, out / "overheads")
        _bench(files, [OWN, *rivals], time_limit_s, out / "race", repeat)
    if "paper" in parts:
        folder = out / "problems" / "paper"
        with_presolve = [OWN, *rivals, *installed(HEURISTICS)]
        raw = [f"{name}[presolve=false]" for name in installed(RAW)]
        _bench(paper_files(folder, SMALL), [*with_presolve, *raw], time_limit_s, out / "paper")
        names = [each.problem.name for each in suite("paper") if each.problem.name.endswith("-25")]
        _bench(paper_files(folder, names), with_presolve, time_limit_s, out / "paper")
    if "kernels" in parts:
        files = paper_files(out / "problems" / "paper", ["ds-cnn-s-kernels-25"])
        _bench(files, [OWN, "reds-kernel"], KERNELS_TIME_LIMIT_S, out / "kernels")


def _bench(files: Sequence[str], solvers: Sequence[str], time_limit_s: float, out: Path, repeat: int = 1) -> None:
    options = ["--time-limit", f"{time_limit_s:g}", "--repeat", str(repeat), "--threads", "1", "--out", str(out)]
    status = run(["bench", *files, "--solvers", ",".join(solvers), *options])
    if status:
        sys.exit(status)


def time_overheads(files: Sequence[str], solvers: Sequence[str], out: Path) -> None:
    """Time the presolve of each problem and the start of each solver by themselves, where that is not recorded yet."""
    problems = {path.stem: load_problem(path) for path in map(Path, files)}
    small = small_problem()
    registry = Registry()

    def presolve_s(name: str) -> float:
        began = time.thread_time()
        prepared(problems[name], Controls(), LinearOptions(), time.perf_counter())
        return time.thread_time() - began

    def start_s(name: str) -> float:
        began = os.times()
        solve(small, registry.create(Solver, name), Controls(seed=0, threads=1))
        ended = os.times()
        return ended.children_user + ended.children_system - began.children_user - began.children_system

    with OVERHEADS.opened(out) as records:
        done = {(record.overhead, record.name) for record in records.before}
        wanted = [(Overhead.PRESOLVE, name, presolve_s) for name in problems]
        wanted += [(Overhead.START, name, start_s) for name in solvers]
        for overhead, name, measure in wanted:
            if (overhead, name) not in done:
                started_at, times = utc_now(), [measure(name) for _ in range(OVERHEAD_REPEATS + 1)]
                # the first run loads code
                cpu_s = statistics.median(times[1:])
                records.append(OverheadRecord(overhead, name, cpu_s, started_at, this_machine()))


def small_problem() -> KnapsackProblem:
    """A problem that presolve leaves to the back end: values equal costs, which are even under an odd capacity."""
    costs = (np.array([2, 6, 8, 14]), np.array([2, 10, 12, 18]), np.array([4, 6, 16, 20]))
    groups = tuple(Group(name, np.arange(1, 5), cost) for name, cost in zip("abc", costs, strict=True))
    return KnapsackProblem("small", groups, (), (SumResource("cost", 31, 0, costs),))


# --- the page ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raced:
    """The times of all solvers on one problem of the race.

    Attributes:
        name, groups, options: The problem.
        presolve_s: Processor seconds of the presolve of reds by itself.
        proved_s: Processor seconds to a proof by solver, the median of the repeats, without the start of processes.
        stopped_s: Processor seconds after which a solver was stopped without a proof, by solver.
    """

    name: str
    groups: int
    options: int
    presolve_s: float
    proved_s: Mapping[str, float]
    stopped_s: Mapping[str, float]

    @property
    def rivals_s(self) -> Mapping[str, float]:
        """Processor seconds to a proof of the other solvers."""
        return {label: seconds for label, seconds in self.proved_s.items() if label != OWN}

    @property
    def best_rival_s(self) -> float:
        """The least time of another solver; if none has a proof, the least after which one was stopped."""
        return min(self.rivals_s.values(), default=min(self.stopped_s.values(), default=math.nan))


def raced(records: Sequence[SolveRecord], overheads: Sequence[OverheadRecord]) -> list[Raced]:
    """The times of the race by problem. Problems that the exact solver of reds did not prove are left out."""
    parts_s = {(record.overhead, record.name): record.cpu_s for record in overheads}
    found = []
    for target in RACE:
        by_solver: dict[str, list[SolveRecord]] = {}
        for record in records:
            if record.problem.name == target.name:
                by_solver.setdefault(record.contender.label, []).append(record)
        presolve_s = parts_s.get((Overhead.PRESOLVE, target.name), 0.0)
        proved_s, stopped_s = {}, {}
        for label, own in by_solver.items():
            spent_s = statistics.median(r.wall_s if r.cpu_s is None else r.cpu_s for r in own)
            if all(r.status is Status.OPTIMAL for r in own):
                # a solver that starts no process has no such time; nobody is faster than presolve
                start_s = parts_s.get((Overhead.START, label), 0.0)
                proved_s[label] = spent_s if label == OWN or start_s == 0 else max(spent_s - start_s, presolve_s)
            elif any(r.limit is Limit.TIME for r in own):
                stopped_s[label] = spent_s
        if OWN in proved_s:
            facts = by_solver[OWN][0].problem
            found.append(Raced(target.name, facts.groups, facts.options, presolve_s, proved_s, stopped_s))
    return found


def race_tables(problems: Sequence[Raced]) -> str:
    """The exact solver of reds against the fastest of the others on each problem, and against each of the others."""
    if not problems:
        return "No problem was proved."
    lines = [
        f"| problem | groups | options | `{OWN}` | presolve alone | fastest rival, with presolve | times as long |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in problems:
        rivals = each.rivals_s
        name = min(rivals, key=lambda label: rivals[label], default=None)
        fastest = f"none in {each.best_rival_s:.3g} s" if name is None else f"{name}, {each.best_rival_s:.3g} s"
        lines.append(
            f"| {each.name} | {each.groups} | {each.options:,} | {each.proved_s[OWN]:.3g} s | {each.presolve_s:.3g} s "
            f"| {fastest} | {each.best_rival_s / each.proved_s[OWN]:.3g} |"
        )
    best = _mean_ratio([(each.best_rival_s, each.proved_s[OWN]) for each in problems])
    presolve = _mean_ratio([(each.presolve_s, each.proved_s[OWN]) for each in problems])
    lines += [
        "",
        f"Against the fastest rival of each problem, with presolve lent to it, `{OWN}` is **{best:.1f} times** as fast "
        f"(geometric mean of {len(problems)} problems; the aim is {WANTED}). Presolve alone takes {presolve:.1f} times "
        f"as long as `{OWN}`, which no solver that uses it can undercut. Times are processor seconds to the proof, "
        "medians of the repeats. Where a plugin starts its back end in processes of their own, what that takes on a "
        "problem of three groups is subtracted. On a problem that no rival proved, the least time after which one was "
        "stopped is compared.",
        "",
        f"| rival, with presolve | both proved | times as long as `{OWN}` | stopped without a proof |",
        "| --- | ---: | ---: | ---: |",
    ]
    for label in dict.fromkeys(label for each in problems for label in (*each.rivals_s, *each.stopped_s)):
        pairs = [(each.proved_s[label], each.proved_s[OWN]) for each in problems if label in each.proved_s]
        ratio = f"{_mean_ratio(pairs):.3g}" if pairs else "–"
        lines.append(f"| {label} | {len(pairs)} | {ratio} | {sum(label in each.stopped_s for each in problems)} |")
    return "\n".join(lines)


def _mean_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """The geometric mean of the ratios."""
    return math.exp(sum(math.log(first / second) for first, second in pairs) / len(pairs))


def page(folder: Path) -> str:
    """The page as Markdown, from the records in a folder."""
    lines = [
        "# Solvers compared",
        "",
        "**In short: keep `--solver auto`, which takes `dp` for networks such as these.** The first table shows how "
        "many times longer the fastest other solver takes on each problem, and the tables after it show every solver.",
        "",
        "Made by `python benchmarks/comparison.py`. Each solve has a process of its own and one thread, and solvers "
        "take turns on each problem. Times are processor seconds of the solve with all threads and processes that it "
        "starts. Shifted means are geometric with a shift of 10 ms; a problem without a proof counts as what the "
        "solver used until the time limit.",
        "",
    ]
    remark = folder / REMARK_FILE
    if remark.exists():
        lines += [remark.read_text(encoding="utf-8").strip(), ""]
    for part, title in PARTS.items():
        if not (folder / part / RECORDS_FILE).exists():
            continue
        lines += [f"## {title}", ""]
        records = read_records(folder / part)
        _refuse_several_machines(records)
        lines += [_limits(records), ""]
        if part == "race":
            lines += ["### The exact solver against the fastest rival of each problem", ""]
            lines += [race_tables(raced(records, OVERHEADS.read(folder / "overheads"))), ""]
        body = re.sub(r"\A# .*\n", "", _summary(folder / part))
        lines += [re.sub(r"^#", "##", body, flags=re.MULTILINE).strip(), ""]
    return "\n".join(lines)


def _summary(folder: Path) -> str:
    """The summary that `reds report` makes of a comparison, without writing to its folder."""
    with tempfile.TemporaryDirectory() as name:
        for file in (RECORDS_FILE, "bench.json"):
            if (folder / file).exists():
                shutil.copyfile(folder / file, Path(name, file))
        if run(["report", name]):
            sys.exit(1)
        return Path(name, "summary.md").read_text(encoding="utf-8")


def _limits(records: Sequence[SolveRecord]) -> str:
    """A sentence on the load and on what solves that were stopped had of their time limit."""
    loads = [r.load for r in records if r.load is not None]
    shares = [r.cpu_s / r.wall_s for r in records if r.limit is Limit.TIME and r.cpu_s is not None]
    text = f"Time limits are wall time: {max(r.time_limit_s for r in records):g} s."
    if loads:
        text += f" The load average was {min(loads):.1f} to {max(loads):.1f} on {records[0].machine.cores} cores."
    if shares:
        text += f" Solves that were stopped had used {100 * statistics.median(shares):.0f} % of the limit (median) as"
        text += " processor time."
    return text


def _refuse_several_machines(records: Sequence[SolveRecord]) -> None:
    machines = {json.dumps([r.machine.cpu, r.machine.cores, r.machine.system]) for r in records}
    if len(machines) > 1:
        sys.exit(f"the records of one table are from several machines: {', '.join(sorted(machines))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/comparison"), help="folder for problems and records")
    parser.add_argument("--parts", default=",".join(PARTS), help="which comparisons to run")
    parser.add_argument("--repeat", type=int, default=3, help="how often each problem of the race is solved")
    parser.add_argument("--time-limit", type=float, default=10.0, help="seconds of wall time for each solve")
    parser.add_argument("--from-records", type=Path, help="write the page from the records in this folder")
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    if given.from_records is None:
        parts = given.parts.split(",")
        if unknown := set(parts) - set(PARTS):
            parser.error(f"unknown part '{unknown.pop()}'; choose from {', '.join(PARTS)}")
        compare(given.out, parts, given.repeat, given.time_limit)
    given.page.write_text(page(given.from_records or given.out), encoding="utf-8")


if __name__ == "__main__":
    main()
