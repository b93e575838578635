"""What a mixed-integer back end that computes in doubles reports, and what may be concluded from it in integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reds_core.arrays import FloatArray
from reds_core.knapsack.relaxation.linear import LinearModel
from reds_core.knapsack.relaxation.milp import BackendOutcome, whole_bound
from reds_core.knapsack.solution import Limit
from reds_core.knapsack.solver import Controls

TIGHT_TOLERANCE = 1e-9
"""The feasibility tolerance to ask of back ends whose rows are given in digits of `TIGHT_FLOAT_BITS`."""

TIGHT_FLOAT_BITS = 28
"""The number of bits of coefficients of rows in such back ends: 2^28 times their tolerance is below 1."""


@dataclass(frozen=True, eq=False)
class FloatReport:
    """The report of a back end on the maximum of a `LinearModel`, with its offset.

    Attributes:
        columns: the values of the columns in its best solution, float64 (columns,); empty if it found none.
        bound: its upper bound on the maximum; infinite if it has none.
        finished: whether it ended by itself: with a proof, or at the gap that it was asked for.
        infeasible: whether it reports that the model has no solution.
        limit: the limit that stopped it, or None.
        seconds: the time that it took, including the time to build its model.
        detail: remarks for the user, one clause each.
    """

    columns: FloatArray
    bound: float
    finished: bool
    infeasible: bool
    limit: Limit | None
    seconds: float
    detail: tuple[str, ...] = ()

    def outcome(self, model: LinearModel, controls: Controls) -> BackendOutcome:
        """The outcome for `model` under `controls`."""
        if self.infeasible:
            return BackendOutcome(exhausted=True, backend_s=self.seconds, detail=self.detail)
        choice = model.choice(self.columns) if self.columns.size else None
        exhausted = self.finished and not controls.gap
        return BackendOutcome(choice, whole_bound(self.bound), exhausted, self.limit, self.seconds, self.detail)


def nothing_found(limit: Limit | None, seconds: float, *detail: str) -> FloatReport:
    """The report of a back end that has neither a solution nor a bound."""
    return FloatReport(np.zeros(0), np.inf, False, False, limit, seconds, detail)
