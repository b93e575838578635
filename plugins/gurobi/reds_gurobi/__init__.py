"""Gurobi as a solver of reds."""

from __future__ import annotations

from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_gurobi.solver import GurobiSolver

__all__ = ["GurobiSolver", "reds_solvers"]


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solver of this package."""
    return [GurobiSolver]
