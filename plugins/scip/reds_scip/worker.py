"""Lets SCIP solve one model; a script that `reds_core.system.serve` runs in a separate process."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np

from reds_core.arrays import NamedArrays
from reds_core.knapsack.relaxation import TIGHT_TOLERANCE
from reds_core.system import serve

LIMITS = {"timelimit": "time", "memlimit": "memory", "userinterrupt": "interrupted", "terminate": "interrupted"}


def answer(request: NamedArrays) -> dict[str, Any]:
    """Solve the model in `request`; see `reds_core.knapsack.relaxation.ask_worker` for the names of the arrays."""
    import pyscipopt

    started = time.perf_counter()
    model = pyscipopt.Model()
    model.hideOutput()
    columns = _fill(pyscipopt, model, request)
    for name, setting in _settings(request).items():
        model.setParam(name, setting)
    # the lock must be free for the thread that ends this process together with its caller
    model.optimizeNogil()
    status = model.getStatus()
    infeasible, finished = status in ("infeasible", "inforunbd"), status in ("optimal", "gaplimit")
    best = model.getBestSol() if model.getNSols() else None
    bound = np.inf if infeasible else model.getDualbound()
    return {
        "columns": np.array([] if best is None else [model.getSolVal(best, c) for c in columns], np.float64),
        "bound": bound if abs(bound) < model.infinity() else np.inf,
        "finished": finished,
        "infeasible": infeasible,
        "limit": LIMITS.get(status, ""),
        "message": "" if infeasible or finished or status in LIMITS else f"SCIP stopped with status {status}",
        "seconds": time.perf_counter() - started,
    }


def _fill(pyscipopt: Any, model: Any, request: NamedArrays) -> list[Any]:
    """Write the model of `request` into an empty SCIP model, and return its columns."""
    kinds, uppers, objective, column, coefficient, rhs, equality, starts, start = (
        request[name].tolist()
        for name in ("whole", "upper", "objective", "column", "coefficient", "rhs", "equality", "starts", "start")
    )
    columns = [
        model.addVar(vtype="I" if whole else "C", lb=0, ub=upper, obj=value)
        for whole, upper, value in zip(kinds, uppers, objective, strict=True)
    ]
    model.setMaximize()
    model.addObjoffset(int(request["offset"]))
    for limit, is_equal, (a, b) in zip(rhs, equality, pairwise(starts), strict=True):
        terms = pyscipopt.quicksum(k * columns[c] for k, c in zip(coefficient[a:b], column[a:b], strict=True))
        model.addCons(terms == limit if is_equal else terms <= limit)
    if start:
        known = model.createSol()
        for variable, level in zip(columns, start, strict=True):
            model.setSolVal(known, variable, level)
        model.addSol(known)
    return columns


def _settings(request: NamedArrays) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "limits/gap": float(request["gap"]),
        "limits/absgap": 0.0,
        "numerics/feastol": TIGHT_TOLERANCE,
        "randomization/randomseedshift": int(request["seed"]),
    }
    if int(request["memory"]):
        settings["limits/memory"] = int(request["memory"]) / 2**20
    if np.isfinite(request["deadline"]):
        settings["limits/time"] = max(float(request["deadline"]) - time.monotonic(), 0.01)
    return settings


if __name__ == "__main__":
    serve(answer)
