"""HiGHS through SciPy: small models are first tried in this process, all others are solved in a separate one.

This module is also the script of that process (`reds_core.system.isolation`). While HiGHS runs, Python handles no
signals, so Ctrl-C would have to wait. HiGHS also checks the time only between its steps, and takes minutes to presolve
a model of some hundred thousand columns. Starting a process takes longer than solving most small models.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.arrays import NamedArrays
from reds_core.knapsack.relaxation import LinearModel
from reds_core.system import run_isolated, serve, silenced_output

HERE_COLUMNS = 4_000
"""Models of up to this many columns are tried in this process first."""

HERE_S = 0.25
"""The time limit of such a trial in seconds."""

OPTIMAL, STOPPED, INFEASIBLE = 0, 1, 2
"""Values of `status` in replies, as defined by scipy.optimize.milp and linprog."""

REPORT_S = 0.05
"""HiGHS should stop this many seconds before the deadline, to leave time for its report."""


def ask(model: LinearModel, task: str, seconds: float | None, gap: float = 0.0) -> NamedArrays | None:
    """Solve `model` with HiGHS.

    Args:
        model: the model.
        task: "milp", "lp", or "elastic" for the LP that violates limits as little as possible, each in units of its
            largest coefficient.
        seconds: the time limit, or None.
        gap: the relative gap, of the objective with the offset of the model, at which a MILP may stop.

    Returns:
        Arrays by name, or None if HiGHS was killed at the time limit: `status`, `seconds`, `message`, and `columns`
        (empty without a solution). For MILPs also `bound` (a bound on the minimum without offset; -inf if there is
        none), for LPs `duals` of all rows (zeros without an optimum).
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    request: dict[str, npt.ArrayLike] = {**model.arrays(), "task": task, "gap": gap}
    if model.columns <= HERE_COLUMNS:
        here = time.monotonic() + HERE_S + REPORT_S
        suffices = deadline is not None and deadline <= here
        reply = _answer_here({**request, "deadline": here if deadline is None else min(deadline, here)})
        if suffices or int(reply["status"]) != STOPPED:
            return reply
    return run_isolated(Path(__file__), {**request, "deadline": np.inf if deadline is None else deadline}, deadline)


def _answer_here(request: Mapping[str, npt.ArrayLike]) -> NamedArrays:
    with silenced_output(stderr=False):  # HiGHS prints some warnings even without `disp`
        return answer({key: np.asarray(value) for key, value in request.items()})


def answer(request: NamedArrays) -> NamedArrays:
    """Solve one request of `ask`."""
    started = time.perf_counter()
    reply = _milp(request) if str(request["task"]) == "milp" else _lp(request, str(request["task"]) == "elastic")
    reply["seconds"] = time.perf_counter() - started
    return {key: np.asarray(value) for key, value in reply.items()}


def _matrix(request: NamedArrays) -> Any:
    from scipy.sparse import csr_array

    shape = (request["rhs"].size, request["objective"].size)
    return csr_array((request["coefficient"].astype(np.float64), request["column"], request["starts"]), shape=shape)


def _seconds(request: NamedArrays) -> float:
    return max(float(request["deadline"]) - time.monotonic() - REPORT_S, 0.01)


def _milp(request: NamedArrays) -> dict[str, Any]:
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    gap, offset = float(request["gap"]), float(request["offset"])
    costs, upper, matrix = -request["objective"].astype(np.float64), request["rhs"].astype(np.float64), _matrix(request)
    whole, least, most = request["whole"], np.zeros(costs.size), request["upper"].astype(np.float64)
    if gap:  # a share of the objective with its offset, which a last column that is always 1 carries
        costs, whole = np.append(costs, -offset), np.append(whole, False)
        least, most = np.append(least, 1.0), np.append(most, 1.0)
        matrix = csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(upper.size, costs.size))
    result = milp(
        costs,
        constraints=LinearConstraint(matrix, np.where(request["equality"], upper, -np.inf), upper),
        integrality=whole.astype(np.uint8),
        bounds=Bounds(least, most),
        options={"mip_rel_gap": gap, "disp": False, "time_limit": _seconds(request)},
    )
    bound = getattr(result, "mip_dual_bound", None)
    reply = _reply(result)
    reply["columns"] = reply["columns"][: request["objective"].size]
    return reply | {"bound": -np.inf if bound is None else bound + (offset if gap else 0.0)}


def _lp(request: NamedArrays, elastic: bool) -> dict[str, Any]:
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, hstack

    equality, rhs = request["equality"], request["rhs"].astype(np.float64)
    matrix, costs = _matrix(request), -request["objective"].astype(np.float64)
    below, exact = matrix[~equality], matrix[equality]
    if elastic:
        slacks = below.shape[0]
        scales = np.maximum(abs(below).max(axis=1).toarray().ravel(), 1.0)
        below = hstack([below, csr_array((-scales, (np.arange(slacks), np.arange(slacks))), shape=(slacks, slacks))])
        exact = hstack([exact, csr_array((exact.shape[0], slacks))])
        costs = np.concatenate([np.zeros(costs.size), np.ones(slacks)])
    result = linprog(
        costs,
        A_ub=below,
        b_ub=rhs[~equality],
        A_eq=exact,
        b_eq=rhs[equality],
        bounds=(0.0, None),
        method="highs",
        options={"time_limit": _seconds(request)},
    )
    duals = np.zeros(rhs.size)
    if result.status == OPTIMAL:
        duals[~equality], duals[equality] = result.ineqlin.marginals, result.eqlin.marginals
    reply = _reply(result)
    return reply | {"columns": reply["columns"][: request["objective"].size], "duals": duals}


def _reply(result: Mapping[str, Any]) -> dict[str, Any]:
    columns = np.zeros(0) if result["x"] is None else np.asarray(result["x"], np.float64)
    return {"status": int(result["status"]), "message": str(result["message"]), "columns": columns}


if __name__ == "__main__":
    serve(answer)
