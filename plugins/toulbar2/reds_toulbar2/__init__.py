"""toulbar2, a solver of cost function networks, as a solver of reds."""

from __future__ import annotations

from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_toulbar2.solver import Toulbar2Solver

__all__ = ["Toulbar2Solver", "reds_solvers"]


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solver of this package."""
    return [Toulbar2Solver]
