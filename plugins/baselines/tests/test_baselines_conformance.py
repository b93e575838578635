"""The conformance kit on the solvers of the baselines plugin.

Of the kit's problems `reds-kernel` takes those without pairs: kernel scores, which it needs of every pair, are in none.
Each of its solves starts a process, so that its kits are slow.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_baselines import GlobalThresholdSolver, RedsKernelSolver, UniformWidthSolver
from reds_baselines.kernel import KernelOptions

from reds_core.testing import Settings, solver_conformance

FEW = Settings(seeds=2)


@solver_conformance(UniformWidthSolver)
def test_uniform_width(check: Callable[[], None]) -> None:
    check()


@solver_conformance(GlobalThresholdSolver)
def test_global_threshold(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: RedsKernelSolver(KernelOptions("scip")), FEW)
def test_reds_kernel_through_scip(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: RedsKernelSolver(KernelOptions("cp-sat")), FEW)
def test_reds_kernel_through_cp_sat(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: RedsKernelSolver(KernelOptions("highs")), FEW)
def test_reds_kernel_through_highs(check: Callable[[], None]) -> None:
    check()
