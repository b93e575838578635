"""HiGHS, through its own Python interface, as a solver of reds."""

from __future__ import annotations

from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_highs.solver import HighsSolver

__all__ = ["HighsSolver", "reds_solvers"]


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solver of this package."""
    return [HighsSolver]
