"""Every behaviour that reds asks of a solver, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_dp import DpSolver

from reds_core.testing import Settings, solver_conformance


@solver_conformance(DpSolver, Settings(proves=True))
def test_conformance(check: Callable[[], None]) -> None:
    check()
