"""SCIP as a solver of reds."""

from __future__ import annotations

from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_scip.solver import ScipSolver

__all__ = ["ScipSolver", "reds_solvers"]


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solver of this package."""
    return [ScipSolver]
