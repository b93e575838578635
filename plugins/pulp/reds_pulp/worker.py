"""Solves one model with PuLP in a process of its own: `python -P worker.py REQUEST.npz REPLY.npz`.

A process of its own because PuLP imports highspy where it is installed, which cannot live beside ortools; because back
ends print; and because they start children and write files that must go when time is up. Works in the current folder.
If standard input ends, the parent is gone: the worker then removes the folder and ends its whole process group.
Imports nothing of reds, so that it starts quickly.
"""

from __future__ import annotations

import inspect
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

REPORT_S = 0.1
"""Seconds before the deadline at which the back end is to stop, to leave time for its report."""


def _watch_parent() -> None:
    """Returns never: ends this process and its children as soon as the parent is gone."""
    while os.read(0, 1):  # not through sys.stdin, whose lock would hold up the end of the process for a second
        pass
    shutil.rmtree(Path.cwd(), ignore_errors=True)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _build(pulp: Any, request: Any) -> tuple[Any, list[Any]]:
    """The LpProblem and its variables in column order."""
    problem = pulp.LpProblem("reds", pulp.LpMaximize)
    whole = int(request["whole"])
    objective = request["objective"]
    variables = [
        pulp.LpVariable(f"z{i}", 0, 1, pulp.LpInteger if i < whole else pulp.LpContinuous)
        for i in range(objective.size)
    ]

    def weighted(columns: Iterable[int], coefficients: Iterable[int]) -> Any:
        return pulp.LpAffineExpression([(variables[c], k) for c, k in zip(columns, coefficients, strict=True)])

    problem.setObjective(weighted(range(objective.size), objective.tolist()))
    columns, coefficients, starts = (request[k].tolist() for k in ("column", "coefficient", "starts"))
    for row, (equal, rhs) in enumerate(zip(request["equality"].tolist(), request["rhs"].tolist(), strict=True)):
        span = slice(starts[row], starts[row + 1])
        sense = pulp.LpConstraintEQ if equal else pulp.LpConstraintLE
        problem.addConstraint(pulp.LpConstraint(weighted(columns[span], coefficients[span]), sense, f"r{row}", rhs))
    return problem, variables


def _solver(pulp: Any, request: Any, warm: bool) -> Any:
    """The back end with as much of what is wanted as its constructor takes."""
    backend = str(request["backend"])
    wanted: dict[str, Any] = {"msg": False, "gapRel": 0.0, "gapAbs": 0.0, "warmStart": warm}
    if float(request["deadline"]) > 0:
        wanted["timeLimit"] = max(float(request["deadline"]) - time.time() - REPORT_S, 0.01)
    if int(request["threads"]) > 0:
        wanted["threads"] = int(request["threads"])
    if int(request["seed"]) >= 0:
        wanted["options"] = [f"randomSeed {int(request['seed'])}", f"randomCbcSeed {int(request['seed'])}"]
    accepted = inspect.signature(getattr(pulp, backend).__init__).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    return pulp.getSolver(
        backend, **{k: v for k, v in wanted.items() if k in accepted or (takes_any and k != "warmStart")}
    )


def _answer(request: Any) -> dict[str, Any]:
    import pulp

    backend = str(request["backend"])
    if backend not in pulp.listSolvers() or not _solver(pulp, request, False).available():
        return {"unavailable": ", ".join(pulp.listSolvers(onlyAvailable=True)) or "none"}
    problem, variables = _build(pulp, request)
    start = request["start"]
    for variable, level in zip(variables, start.tolist(), strict=False):
        variable.setInitialValue(level)
    solver = _solver(pulp, request, bool(start.size))
    started = time.perf_counter()
    problem.solve(solver)
    seconds = time.perf_counter() - started
    levels = np.array([np.nan if v.varValue is None else v.varValue for v in variables], np.float64)
    infeasible = pulp.LpSolutionInfeasible in (problem.sol_status, problem.status)
    return {
        "optimal": problem.sol_status == pulp.LpSolutionOptimal,
        "infeasible": infeasible,
        "found": problem.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible),
        "levels": levels,
        "seconds": seconds,
    }


def main(request_path: str, reply_path: str) -> None:
    """Answer the request in one file with a reply in another."""
    threading.Thread(target=_watch_parent, daemon=True).start()
    with np.load(request_path, allow_pickle=False) as request:
        reply = _answer(request)
    part = f"{reply_path}.part.npz"
    np.savez(part, **reply)
    os.replace(part, reply_path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
