"""Dual bounds, presolve and the linear model, for solvers whose back end takes linear programs.

The names listed here may change with a minor version.
"""

from __future__ import annotations

from reds_core.knapsack.relaxation.digits import in_digits
from reds_core.knapsack.relaxation.domain import Domain
from reds_core.knapsack.relaxation.dual import Certificate, Dual
from reds_core.knapsack.relaxation.float_report import (
    TIGHT_FLOAT_BITS,
    TIGHT_TOLERANCE,
    FloatReport,
    nothing_found,
)
from reds_core.knapsack.relaxation.isolated_backend import ask_worker
from reds_core.knapsack.relaxation.linear import LinearModel, linear_model
from reds_core.knapsack.relaxation.milp import (
    FLOAT_BITS,
    FLOAT_EXACT_BELOW,
    BackendOutcome,
    LinearOptions,
    LinearSolver,
    at_gap,
    conclude,
    is_settled,
    least,
    prepared,
    refusal,
    repaired,
    unasked,
    whole_bound,
    why_not_built,
)
from reds_core.knapsack.relaxation.multipliers import DualSearch
from reds_core.knapsack.relaxation.presolving import Presolved
from reds_core.knapsack.relaxation.rows import rows_of

__all__ = [
    "FLOAT_BITS",
    "FLOAT_EXACT_BELOW",
    "TIGHT_FLOAT_BITS",
    "TIGHT_TOLERANCE",
    "BackendOutcome",
    "Certificate",
    "Domain",
    "Dual",
    "DualSearch",
    "FloatReport",
    "LinearModel",
    "LinearOptions",
    "LinearSolver",
    "Presolved",
    "ask_worker",
    "at_gap",
    "conclude",
    "in_digits",
    "is_settled",
    "least",
    "linear_model",
    "nothing_found",
    "prepared",
    "refusal",
    "repaired",
    "rows_of",
    "unasked",
    "whole_bound",
    "why_not_built",
]
