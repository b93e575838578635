"""The linear model in CP-SAT: one-hot options as exactly-one constraints, everything in 64-bit integers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack import Control, Controls, Limit
from reds_core.knapsack.relaxation import BackendOutcome, LinearModel, LinearSolver
from reds_core.system import interruptible
from reds_cpsat.loading import load_cp_model

LEAST = -(2**63)
"""CP-SAT's minus infinity."""

MOST = 2**63 - 1
"""CP-SAT's infinity."""

SUM_LIMIT = 2**62
"""CP-SAT refuses linear expressions whose coefficients could sum up to about 2^63."""

STOPPED_SHARE = 0.9
"""A search that ends without an optimum after this share of its time limit was stopped by the limit."""

COLUMNS_PER_S = 150_000
"""The number of columns that CP-SAT's Python interface, and then its presolve, take in about a second."""


class CpsatSolver(LinearSolver):
    """Exact search by CP-SAT (Perron and Didier, OR-Tools)."""

    name = "cpsat"
    requires = ("ortools",)
    install = "pip install ortools"
    controls = (
        Control.TIME_LIMIT
        | Control.SEED
        | Control.THREADS
        | Control.HINT
        | Control.MEMORY_LIMIT
        | Control.GAP
        | Control.KNOWN_BOUND
    )
    auto_rank: ClassVar[int] = 30

    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> BackendOutcome:
        if _largest_sum(model) >= SUM_LIMIT:
            return BackendOutcome(detail=("the sums of its coefficients are too large for CP-SAT",))
        if controls.time_limit_s is not None and model.columns > COLUMNS_PER_S * controls.time_limit_s:
            return BackendOutcome(limit=Limit.TIME, detail=("no time was left to hand the model to CP-SAT",))
        started = time.perf_counter()
        cp_model = load_cp_model()
        built = cp_model.CpModel()
        _fill(built.Proto(), model, start)
        if controls.gap:
            built.Proto().objective.offset = -model.offset  # CP-SAT's gap is relative to the objective with it
        if controls.known_bound is not None:
            built.Proto().objective.domain.extend((model.offset - controls.known_bound, MOST))
        solver = cp_model.CpSolver()
        parameters = solver.parameters
        parameters.relative_gap_limit = controls.gap or 0.0
        parameters.absolute_gap_limit = 0.0
        if controls.time_limit_s is not None:
            building = time.perf_counter() - started
            parameters.max_time_in_seconds = max(controls.time_limit_s - building, 0.01)
        if controls.seed is not None:
            parameters.random_seed = controls.seed % 2**31
        if controls.threads is not None:
            parameters.num_workers = controls.threads
        parameters.catch_sigint_signal = False  # Python handles signals
        status = interruptible(lambda: solver.solve(built), solver.stop_search)
        response = solver.response_proto
        spent = float(response.wall_time)
        if status == cp_model.INFEASIBLE:
            return BackendOutcome(exhausted=True, backend_s=spent)
        if status == cp_model.MODEL_INVALID:
            raise RuntimeError(f"CP-SAT refused the model: {built.Validate()}")
        choice = None
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            choice = model.choice(np.array(response.solution))
        bound = model.offset - int(response.inner_objective_lower_bound)
        limit = None
        if status != cp_model.OPTIMAL:
            timed = controls.time_limit_s is not None and spent >= STOPPED_SHARE * parameters.max_time_in_seconds
            limit = Limit.TIME if timed else Limit.INTERRUPTED
        exhausted = status == cp_model.OPTIMAL and not controls.gap  # at the gap, CP-SAT reports an optimum as well
        return BackendOutcome(choice, bound, exhausted, limit, spent)


def _largest_sum(model: LinearModel) -> float:
    """The largest sum of magnitudes of a row or the objective. Floats suffice for a coarse comparison."""
    sums = np.bincount(model.row, np.abs(model.coefficient).astype(np.float64), model.rows)
    return max(float(np.abs(model.objective).astype(np.float64).sum()), float(sums.max(initial=0.0)))


def _fill(proto: Any, model: LinearModel, start: IntArray | None) -> None:
    """Write `model` into a CpModelProto row by row. CP-SAT minimises, so the objective is negated."""
    for upper in model.upper.tolist():
        proto.variables.add().domain.extend((0, upper))
    starts = model.row_starts()
    groups = model.group_starts.size - 1
    for row, (a, b) in enumerate(pairwise(starts)):
        columns = model.column[a:b].tolist()
        constraint = proto.constraints.add()
        if row < groups:
            constraint.exactly_one.literals.extend(columns)
            continue
        rhs = int(model.rhs[row])
        constraint.linear.vars.extend(columns)
        constraint.linear.coeffs.extend(model.coefficient[a:b].tolist())
        constraint.linear.domain.extend((rhs if model.equality[row] else LEAST, rhs))
    _extend_terms(proto.objective, (-model.objective).tolist())
    if start is not None:
        proto.solution_hint.vars.extend(range(model.columns))
        proto.solution_hint.values.extend(start.tolist())


def _extend_terms(objective: Any, coefficients: Sequence[int]) -> None:
    objective.vars.extend(range(len(coefficients)))
    objective.coeffs.extend(coefficients)
