"""The linear model, solved by HiGHS through scipy.optimize.milp."""

from __future__ import annotations

from typing import ClassVar

from reds_core.arrays import IntArray
from reds_core.knapsack import Control, Controls, Limit
from reds_core.knapsack.relaxation import (
    FLOAT_BITS,
    FLOAT_EXACT_BELOW,
    BackendOutcome,
    LinearModel,
    LinearSolver,
    whole_bound,
)
from reds_scipy.highs import INFEASIBLE, OPTIMAL, STOPPED, ask


class ScipyMilpSolver(LinearSolver):
    """Branch and cut by HiGHS (Huangfu and Hall, 2018), with a gap of 0 unless one is asked for.

    SciPy gives HiGHS no seed, threads or start. A feasible hint serves as a lower bound instead.
    """

    name = "scipy-milp"
    requires = ("scipy",)
    controls = Control.TIME_LIMIT | Control.HINT | Control.MEMORY_LIMIT | Control.GAP | Control.KNOWN_BOUND
    auto_rank: ClassVar[int] = 35
    exact_below: ClassVar[int | None] = FLOAT_EXACT_BELOW
    coefficient_bits: ClassVar[int | None] = FLOAT_BITS

    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> BackendOutcome:
        reply = ask(model, "milp", controls.time_limit_s, controls.gap or 0.0)
        if reply is None:
            return BackendOutcome(limit=Limit.TIME)
        status, spent = int(reply["status"]), float(reply["seconds"])
        if status == INFEASIBLE:
            return BackendOutcome(exhausted=True, backend_s=spent)
        choice = model.choice(reply["columns"]) if reply["columns"].size else None
        bound = whole_bound(-float(reply["bound"]))
        return BackendOutcome(
            choice,
            None if bound is None else model.offset + bound,
            status == OPTIMAL and not controls.gap,  # at the gap, HiGHS reports an optimum as well
            Limit.TIME if status == STOPPED else None,
            spent,
            () if status in (OPTIMAL, STOPPED) else (f"HiGHS stopped: {reply['message']}",),
        )
