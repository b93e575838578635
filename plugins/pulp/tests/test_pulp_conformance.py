"""The conformance kit on the pulp plugin, with presolve and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reds_pulp import PulpOptions, PulpSolver

from reds_core.testing import Settings, solver_conformance


@solver_conformance(PulpSolver, Settings(proves=True))
def test_with_presolve(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
@solver_conformance(lambda: PulpSolver(PulpOptions(presolve=False)), Settings(proves=True, seeds=1))
def test_without_presolve(check: Callable[[], None]) -> None:
    check()
