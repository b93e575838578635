"""Every behaviour that reds asks of a solver, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_scipy import ScipyLpSolver, ScipyMilpSolver

from reds_core.testing import Settings, solver_conformance


@solver_conformance(ScipyLpSolver)
def test_lp_conformance(check: Callable[[], None]) -> None:
    check()


@solver_conformance(ScipyMilpSolver, Settings(proves=True))
def test_milp_conformance(check: Callable[[], None]) -> None:
    check()
