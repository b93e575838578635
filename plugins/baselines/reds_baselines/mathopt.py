"""Hands the kernel-level program to SCIP, CP-SAT or HiGHS through OR-Tools MathOpt."""

from __future__ import annotations

import datetime
import itertools
import threading
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reds_baselines.kernel_model import KernelModel
from reds_core.binding import bound_deeply
from reds_core.problem import IntArray
from reds_core.solver import Controls

Backend = Literal["scip", "cp-sat", "highs"]

SOLVER_TYPES = {"scip": "GSCIP", "cp-sat": "CP_SAT", "highs": "HIGHS"}

HIGHS_THREADS = 1
"""HiGHS fixes its threads once a process: two numbers would be an error."""


@dataclass(frozen=True)
class Found:
    """What a back end says.

    Attributes:
        widths: x of each group, int64 (groups,), or None.
        stopped: whether it stopped at the time limit.
        backend_s: seconds in the back end.
    """

    widths: IntArray | None
    stopped: bool
    backend_s: float


def maximise(model: KernelModel, backend: Backend, controls: Controls, deadline: float | None) -> Found:
    """Solve `model`.

    Args:
        controls: seed and threads.
        deadline: `time.perf_counter()` at which to stop, or None.
    """
    with bound_deeply():
        from ortools.math_opt.python import mathopt
        from ortools.math_opt.solvers import highs_pb2
    built = mathopt.Model.from_model_proto(_proto(model))
    limit = None if deadline is None else datetime.timedelta(seconds=max(deadline - time.perf_counter(), 0.01))
    highs = highs_pb2.HighsOptionsProto()
    highs.int_options["threads"] = HIGHS_THREADS
    parameters = mathopt.SolveParameters(
        time_limit=limit,
        random_seed=None if controls.seed is None else controls.seed % 2**31,
        threads=None if backend == "highs" else controls.threads,
        relative_gap_tolerance=0.0,
        highs=highs,
    )
    started = time.perf_counter()
    result = _beside(lambda: mathopt.solve(built, mathopt.SolverType[SOLVER_TYPES[backend]], params=parameters))
    spent = time.perf_counter() - started
    exhausted = result.termination.reason in (mathopt.TerminationReason.OPTIMAL, mathopt.TerminationReason.INFEASIBLE)
    if not result.has_primal_feasible_solution():
        return Found(None, not exhausted, spent)
    values = result.variable_values(list(itertools.islice(built.variables(), model.groups)))
    return Found(np.rint(values).astype(np.int64), not exhausted, spent)


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


def _beside(work: Any) -> Any:
    """The result of `work`, done beside this thread: Ctrl-C is answered at once, not when the back end returns."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)
    if errors:
        raise errors[0]
    return results[0]
