"""What records say together."""

from __future__ import annotations

import pytest
from bench_records import comparison, failed, found, problem, proved, record, shuffled
from hypothesis import given
from hypothesis import strategies as st

from reds_core.bench.record import SolveOutcome, SolveRecord
from reds_core.bench.verdicts import ELSEWHERE, judge
from reds_core.knapsack.solution import Status

P = problem("p")


def infeasible(by: str) -> SolveRecord:
    return record(P, by, status=Status.INFEASIBLE)


def test_records_that_agree_have_no_false_claims() -> None:
    verdicts = judge(comparison())
    assert verdicts.false_claims == {}
    assert verdicts.false_statements == {}
    assert all(k.is_optimal for k in verdicts.problems.values())


def test_nothing_is_known_of_nothing() -> None:
    assert judge(()).problems == {}


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        (proved(P, "a", 1, value=9), "claims that 9 is optimal, but b reached 10"),
        (found(P, "a", 8, bound=9), "claims that no value passes 9, but b reached 10"),
        (infeasible("a"), "claims that no choice meets the budgets, but b reached 10"),
        (record(P, "a", bound=9), "claims that no value passes 9, but b reached 10"),
    ],
)
def test_a_better_choice_refutes_a_claim(claim: SolveRecord, says: str) -> None:
    verdicts = judge((claim, found(P, "b", 10, bound=12)))
    assert verdicts.false_claims == {0: says}
    known = verdicts.problems[P.sha256]
    assert (known.value, known.bound, known.source, known.is_infeasible) == (10, 12, "b", False)


def test_a_known_optimum_refutes_a_claim_and_is_the_best_value() -> None:
    facts = problem("p", optimum=10)
    verdicts = judge((proved(facts, "a", 1, value=9), found(facts, "b", 7, bound=11)))
    assert verdicts.false_claims == {0: f"claims that 9 is optimal, but {ELSEWHERE} is 10"}
    known = verdicts.problems[facts.sha256]
    assert (known.value, known.source, known.is_optimal) == (10, ELSEWHERE, True)


@pytest.mark.parametrize("facts", [problem("p", optimum=9), problem("p", lp_bound=9)])
def test_a_value_above_what_is_known_from_elsewhere_refutes_that(facts: object) -> None:
    verdicts = judge((proved(facts, "a", 1, value=10),))  # type: ignore[arg-type]
    assert verdicts.false_claims == {}
    assert "9, lies below 10, which a reached" in verdicts.false_statements[P.sha256]
    assert verdicts.problems[P.sha256].is_optimal


def test_a_value_of_one_and_a_bound_of_another_prove_together() -> None:
    verdicts = judge((found(P, "a", -3), found(P, "b", -7, bound=-3)))
    assert verdicts.problems[P.sha256].is_optimal


def test_infeasible_where_nobody_found_a_choice() -> None:
    assert judge((infeasible("a"), infeasible("b"))).problems[P.sha256].is_infeasible


def test_failures_claim_nothing() -> None:
    broken = failed(P, "a", SolveOutcome.BROKE_CONTRACT, "over budget", value=99, bound=1, status=Status.OPTIMAL)
    known = judge((broken, found(P, "b", 5))).problems[P.sha256]
    assert (known.value, known.bound) == (5, None)


@given(
    st.integers(-5, 5),
    st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 4))), min_size=1, max_size=6),
    st.integers(0, 99),
)
def test_true_claims_are_never_refuted(optimum: int, answers: list[tuple[int, int | None]], seed: int) -> None:
    """Whatever solvers that tell the truth answer, in whatever order: no claim is false, and nothing false is known."""
    records = [
        proved(P, f"s{i}", 1, optimum)
        if short == 0 and excess == 0
        else found(P, f"s{i}", optimum - short, None if excess is None else optimum + excess)
        for i, (short, excess) in enumerate(answers)
    ]
    verdicts = judge(shuffled(records, seed))
    assert verdicts.false_claims == {}
    known = verdicts.problems[P.sha256]
    assert known.value == optimum - min(short for short, _ in answers)
    assert known.bound == min((optimum + e for _, e in answers if e is not None), default=None)
