"""Hands the kernel-level program to SCIP, CP-SAT or HiGHS through OR-Tools MathOpt, in a process of its own.

Also the script of that process (`reds_core.system.isolation`): MathOpt cannot be loaded beside TensorFlow, and HiGHS
may run well past a time limit on models of this size.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from reds_baselines.kernel_model import KernelModel
from reds_core.arrays import IntArray, NamedArrays
from reds_core.knapsack import Controls
from reds_core.system import run_isolated, serve

Backend = Literal["scip", "cp-sat", "highs"]

SOLVER_TYPES = {"scip": "GSCIP", "cp-sat": "CP_SAT", "highs": "HIGHS"}

REPORT_S = 0.2
REPORT_SHARE = 0.05
"""The back end should stop this many seconds, and this share of the remaining time, before the deadline. SCIP and HiGHS
check the time only between steps that take seconds, and what they have found is lost if they have to be killed."""

NO_CONTROL = -1
"""Represents a seed or a number of threads that is left to the back end."""
LONGEST_S = 10**8
"""The longest time limit in seconds, three years; MathOpt counts microseconds in 64 bits."""


@dataclass(frozen=True)
class Found:
    """The result of a back end.

    Attributes:
        widths: number of channels of each group, int64 (groups,), or None if it found no solution.
        stopped: whether it stopped, or was killed, at the time limit.
        backend_s: seconds in the back end, or None if it was killed.
    """

    widths: IntArray | None
    stopped: bool
    backend_s: float | None


def maximise(model: KernelModel, backend: Backend, controls: Controls, deadline: float | None) -> Found:
    """Solve `model`.

    Args:
        model: the program.
        backend: the solver to use.
        controls: the controls, of which seed and threads are used.
        deadline: `time.monotonic()` at which to stop, or None.
    """
    arrays: dict[str, npt.ArrayLike] = {f.name: getattr(model, f.name) for f in dataclasses.fields(model)}
    request = arrays | {
        "backend": backend,
        "seed": NO_CONTROL if controls.seed is None else controls.seed % 2**31,
        "threads": NO_CONTROL if controls.threads is None else controls.threads,
        "deadline": math.inf if deadline is None else deadline,
    }
    reply = run_isolated(Path(__file__), request, deadline)
    if reply is None:
        return Found(None, True, None)
    widths = reply["widths"].astype(np.int64) if reply["widths"].size else None
    return Found(widths, bool(reply["stopped"]), float(reply["seconds"]))


def answer(request: NamedArrays) -> Mapping[str, npt.ArrayLike]:
    """Solve one request of `maximise`."""
    from ortools.math_opt.python import mathopt

    parts: dict[str, Any] = {f.name: request[f.name] for f in dataclasses.fields(KernelModel)}
    model = KernelModel(**parts | {"groups": int(parts["groups"])})
    backend = str(request["backend"])
    built = mathopt.Model.from_model_proto(_proto(model))
    left = (1 - REPORT_SHARE) * (float(request["deadline"]) - time.monotonic()) - REPORT_S
    parameters = mathopt.SolveParameters(
        time_limit=None if math.isinf(left) else datetime.timedelta(seconds=min(max(left, 0.01), LONGEST_S)),
        relative_gap_tolerance=0.0,
        **_controls(backend, int(request["seed"]), int(request["threads"])),
    )
    started = time.perf_counter()
    result = mathopt.solve(built, mathopt.SolverType[SOLVER_TYPES[backend]], params=parameters)
    seconds = time.perf_counter() - started
    widths = np.zeros(0)
    if result.has_primal_feasible_solution():
        widths = np.rint(result.variable_values(list(itertools.islice(built.variables(), model.groups))))
    done = result.termination.reason in (mathopt.TerminationReason.OPTIMAL, mathopt.TerminationReason.INFEASIBLE)
    return {"widths": widths, "stopped": not done, "seconds": seconds}


def _controls(backend: str, seed: int, threads: int) -> dict[str, Any]:
    """Seed and threads as MathOpt's parameters."""
    given: dict[str, Any] = {} if seed == NO_CONTROL else {"random_seed": seed}
    if threads != NO_CONTROL and backend == "highs":  # MathOpt does not pass the common parameter on to HiGHS
        from ortools.math_opt.solvers import highs_pb2

        given["highs"] = highs_pb2.HighsOptionsProto(int_options={"threads": threads})
    elif threads != NO_CONTROL:
        given["threads"] = threads
    return given


def _proto(model: KernelModel) -> Any:
    """The model in MathOpt's format."""
    from ortools.math_opt import model_pb2

    proto = model_pb2.ModelProto()
    columns = range(model.objective.size)
    proto.variables.ids.extend(columns)
    proto.variables.lower_bounds.extend(model.lower)
    proto.variables.upper_bounds.extend(model.upper)
    proto.variables.integers.extend([True] * len(columns))
    proto.objective.maximize = True
    scored = np.flatnonzero(model.objective)
    proto.objective.linear_coefficients.ids.extend(scored)
    proto.objective.linear_coefficients.values.extend(model.objective[scored])
    proto.linear_constraints.ids.extend(range(model.rows))
    proto.linear_constraints.lower_bounds.extend(model.row_lower)
    proto.linear_constraints.upper_bounds.extend(model.row_upper)
    used = np.flatnonzero(model.coefficient)
    proto.linear_constraint_matrix.row_ids.extend(model.row[used])
    proto.linear_constraint_matrix.column_ids.extend(model.column[used])
    proto.linear_constraint_matrix.coefficients.extend(model.coefficient[used])
    return proto


if __name__ == "__main__":
    serve(answer)
