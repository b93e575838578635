"""Every behaviour that reds asks of a solver, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_lagrangian import LagrangianSolver

from reds_core.testing import solver_conformance


@solver_conformance(LagrangianSolver)
def test_conformance(check: Callable[[], None]) -> None:
    check()
