"""What other pruning tools do, as solvers of reds. They prove nothing; they show what exactness is worth."""

from __future__ import annotations

from reds_baselines.kernel import RedsKernelSolver
from reds_baselines.threshold import GlobalThresholdSolver
from reds_baselines.uniform import UniformWidthSolver
from reds_core import hookimpl
from reds_core.knapsack import Solver

__all__ = ["GlobalThresholdSolver", "RedsKernelSolver", "UniformWidthSolver", "reds_solvers"]


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solvers of this package."""
    return [UniformWidthSolver, GlobalThresholdSolver, RedsKernelSolver]
