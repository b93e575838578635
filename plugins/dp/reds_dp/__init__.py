"""The exact solver of reds: elimination over the group graph with Pareto labels and Lagrangian bounds."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_dp.solver import DpSolver

__all__ = ["DpSolver", "reds_solvers"]


@hookimpl
def reds_solvers() -> Sequence[type[Solver]]:
    """The solver `dp`."""
    return [DpSolver]
