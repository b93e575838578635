"""One solve in this process, measured in processor seconds; started by benchmarks/solver_targets.py.

    python benchmarks/timed_solve.py PROBLEM.npz SOLVER LIMIT_S

It prints one line of JSON. Any version of reds can run it: what PYTHONPATH finds is measured. The solver's clock is
replaced by processor time, so that limits do not depend on what else the machine does. Two small problems are solved
first, so that libraries are loaded. A problem that takes less than `SHORT_S` is then read and solved `AGAIN` more
times, of which the median counts, so that the first use of code and memory does not.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

WALL_CLOCK = time.perf_counter
time.perf_counter = time.process_time

import resource  # noqa: E402

from reds_core import Registry, Search  # noqa: E402
from reds_core.bench import NETWORKS, knapsack  # noqa: E402
from reds_core.knapsack import Controls, load_problem  # noqa: E402

SHORT_S = 0.1
AGAIN = 15


def processor_seconds() -> float:
    """Processor seconds of this process, all its threads and the children that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def resident_bytes(field: str) -> int:
    """VmRSS, the resident memory now, or VmHWM, its peak, as Linux reports it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def again_s(path: str, search: Search) -> float:
    """Processor seconds of another solve of the problem, without reading it."""
    problem = load_problem(path)
    began = processor_seconds()
    search.answer(problem)
    return processor_seconds() - began


def main() -> None:
    path, solver, limit_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
    problem = load_problem(path)
    search = Search(Registry(), solver, None, Controls(time_limit_s=limit_s, seed=0, threads=1))
    for resources in (("macs",), ("macs", "params")):
        search.answer(knapsack(NETWORKS["cnn-s"](), "lognormal", 8, resources))
    before_bytes = resident_bytes("VmRSS")
    wall, began = WALL_CLOCK(), processor_seconds()
    solution = search.answer(problem)
    spent_s, wall_s = processor_seconds() - began, WALL_CLOCK() - wall
    if spent_s < SHORT_S:
        spent_s = statistics.median(again_s(path, search) for _ in range(AGAIN))
    found = {
        "status": solution.status.value,
        "limit": None if solution.limit is None else solution.limit.value,
        "value": solution.value,
        "bound": solution.bound,
        "gap": solution.gap,
        "cpu_s": spent_s,
        "wall_s": wall_s,
        "before_bytes": before_bytes,
        "peak_bytes": resident_bytes("VmHWM"),
        "answered_by": solution.solver,
        "detail": list(solution.detail),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
