"""PuLP MILP back ends as a solver of reds."""

from __future__ import annotations

from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_pulp.solver import PulpOptions, PulpSolver

__all__ = ["PulpOptions", "PulpSolver", "reds_solvers"]


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solver of this package."""
    return [PulpSolver]
