"""SciPy LP relaxation and MILP (HiGHS) as solvers of reds."""

from __future__ import annotations

from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_scipy.lp import ScipyLpSolver
from reds_scipy.milp import ScipyMilpSolver

__all__ = ["ScipyLpSolver", "ScipyMilpSolver", "reds_solvers"]


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solvers of this package."""
    return [ScipyLpSolver, ScipyMilpSolver]
