"""A comparison under a gap: what is recorded, and that an answer at the gap counts as what it is."""

from __future__ import annotations

import json

import pytest
from bench_records import found, proved
from bench_tools import Place

from reds_core.bench.reader import records_frame
from reds_core.bench.record import SolveOutcome
from reds_core.bench.report.findings import warnings
from reds_core.bench.report.results import Kind, compare, kind_of
from reds_core.bench.report.tables import results_table
from reds_core.bench.runner import BenchSettings
from reds_core.bench.task import SolverAnswer
from reds_core.bench.verification import scored
from reds_core.errors import ContractViolation, InputError
from reds_core.knapsack.solution import Limit, Solution, Status
from reds_core.knapsack.solver import Control, Feature, Solver
from reds_core.registry import Registry
from reds_core.testing.oracle import brute_force
from reds_core.testing.problems import roomy

GAP = {"limit": Limit.GAP, "gap_asked": 0.01}


def test_the_gap_is_passed_on_and_recorded(place: Place) -> None:
    (record,) = place.solve("scipy-lp", gap=0.25)
    assert (record.outcome, record.gap_asked) == (SolveOutcome.ANSWERED, 0.25)
    assert record.gap is not None
    assert record.gap <= 0.25
    assert record.status is Status.OPTIMAL or record.limit is Limit.GAP
    (exact, _) = sorted(place.solve("scipy-lp"), key=lambda r: r.gap_asked or 0)
    assert exact.gap_asked is None
    assert "gap_asked" not in json.loads((place.out / "records.jsonl").read_text().splitlines()[1])
    assert records_frame(place.out)["gap_asked"].isna().tolist() == [False, True]


def test_a_gap_out_of_range_is_an_error() -> None:
    with pytest.raises(InputError, match=r"the gap -1 is not a finite share"):
        BenchSettings(gap=-1)


def replayed(bound_above: int, gap: float | None) -> Solution:
    problem = roomy(0, Feature.NONE)
    best = brute_force(problem)
    assert best.value is not None
    choice = tuple(int(k) for k in best.optima[0])
    answer = SolverAnswer(Status.FEASIBLE, Limit.GAP, choice, best.value + bound_above, None, ())
    return scored(problem, Registry().get(Solver, "scipy-lp"), answer, gap)


def test_an_answer_at_the_gap_is_verified() -> None:
    assert Control.GAP in Registry().get(Solver, "scipy-lp").controls
    assert replayed(1, 0.5).limit is Limit.GAP
    for bound_above, gap in ((10**6, 0.5), (1, None)):
        with pytest.raises(ContractViolation, match="it stopped at the gap"):
            replayed(bound_above, gap)


def test_an_answer_at_the_gap_is_neither_a_proof_nor_a_failure() -> None:
    record = found("p", "a", 1000, 1005, **GAP)
    assert kind_of(record, None) is Kind.IN_GAP
    comparison = compare([record, proved("p", "b", 1.0)])
    assert [solver.proofs for solver in comparison.solvers] == [1, 0]
    text = " ".join(cell.note for block in results_table(comparison).blocks for row in block.rows for cell in row.cells)
    assert "best known, gap 0.5" in text
    assert "as asked for" in text
    assert "gap limit" not in text


def test_records_of_different_gaps_are_not_mixed() -> None:
    comparison = compare([found("p", "a", 1000, 1005, **GAP), proved("p", "a", 1.0)])
    assert len(comparison.solvers) == 2
    assert any("different gaps" in sentence for sentence in warnings(comparison, ()))
