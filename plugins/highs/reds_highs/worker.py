"""Lets HiGHS solve one model; a script that `reds_core.system.serve` runs in a separate process."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from reds_core.arrays import NamedArrays
from reds_core.knapsack.relaxation import TIGHT_TOLERANCE
from reds_core.system import limit_memory, serve


def answer(request: NamedArrays) -> dict[str, Any]:
    """Solve the model in `request`; see `reds_core.knapsack.relaxation.ask_worker` for the names of the arrays."""
    import highspy

    started = time.perf_counter()
    limit_memory(int(request["memory"]))
    highs = highspy.Highs()
    highs.silent()
    highs.passModel(_model(highspy, request))
    for name, setting in _options(request).items():
        highs.setOptionValue(name, setting)
    if request["start"].size:
        start = highspy.HighsSolution()
        start.col_value = request["start"].astype(np.float64).tolist()
        highs.setSolution(start)
    highs.run()
    status, info = highs.getModelStatus(), highs.getInfo()
    kinds = highspy.HighsModelStatus
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    optimal, stopped = status == kinds.kOptimal, status in (kinds.kTimeLimit, kinds.kInterrupt)
    infeasible = status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible)
    return {
        "columns": np.array(highs.getSolution().col_value if found else [], np.float64),
        "bound": info.mip_dual_bound,
        "finished": optimal,
        "infeasible": infeasible,
        "limit": "time" if stopped else "",
        "message": "" if optimal or stopped or infeasible else f"HiGHS stopped: {highs.modelStatusToString(status)}",
        "seconds": time.perf_counter() - started,
    }


def _model(highspy: Any, request: NamedArrays) -> Any:
    rhs = request["rhs"].astype(np.float64)
    lp = highspy.HighsLp()
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.offset_ = float(request["offset"])
    lp.num_col_, lp.num_row_ = request["objective"].size, rhs.size
    lp.col_cost_ = request["objective"].astype(np.float64)
    lp.col_lower_, lp.col_upper_ = np.zeros(lp.num_col_), request["upper"].astype(np.float64)
    lp.row_lower_, lp.row_upper_ = np.where(request["equality"], rhs, -highspy.kHighsInf), rhs
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = request["starts"].astype(np.int32)
    lp.a_matrix_.index_ = request["column"].astype(np.int32)
    lp.a_matrix_.value_ = request["coefficient"].astype(np.float64)
    kinds = highspy.HighsVarType
    lp.integrality_ = [kinds.kInteger if whole else kinds.kContinuous for whole in request["whole"].tolist()]
    return lp


def _options(request: NamedArrays) -> dict[str, Any]:
    options: dict[str, Any] = {
        "random_seed": int(request["seed"]),
        "mip_rel_gap": float(request["gap"]),
        "mip_abs_gap": 0.0,
        "mip_feasibility_tolerance": TIGHT_TOLERANCE,
        "primal_feasibility_tolerance": TIGHT_TOLERANCE,
    }
    if int(request["threads"]):
        options["threads"] = int(request["threads"])
    if np.isfinite(request["deadline"]):
        options["time_limit"] = max(float(request["deadline"]) - time.monotonic(), 0.01)
    return options


if __name__ == "__main__":
    serve(answer)
