"""The conformance kit on the cpsat plugin, with presolve and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_cpsat import CpsatSolver

from reds_core.knapsack.relaxation import LinearOptions
from reds_core.testing import Settings, solver_conformance


@solver_conformance(CpsatSolver, Settings(proves=True))
def test_with_presolve(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: CpsatSolver(LinearOptions(presolve=False)), Settings(proves=True))
def test_without_presolve(check: Callable[[], None]) -> None:
    check()
