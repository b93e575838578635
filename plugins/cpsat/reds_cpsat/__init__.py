"""OR-Tools CP-SAT as a solver of reds."""

from __future__ import annotations

from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_cpsat.solver import CpsatSolver

__all__ = ["CpsatSolver", "reds_solvers"]


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solver of this package."""
    return [CpsatSolver]
