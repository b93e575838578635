"""The conformance kit on both solvers of the scipy plugin, with presolve and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_scipy import ScipyLpSolver, ScipyMilpSolver

from reds_core.knapsack.relaxation import LinearOptions
from reds_core.testing import Settings, solver_conformance


@solver_conformance(ScipyMilpSolver, Settings(proves=True))
def test_milp_with_presolve(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: ScipyMilpSolver(LinearOptions(presolve=False)), Settings(proves=True))
def test_milp_without_presolve(check: Callable[[], None]) -> None:
    check()


@solver_conformance(ScipyLpSolver)
def test_lp_with_presolve(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: ScipyLpSolver(LinearOptions(presolve=False)))
def test_lp_without_presolve(check: Callable[[], None]) -> None:
    check()
