"""The conformance kit on the scip plugin, with presolve and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_scip import ScipSolver

from reds_core.knapsack.relaxation import LinearOptions
from reds_core.testing import Settings, solver_conformance

pytestmark = pytest.mark.skipif(bool(ScipSolver.missing()), reason="needs pyscipopt: pip install pyscipopt")


@solver_conformance(ScipSolver, Settings(proves=True, seeds=1))
def test_with_presolve(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: ScipSolver(LinearOptions(presolve=False)), Settings(proves=True, seeds=1))
def test_without_presolve(check: Callable[[], None]) -> None:
    check()
