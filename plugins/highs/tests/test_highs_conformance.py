"""The conformance kit on the highs plugin, with presolve and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_highs import HighsSolver

from reds_core.knapsack.relaxation import LinearOptions
from reds_core.testing import Settings, solver_conformance

pytestmark = pytest.mark.skipif(bool(HighsSolver.missing()), reason="needs highspy: pip install highspy")


@solver_conformance(HighsSolver, Settings(proves=True, seeds=1))
def test_with_presolve(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: HighsSolver(LinearOptions(presolve=False)), Settings(proves=True, seeds=1))
def test_without_presolve(check: Callable[[], None]) -> None:
    check()
