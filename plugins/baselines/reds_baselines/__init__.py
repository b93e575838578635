"""What other pruning tools do, as solvers and pruners of reds. They show what exactness and joint choices are worth."""

from __future__ import annotations

from collections.abc import Sequence

from reds_baselines.bits_then_prune import BitsThenPrunePruner
from reds_baselines.kernel import RedsKernelSolver
from reds_baselines.prune_then_bits import PruneThenBitsPruner
from reds_baselines.threshold import GlobalThresholdSolver
from reds_baselines.uniform import UniformWidthSolver
from reds_baselines.uniform_bits import UniformBitsPruner
from reds_core import hookimpl
from reds_core.knapsack import Solver
from reds_core.pruning import Pruner

__all__ = [
    "BitsThenPrunePruner",
    "GlobalThresholdSolver",
    "PruneThenBitsPruner",
    "RedsKernelSolver",
    "UniformBitsPruner",
    "UniformWidthSolver",
    "reds_pruners",
    "reds_solvers",
]


@hookimpl
def reds_solvers() -> list[type[Solver]]:
    """The solvers of this package."""
    return [UniformWidthSolver, GlobalThresholdSolver, RedsKernelSolver]


@hookimpl
def reds_pruners() -> Sequence[type[Pruner]]:
    """The strategies of this package."""
    return [UniformBitsPruner, PruneThenBitsPruner, BitsThenPrunePruner]
