"""The Lagrangian solver of reds, which gives choices and bounds on group graphs of any shape and size."""

from __future__ import annotations

from collections.abc import Sequence

from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_lagrangian.solver import LagrangianSolver

__all__ = ["LagrangianSolver", "reds_solvers"]


@hookimpl
def reds_solvers() -> Sequence[type[Solver]]:
    """The solver `lagrangian`."""
    return [LagrangianSolver]
