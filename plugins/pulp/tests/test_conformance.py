"""Every behaviour that reds asks of a solver, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_pulp import PulpSolver

from reds_core.testing import Settings, solver_conformance


@solver_conformance(PulpSolver, Settings(proves=True))
def test_conformance(check: Callable[[], None]) -> None:
    check()
