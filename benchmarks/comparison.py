"""Compares the solvers with each other, and writes docs/comparison.md.

    python benchmarks/comparison.py --out DIR [--parts race,paper,kernels] [--repeat 3] [--time-limit 10]
    python benchmarks/comparison.py --from-records DIR [--page docs/comparison.md]

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
import re
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from target_problems import RACE

from reds_core import Registry, read_records
from reds_core.bench import SolveRecord, suite
from reds_core.cli import run
from reds_core.knapsack import Controls, Limit, Solver, Status, load_problem, save_problem
from reds_core.knapsack.relaxation import LinearOptions, prepared
from reds_core.system import RECORDS_FILE, Machine, RecordKind, this_machine, utc_now

PAGE = Path(__file__).resolve().parents[1] / "docs" / "comparison.md"
OWN = "dp"
RIVALS = ("cpsat", "scipy-milp", "pulp", "highs", "scip", "gurobi", "toulbar2")
HEURISTICS = ("scipy-lp", "lagrangian", "greedy", "uniform-width", "global-threshold")
RAW = ("cpsat", "scipy-milp", "pulp", "highs", "scip", "gurobi", "toulbar2", "scipy-lp")
SMALL = ("cnn-s-25", "cnn-m-25", "cnn-l-25", "ds-cnn-s-25", "ds-cnn-m-25", "dnn-s-25")
"""The networks that are also solved without presolve."""
PARTS = {
    "race": "Exact solvers, all with presolve",
    "paper": "All solvers on the networks of the paper, at 25 % of the MACs",
    "kernels": "The formulation of the paper with a binary variable for each kernel",
}
KERNELS_TIME_LIMIT_S = 60
WANTED = 20
"""How many times as fast as the best rival of each problem the exact solver should be."""


@dataclass(frozen=True)
class PresolveRecord:
    """The time that the presolve of reds takes on a problem.

    Attributes:
        problem: The name of the problem.
        cpu_s: Processor seconds, the median of several runs.
        started_at: UTC, ISO 8601.
        machine: Where it ran.
    """

    problem: str
    cpu_s: float
    started_at: str
    machine: Machine


PRESOLVES = RecordKind(PresolveRecord, "a presolve", "python benchmarks/comparison.py")


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
        time_presolve(files, out / "presolve")
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


def time_presolve(files: Sequence[str], out: Path, repeats: int = 3) -> None:
    """Time the presolve of reds on each problem by itself, where that is not recorded yet."""
    with PRESOLVES.opened(out) as records:
        done = {record.problem for record in records.before}
        for path in map(Path, files):
            if path.stem in done:
                continue
            problem, started_at, times = load_problem(path), utc_now(), []
            for _ in range(repeats + 1):
                began = time.thread_time()
                prepared(problem, Controls(), LinearOptions(), time.perf_counter())
                times.append(time.thread_time() - began)
            # the first run loads code
            records.append(PresolveRecord(path.stem, statistics.median(times[1:]), started_at, this_machine()))


# --- the page ---------------------------------------------------------------------------------------------------------


def rival_s(record: SolveRecord, presolve_s: float) -> float:
    """Seconds of a solve by a rival, without what is not the rival's own work.

    Plugins start some back ends in a process of their own, which loads Python and libraries for every solve. The time
    in the back end, as the plugin reports it, plus the time of presolve is without that.
    """
    spent_s = record.wall_s if record.cpu_s is None else record.cpu_s
    return spent_s if record.backend_s is None else min(spent_s, record.backend_s + presolve_s)


def race_table(records: Sequence[SolveRecord], presolve_s: dict[str, float]) -> str:
    """The exact solver of reds against the fastest of the others on each problem."""
    lines = [
        f"| problem | groups | options | `{OWN}` | presolve | fastest rival, presolve included | times as long |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    ratios = []
    for target in RACE:
        own = [r for r in records if r.problem.name == target.name]
        times: dict[str, list[float]] = {}
        proved = {r.contender.label for r in own} - {r.contender.label for r in own if r.status is not Status.OPTIMAL}
        for record in own:
            if record.contender.label in proved:
                seconds = record.cpu_s if record.contender.label == OWN else rival_s(record, presolve_s[target.name])
                times.setdefault(record.contender.label, []).append(seconds or 0.0)
        medians = {label: statistics.median(found) for label, found in times.items()}
        if OWN not in medians:
            continue
        rivals = {label: seconds for label, seconds in medians.items() if label != OWN}
        if rivals:
            best = min(rivals, key=lambda label: rivals[label])
            best_s, fastest = rivals[best], f"{best}, {rivals[best]:.3g} s"
        else:
            # at least so long, since no rival that was stopped had a proof by then
            best_s = min(r.cpu_s or r.wall_s for r in own if r.limit is Limit.TIME)
            fastest = f"none in {best_s:.3g} s"
        ratios.append(best_s / medians[OWN])
        lines.append(
            f"| {target.name} | {own[0].problem.groups} | {own[0].problem.options:,} | {medians[OWN]:.3g} s "
            f"| {presolve_s[target.name]:.3g} s | {fastest} | {ratios[-1]:.3g} |"
        )
    if not ratios:
        return "No problem was proved."
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    lines += [
        "",
        f"Against the fastest rival of each problem, with presolve lent to it, `{OWN}` is **{mean:.1f} times** as fast "
        f"(geometric mean of {len(ratios)} problems; the aim is {WANTED}). Times are processor seconds to the proof, "
        "medians of the repeats. Where a plugin starts its back end in a process of its own, the start of that process "
        "is not counted. On a problem that no rival proved, the least time after which one was stopped is compared.",
    ]
    return "\n".join(lines)


def page(folder: Path) -> str:
    """The page as Markdown, from the records in a folder."""
    lines = [
        "# Solvers compared",
        "",
        "Made by `python benchmarks/comparison.py`. Each solve has a process of its own and one thread, and solvers "
        "take turns on each problem. Times are processor seconds of the solve with all threads and processes that it "
        "starts. Shifted means are geometric with a shift of 10 ms; problems without a proof count as the time limit.",
        "",
    ]
    for part, title in PARTS.items():
        if not (folder / part / RECORDS_FILE).exists():
            continue
        if run(["report", str(folder / part)]):
            sys.exit(1)
        lines += [f"## {title}", ""]
        records = read_records(folder / part)
        _refuse_several_machines(records)
        if part == "race":
            presolve_s = {record.problem: record.cpu_s for record in PRESOLVES.read(folder / "presolve")}
            lines += ["### The exact solver against the fastest rival of each problem", ""]
            lines += [race_table(records, presolve_s), ""]
        summary = (folder / part / "summary.md").read_text(encoding="utf-8")
        body = re.sub(r"\A# .*\n", "", summary)
        lines += [re.sub(r"^#", "##", body, flags=re.MULTILINE).strip(), ""]
    return "\n".join(lines)


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
