"""The conformance kit on the toulbar2 plugin, with presolve and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_toulbar2 import Toulbar2Solver

from reds_core.knapsack.relaxation import LinearOptions
from reds_core.testing import Settings, solver_conformance

pytestmark = pytest.mark.skipif(bool(Toulbar2Solver.missing()), reason="needs pytoulbar2: pip install pytoulbar2")


@solver_conformance(Toulbar2Solver, Settings(proves=True, seeds=1))
def test_with_presolve(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: Toulbar2Solver(LinearOptions(presolve=False)), Settings(proves=True, seeds=1))
def test_without_presolve(check: Callable[[], None]) -> None:
    check()
