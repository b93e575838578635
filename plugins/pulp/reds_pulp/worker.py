"""Solves one model with PuLP; a script that `reds_core.isolation` runs in a process of its own.

A process of its own because PuLP imports highspy where it is installed, which cannot live beside ortools; because back
ends print; and because they start children and write files that must go when time is up.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from reds_core.isolation import Arrays, serve

REPORT_S = 0.1
"""Seconds before the deadline at which the back end is to stop, to leave time for its report."""


def _build(pulp: Any, request: Arrays) -> tuple[Any, list[Any]]:
    """The LpProblem and its variables in column order."""
    problem = pulp.LpProblem("reds", pulp.LpMinimize)
    objective = request["objective"]
    kinds = [pulp.LpInteger if whole else pulp.LpContinuous for whole in request["whole"].tolist()]
    uppers = request["upper"].tolist()
    variables = [
        pulp.LpVariable(f"z{i}", 0, upper, kind) for i, (upper, kind) in enumerate(zip(uppers, kinds, strict=True))
    ]

    def weighted(columns: Iterable[int], coefficients: Iterable[int]) -> Any:
        return pulp.LpAffineExpression([(variables[c], k) for c, k in zip(columns, coefficients, strict=True)])

    problem.setObjective(weighted(range(objective.size), (-objective).tolist()))
    columns, coefficients, starts = (request[k].tolist() for k in ("column", "coefficient", "starts"))
    for row, (equal, rhs) in enumerate(zip(request["equality"].tolist(), request["rhs"].tolist(), strict=True)):
        span = slice(starts[row], starts[row + 1])
        sense = pulp.LpConstraintEQ if equal else pulp.LpConstraintLE
        problem.addConstraint(pulp.LpConstraint(weighted(columns[span], coefficients[span]), sense, f"r{row}", rhs))
    return problem, variables


def _solver(pulp: Any, request: Arrays, **settings: Any) -> Any:
    """The back end with as much of what is wanted as its constructor takes."""
    backend = str(request["backend"])
    wanted: dict[str, Any] = {"msg": False, "gapRel": 0.0, "gapAbs": 0.0, "options": request["options"].tolist()}
    if float(request["deadline"]) > 0:
        wanted["timeLimit"] = max(float(request["deadline"]) - time.time() - REPORT_S, 0.01)
    if int(request["threads"]) > 0:
        wanted["threads"] = int(request["threads"])
    wanted |= settings
    accepted = inspect.signature(getattr(pulp, backend).__init__).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    known = {k: v for k, v in wanted.items() if k in accepted or (takes_any and k != "warmStart")}
    return pulp.getSolver(backend, **known)


def _solve(pulp: Any, problem: Any, request: Arrays) -> bool:
    """Have the back end solve `problem`; whether its saying that it is optimal can be believed.

    CBC without its preprocessing crashes on some infeasible models. The relaxation then tells whether it was one; with
    its preprocessing CBC survives, but has been seen to miss optima, so that it counts as stopped early.
    """
    try:
        problem.solve(_solver(pulp, request, warmStart=bool(request["start"].size)))
        return True
    except pulp.PulpSolverError:
        if not request["cbc"]:
            raise
    problem.solve(_solver(pulp, request, mip=False))
    if problem.status != pulp.LpStatusInfeasible:
        problem.solve(_solver(pulp, request, options=[]))
        return False
    return True


def answer(request: Arrays) -> dict[str, Any]:
    """What the back end says of the model in `request`; see `reds_pulp.solver` for the names."""
    import pulp

    if str(request["backend"]) not in pulp.listSolvers() or not _solver(pulp, request).available():
        return {"unavailable": ", ".join(pulp.listSolvers(onlyAvailable=True)) or "none"}
    problem, variables = _build(pulp, request)
    for variable, level in zip(variables, request["start"].tolist(), strict=False):
        variable.setInitialValue(level)
    started = time.perf_counter()
    believed = _solve(pulp, problem, request)
    return {
        "seconds": time.perf_counter() - started,
        "believed": believed,
        "optimal": believed and problem.sol_status == pulp.LpSolutionOptimal,
        "infeasible": believed and pulp.LpSolutionInfeasible in (problem.sol_status, problem.status),
        "found": problem.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible),
        "levels": np.array([np.nan if v.varValue is None else v.varValue for v in variables], np.float64),
    }


if __name__ == "__main__":
    serve(answer)
