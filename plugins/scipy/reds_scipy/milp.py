"""The linear model through scipy.optimize.milp, that is HiGHS."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np

from reds_core.linear import LinearModel
from reds_core.milp import FLOAT_EXACT_BELOW, LinearSolver, Outcome, whole_bound
from reds_core.problem import IntArray
from reds_core.solution import Limit
from reds_core.solver import Control, Controls
from reds_scipy.arrays import csr_matrix

OPTIMAL, STOPPED, INFEASIBLE = 0, 1, 2
"""Values of the status that scipy.optimize.milp reports."""


class ScipyMilpSolver(LinearSolver):
    """Branch and cut by HiGHS (Huangfu and Hall, 2018), with a gap of 0.

    SciPy passes HiGHS neither seed, threads nor a start: a feasible hint is a lower limit on the answer instead.
    """

    name = "scipy-milp"
    requires = ("scipy",)
    controls = Control.TIME_LIMIT | Control.HINT
    auto_rank: ClassVar[int] = 35
    exact_below: ClassVar[int | None] = FLOAT_EXACT_BELOW

    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> Outcome:
        from scipy.optimize import Bounds, LinearConstraint, milp

        upper = model.rhs.astype(np.float64)
        started = time.perf_counter()
        result = milp(
            -model.objective.astype(np.float64),
            constraints=LinearConstraint(csr_matrix(model), np.where(model.equality, upper, -np.inf), upper),
            integrality=(np.arange(model.columns) < model.option_columns).astype(np.uint8),
            bounds=Bounds(0.0, 1.0),
            options={"mip_rel_gap": 0.0, "disp": False, "time_limit": controls.time_limit_s or np.inf},
        )
        spent = time.perf_counter() - started
        if result.status == INFEASIBLE:
            return Outcome(exhausted=True, backend_s=spent)
        choice = None if result.x is None else model.choice(result.x)
        dual_bound = getattr(result, "mip_dual_bound", None)
        bound = None if dual_bound is None else whole_bound(-float(dual_bound))
        return Outcome(
            choice,
            None if bound is None else model.offset + bound,
            result.status == OPTIMAL,
            Limit.TIME if result.status == STOPPED else None,
            spent,
            () if result.status in (OPTIMAL, STOPPED) else (f"HiGHS stopped: {result.message}",),
        )
