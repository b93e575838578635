"""The linear model, solved by Gurobi with the licence that it finds, or the free one that comes with gurobipy."""

from __future__ import annotations

import functools
import time
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from reds_core.arrays import IntArray
from reds_core.knapsack import Control, Controls, KnapsackProblem, Limit
from reds_core.knapsack.relaxation import (
    FLOAT_EXACT_BELOW,
    TIGHT_FLOAT_BITS,
    TIGHT_TOLERANCE,
    BackendOutcome,
    Domain,
    FloatReport,
    LinearModel,
    LinearSolver,
    nothing_found,
    refusal,
)
from reds_core.system import interruptible

FREE_SIZE = 2_000
"""The most columns, and the most rows, of a model under the free licence that comes with gurobipy."""

TOO_LARGE = 10010
"""Gurobi's error number for a model that is too large for the licence."""


class GurobiSolver(LinearSolver):
    """Branch and cut by Gurobi (Gurobi Optimization, LLC), with a gap of 0 unless another is asked for."""

    name = "gurobi"
    requires = ("gurobipy",)
    controls = (
        Control.TIME_LIMIT
        | Control.SEED
        | Control.THREADS
        | Control.HINT
        | Control.MEMORY_LIMIT
        | Control.GAP
        | Control.KNOWN_BOUND
    )
    auto_rank: ClassVar[int] = 100
    exact_below: ClassVar[int | None] = FLOAT_EXACT_BELOW
    coefficient_bits: ClassVar[int | None] = TIGHT_FLOAT_BITS

    def refusal(self, problem: KnapsackProblem) -> str | None:
        reason = refusal(problem)
        if reason is not None or self.options.presolve:  # what presolve leaves is only known afterwards
            return reason
        if any(low > high for low, high in zip(problem.floors, problem.ceilings, strict=True)):
            return None
        columns = Domain.of(problem).size
        if columns <= FREE_SIZE or not _is_size_limited():
            return None
        return f"its linear model has about {columns:,} columns, and Gurobi's free licence takes {FREE_SIZE:,}"

    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> BackendOutcome:
        return _solved(model, controls, start).outcome(model, controls)


@functools.cache  # asking may take a connection to a licence server
def _is_size_limited() -> bool:
    """Whether the licence that Gurobi finds refuses a model of more than `FREE_SIZE` columns."""
    import gurobipy

    with _environment(gurobipy) as environment, gurobipy.Model(env=environment) as model:
        model.addVars(FREE_SIZE + 1)
        try:
            model.optimize()
        except gurobipy.GurobiError as error:
            if error.errno != TOO_LARGE:
                raise
            return True
        return False


def _environment(gurobipy: Any) -> Any:
    """A Gurobi environment that prints nothing."""
    environment = gurobipy.Env(empty=True)
    environment.setParam("OutputFlag", 0)
    environment.start()
    return environment


def _solved(model: LinearModel, controls: Controls, start: IntArray | None) -> FloatReport:
    """Solve `model` with Gurobi."""
    import gurobipy

    started = time.perf_counter()
    if max(model.columns, model.rows) > FREE_SIZE and _is_size_limited():  # building a large model takes seconds
        return nothing_found(
            None,
            time.perf_counter() - started,
            f"nothing was searched after presolve, since the model has {model.columns:,} columns and {model.rows:,} "
            f"rows, and Gurobi's free licence takes {FREE_SIZE:,} of each",
        )
    with _environment(gurobipy) as environment, gurobipy.Model(env=environment) as built:
        _fill(gurobipy, built, model, start)
        _configure(built, controls, started)
        interruptible(built.optimize, built.terminate)
        return _report(gurobipy.GRB, built, time.perf_counter() - started)


def _fill(gurobipy: Any, built: Any, model: LinearModel, start: IntArray | None) -> None:
    """Write `model` into an empty Gurobi model."""
    kinds = np.where(model.whole, gurobipy.GRB.INTEGER, gurobipy.GRB.CONTINUOUS).tolist()
    named = built.addVars(model.columns, ub=model.upper.tolist(), obj=model.objective.tolist(), vtype=kinds)
    columns = list(named.values())
    built.ModelSense = gurobipy.GRB.MAXIMIZE
    built.ObjCon = float(model.offset)
    rhs, equality = model.rhs.tolist(), model.equality.tolist()
    for row, (a, b) in enumerate(pairwise(model.row_starts().tolist())):
        terms = gurobipy.LinExpr(model.coefficient[a:b].tolist(), [columns[c] for c in model.column[a:b].tolist()])
        built.addLConstr(terms, gurobipy.GRB.EQUAL if equality[row] else gurobipy.GRB.LESS_EQUAL, rhs[row])
    if start is not None:
        built.update()
        built.setAttr("Start", columns, start.tolist())


def _configure(built: Any, controls: Controls, started: float) -> None:
    settings: dict[str, Any] = {
        "MIPGap": controls.gap or 0.0,
        "MIPGapAbs": 0.0,
        "FeasibilityTol": TIGHT_TOLERANCE,
        "IntFeasTol": TIGHT_TOLERANCE,
    }
    memory = controls.memory_limit()
    if np.isfinite(memory):
        settings["SoftMemLimit"] = memory / 1e9
    if controls.seed is not None:
        settings["Seed"] = controls.seed % 2_000_000_000
    if controls.threads is not None:
        settings["Threads"] = min(controls.threads, 1024)
    if controls.time_limit_s is not None:
        settings["TimeLimit"] = max(controls.time_limit_s - (time.perf_counter() - started), 0.0)
    for name, setting in settings.items():
        built.setParam(name, setting)


def _report(constants: Any, built: Any, seconds: float) -> FloatReport:
    """What Gurobi found.

    Raises:
        KeyboardInterrupt: if it was interrupted by Ctrl-C, which it catches itself.
    """
    status = built.Status
    if status == constants.INTERRUPTED:
        raise KeyboardInterrupt
    limits = {constants.TIME_LIMIT: Limit.TIME, constants.MEM_LIMIT: Limit.MEMORY}
    infeasible = status in (constants.INFEASIBLE, constants.INF_OR_UNBD)
    ended = infeasible or status == constants.OPTIMAL or status in limits
    return FloatReport(
        np.array(built.getAttr("X") if built.SolCount else [], np.float64),
        np.inf if infeasible else built.ObjBound,
        status == constants.OPTIMAL,
        infeasible,
        limits.get(status),
        seconds,
        () if ended else (f"Gurobi stopped with status {status}",),
    )
