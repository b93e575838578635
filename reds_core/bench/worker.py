"""The script of one solve, which `reds_core.system.isolation` runs in a separate process.

It first solves a small problem without timing it, since solvers import their libraries on the first call.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reds_core.arrays import NamedArrays
from reds_core.bench.record import SolveOutcome
from reds_core.bench.task import ANSWERED, READY, WARM, Reply, SolverAnswer
from reds_core.errors import ContractViolation, RedsError, UnavailableError, UnsupportedError
from reds_core.knapsack.file import load_problem
from reds_core.knapsack.problem import Group, KnapsackProblem, Pair, SumResource
from reds_core.knapsack.solution import Limit, Solution, Status
from reds_core.knapsack.solver import Controls, Solver, solve, why_not
from reds_core.registry import Registry
from reds_core.system.isolation import mark, serve
from reds_core.system.records import from_plain, parse_json, to_json


def answer(request: NamedArrays) -> dict[str, Any]:
    """Solve the problem of a request and return the `Reply` as JSON."""
    faulthandler.enable()
    _prefer_for_oom_kill()
    _adopt_orphans()
    return {"reply": to_json(_reply(request))}


def _reply(request: NamedArrays) -> Reply:
    started, spent_s = None, 0.0
    try:
        problem = _problem(request)
        name = str(request["solver"])
        solver = Registry().create(
            Solver, name, {name: from_plain(Mapping[str, str], parse_json(str(request["settings"])))}
        )
        if solver.version() != str(request["version"]):
            raise UnavailableError(
                f"solver '{name}' has version {solver.version()} where the solve runs and {request['version']} where "
                "the comparison runs",
                "install the same version on all machines",
            )
        controls = from_plain(Controls, parse_json(str(request["controls"])))
        mark(READY)
        _warm_up(solver, problem, controls)
        mark(WARM)
        spent_s = _processor_s()
        started = time.perf_counter()
        solution = solve(problem, solver, controls)
        wall_s = time.perf_counter() - started
        cpu_s = _processor_s() - spent_s
        mark(ANSWERED)
    except (Exception, SystemExit) as error:
        wall_s = 0.0 if started is None else time.perf_counter() - started
        cpu_s = 0.0 if started is None else _processor_s() - spent_s
        mark(ANSWERED)
        return Reply(_outcome_of(error), _reason_of(error), None, wall_s, _peak_memory_bytes(), cpu_s)
    if _failed_for_memory(solution):
        reason = "; ".join(solution.detail)
        return Reply(SolveOutcome.OUT_OF_MEMORY, reason, None, wall_s, _peak_memory_bytes(), cpu_s)
    given = SolverAnswer(
        solution.status,
        solution.limit,
        solution.choice,
        solution.bound,
        None if solution.backend_s is None else float(solution.backend_s),
        solution.detail,
    )
    return Reply(SolveOutcome.ANSWERED, None, given, wall_s, _peak_memory_bytes(), cpu_s)


def _problem(request: NamedArrays) -> KnapsackProblem:
    path = Path("problem.npz")
    path.write_bytes(request["problem"].tobytes())
    problem = load_problem(path)
    path.unlink()
    return problem


def _failed_for_memory(solution: Solution) -> bool:
    """Whether the solver returned nothing because it ran out of memory, as `solve` reports a MemoryError."""
    nothing = solution.status is Status.NO_SOLUTION and solution.bound is None
    return nothing and solution.limit is Limit.MEMORY


def _outcome_of(error: BaseException) -> SolveOutcome:
    if isinstance(error, UnsupportedError):
        return SolveOutcome.REFUSED
    if isinstance(error, ContractViolation):
        return SolveOutcome.BROKE_CONTRACT
    return SolveOutcome.OUT_OF_MEMORY if isinstance(error, MemoryError) else SolveOutcome.RAISED


def _reason_of(error: BaseException) -> str:
    if isinstance(error, UnavailableError):
        return str(error)
    if isinstance(error, RedsError):
        return error.what
    if isinstance(error, MemoryError):
        return "the process ran out of memory"
    return " ".join(f"{type(error).__name__}: {error}".split())


def _warm_up(solver: Solver, problem: KnapsackProblem, controls: Controls) -> None:
    """Make `solver` load its libraries by solving a small problem, whose result is discarded."""
    if why_not(solver, problem) is not None:
        return
    small = next(
        (p for p in (_small_problem(paired=True), _small_problem(paired=False)) if not why_not(solver, p)), None
    )
    if small is not None:
        with contextlib.suppress(Exception):
            solve(small, solver, controls)


def _small_problem(paired: bool) -> KnapsackProblem:
    """A problem of three groups that no relaxation solves: values equal costs, which are even under an odd capacity.

    Args:
        paired: whether to add a pair with kernel scores.
    """
    widths, costs = np.arange(1, 5), (np.array([2, 6, 8, 14]), np.array([2, 10, 12, 18]), np.array([4, 6, 16, 20]))
    groups = tuple(Group(name, widths, cost) for name, cost in zip("abc", costs, strict=True))
    kernel = np.full((4, 4), 2.0)
    pairs = (Pair(0, 1, 2 * np.multiply.outer(widths, widths), kernel),) if paired else ()
    return KnapsackProblem("small", groups, pairs, (SumResource("cost", 31, 0, costs, (2,) * len(pairs)),))


def _prefer_for_oom_kill() -> None:
    """Make Linux kill this process rather than the comparison if the whole machine runs out of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")


def _adopt_orphans() -> None:
    """On Linux, adopt processes whose parent has exited, so that they are found and ended with this one."""
    if sys.platform == "linux":
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _processor_s() -> float:
    """Processor seconds so far of this process with all its threads, and of the children that it has waited for."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def _peak_memory_bytes() -> int | None:
    """Peak resident memory of this process, or of a child that it waited for if that is larger."""
    try:
        import resource
    except ImportError:  # the module does not exist on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    with contextlib.suppress(OSError, ValueError):
        # on Linux the maximum of getrusage includes the process that started this one
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return max(int(line.split()[1]) * 1024, children)
    return max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, children)


if __name__ == "__main__":
    serve(answer)
