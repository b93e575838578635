"""The conformance kit on the gurobi plugin, with presolve and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_gurobi import GurobiSolver

from reds_core.knapsack.relaxation import LinearOptions
from reds_core.testing import Settings, solver_conformance

pytestmark = pytest.mark.skipif(bool(GurobiSolver.missing()), reason="needs gurobipy: pip install gurobipy")


@solver_conformance(GurobiSolver, Settings(proves=True, seeds=1))
def test_with_presolve(check: Callable[[], None]) -> None:
    check()


@solver_conformance(lambda: GurobiSolver(LinearOptions(presolve=False)), Settings(proves=True, seeds=1))
def test_without_presolve(check: Callable[[], None]) -> None:
    check()
