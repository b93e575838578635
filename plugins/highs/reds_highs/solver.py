"""The linear model, solved by HiGHS through highspy, which gives it a seed, threads, a start and a gap."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from reds_core.arrays import IntArray
from reds_core.knapsack import Control, Controls
from reds_core.knapsack.relaxation import (
    FLOAT_EXACT_BELOW,
    TIGHT_FLOAT_BITS,
    BackendOutcome,
    LinearModel,
    LinearSolver,
    ask_worker,
)

WORKER = Path(__file__).with_name("worker.py")


class HighsSolver(LinearSolver):
    """Branch and cut by HiGHS (Huangfu and Hall, 2018), with a gap of 0 unless another is asked for.

    HiGHS runs in a separate process: highspy and OR-Tools cannot be imported into the same one.
    """

    name = "highs"
    requires = ("highspy",)
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

    def optimise(self, model: LinearModel, controls: Controls, start: IntArray | None) -> BackendOutcome:
        return ask_worker(WORKER, model, controls, start).outcome(model, controls)
