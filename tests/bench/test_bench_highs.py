"""Back ends whose libraries cannot share a process, in one comparison."""

from __future__ import annotations

import importlib.util

import pytest
from bench_tools import Place, write_problem

from reds_core.bench.record import SolveOutcome
from reds_core.knapsack.solution import Status


def test_back_ends_are_compared_side_by_side(place: Place) -> None:
    """CBC through PuLP, CP-SAT, HiGHS through SciPy."""
    records = place.solve("cpsat[presolve=false],pulp[presolve=false],scipy-milp[presolve=false]", time_limit_s=20.0)
    assert [r.status for r in records] == [Status.OPTIMAL] * 3
    assert len({r.value for r in records}) == 1
    assert all(r.backend_s is not None and 0 < r.backend_s <= r.wall_s for r in records)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("highspy") is None, reason="highspy is not installed")
def test_pulp_with_highs_and_cpsat_in_one_comparison(place: Place) -> None:
    """highspy and OR-Tools cannot be imported in one process."""
    write_problem(place.folder / "p.npz", 120, 18)
    names = ("cpsat[presolve=false]", "pulp[presolve=false,backend=HiGHS]", "pulp[presolve=false]")
    records = place.solve(*names, time_limit_s=20.0)
    assert [r.contender.label for r in records] == [*names]
    assert [(r.outcome, r.status) for r in records] == [(SolveOutcome.ANSWERED, Status.OPTIMAL)] * 3, records
    assert len({r.value for r in records}) == 1


@pytest.mark.skipif(importlib.util.find_spec("mosek") is not None, reason="MOSEK is installed")
def test_a_back_end_that_is_missing_is_a_record_that_says_what_there_is(place: Place) -> None:
    (record,) = place.solve("pulp[presolve=false,backend=MOSEK]")
    assert record.outcome is SolveOutcome.RAISED
    assert record.reason is not None
    assert "PuLP has no back end 'MOSEK' here; choose one of: " in record.reason
