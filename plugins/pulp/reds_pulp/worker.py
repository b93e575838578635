"""Solves one model with PuLP; a script that `reds_core.system.isolation` runs in a separate process.

A separate process is needed for three reasons: PuLP imports highspy if it is installed, which conflicts with ortools;
back ends print; and they start child processes and write files, which must be cleaned up when the time is up.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from reds_core.arrays import NamedArrays
from reds_core.system import serve

REPORT_S = 0.1
"""The back end should stop this many seconds before the deadline, to leave time for its report."""


def _build(pulp: Any, request: NamedArrays, way_out: bool = False) -> tuple[Any, list[Any]]:
    """The LpProblem, a minimisation, and its variables in column order.

    Args:
        request: the arrays of the model.
        way_out: add a last column that represents choosing nothing and costs more than any choice, so that the model
            always has a solution.
    """
    problem = pulp.LpProblem("reds", pulp.LpMinimize)
    costs, uppers, whole = (request[key].tolist() for key in ("objective", "upper", "whole"))
    if way_out:
        costs, uppers, whole = [*costs, sum(costs) - 1], [*uppers, 1], [*whole, True]
    variables = [
        pulp.LpVariable(f"z{i}", 0, upper, pulp.LpInteger if integer else pulp.LpContinuous)
        for i, (upper, integer) in enumerate(zip(uppers, whole, strict=True))
    ]

    def weighted(columns: Iterable[int], coefficients: Iterable[int]) -> Any:
        return pulp.LpAffineExpression([(variables[c], k) for c, k in zip(columns, coefficients, strict=True)])

    # minimise, because CBC takes the value of a start with the wrong sign when it maximises, and stops there
    objective = weighted(range(len(costs)), [-value for value in costs])
    if float(request["gap"]):  # a share of the objective with its offset, which a variable that is always 1 carries
        one = pulp.LpVariable("one", 1, 1)
        one.setInitialValue(1)
        objective += -int(request["offset"]) * one
    problem.setObjective(objective)
    columns, coefficients, starts = (request[key].tolist() for key in ("column", "coefficient", "starts"))
    for row, (equal, rhs) in enumerate(zip(request["equality"].tolist(), request["rhs"].tolist(), strict=True)):
        span = slice(starts[row], starts[row + 1])
        expression = weighted(columns[span], coefficients[span])
        if way_out and equal and rhs == 1:
            expression += variables[-1]
        sense = pulp.LpConstraintEQ if equal else pulp.LpConstraintLE
        problem.addConstraint(pulp.LpConstraint(expression, sense, f"r{row}", rhs))
    return problem, variables


def back_end(pulp: Any, request: NamedArrays, **settings: Any) -> Any:
    """The back end, with those of the wanted settings that its constructor accepts."""
    backend = str(request["backend"])
    gap = float(request["gap"])
    wanted: dict[str, Any] = {"msg": False, "gapRel": gap, "gapAbs": 0.0, "options": request["options"].tolist()}
    if float(request["deadline"]) > 0:
        wanted["timeLimit"] = max(float(request["deadline"]) - time.monotonic() - REPORT_S, 0.01)
    threads = int(request["threads"])
    # one thread is CBC's default; if it is set, CBC starts a pool of one thread, which hangs in about 1% of the solves
    if threads > 1 or (threads == 1 and not request["cbc"]):
        wanted["threads"] = threads
    wanted |= settings
    accepted = inspect.signature(getattr(pulp, backend).__init__).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    known = {k: v for k, v in wanted.items() if k in accepted or (takes_any and k != "warmStart")}
    return pulp.getSolver(backend, **known)


def answer(request: NamedArrays) -> dict[str, Any]:
    """Solve the model in `request`; see `reds_pulp.solver` for the names of the arrays."""
    import pulp

    if str(request["backend"]) not in pulp.listSolvers() or not back_end(pulp, request).available():
        return {"unavailable": ", ".join(pulp.listSolvers(onlyAvailable=True)) or "none"}
    problem, variables = _build(pulp, request)
    for variable, level in zip(variables, request["start"].tolist(), strict=False):
        variable.setInitialValue(level)
    started = time.perf_counter()
    try:
        problem.solve(back_end(pulp, request, warmStart=bool(request["start"].size)))
        infeasible = pulp.LpSolutionInfeasible in (problem.sol_status, problem.status)
    except pulp.PulpSolverError:
        if not request["cbc"]:
            raise
        # without preprocessing, CBC crashes on some infeasible models, so try again with a way out
        problem, variables = _build(pulp, request, way_out=True)
        problem.solve(back_end(pulp, request))
        infeasible = problem.sol_status == pulp.LpSolutionOptimal and variables[-1].varValue > 0.5
    return {
        "seconds": time.perf_counter() - started,
        "optimal": problem.sol_status == pulp.LpSolutionOptimal,
        "infeasible": infeasible,
        "found": problem.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible),
        "levels": np.array(
            [np.nan if v.varValue is None else v.varValue for v in variables[: request["whole"].size]], np.float64
        ),
    }


if __name__ == "__main__":
    serve(answer)
