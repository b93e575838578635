"""The linear model, solved by SCIP through PySCIPOpt."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from reds_core.arrays import IntArray
from reds_core.knapsack import Control, Controls, Limit
from reds_core.knapsack.relaxation import (
    FLOAT_EXACT_BELOW,
    TIGHT_FLOAT_BITS,
    BackendOutcome,
    LinearModel,
    LinearSolver,
    ask_worker,
)

WORKER = Path(__file__).with_name("worker.py")

ENTRIES_PER_S = 400_000
"""The number of nonzero entries of a model that PySCIPOpt takes in a second, at least."""


class ScipSolver(LinearSolver):
    """Branch, cut and price by SCIP (Achterberg, 2009), with a gap of 0 unless another is asked for.

    SCIP runs in a separate process, because it may exceed a time limit by seconds.
    """

    name = "scip"
    requires = ("pyscipopt",)
    controls = (
        Control.TIME_LIMIT | Control.SEED | Control.HINT | Control.MEMORY_LIMIT | Control.GAP | Control.KNOWN_BOUND
    )
    auto_rank: ClassVar[int] = 100
    exact_below: ClassVar[int | None] = FLOAT_EXACT_BELOW
    coefficient_bits: ClassVar[int | None] = TIGHT_FLOAT_BITS

    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> BackendOutcome:
        if controls.time_limit_s is not None and model.column.size > ENTRIES_PER_S * controls.time_limit_s:
            return BackendOutcome(limit=Limit.TIME, detail=("no time was left to hand the model to SCIP",))
        return ask_worker(WORKER, model, controls, start).outcome(model, controls)
