"""Every behaviour that reds asks of a solver, one test each."""

from __future__ import annotations

from collections.abc import Callable

from reds_greedy import GreedySolver

from reds_core.testing import solver_conformance


@solver_conformance(GreedySolver)
def test_conformance(check: Callable[[], None]) -> None:
    check()
