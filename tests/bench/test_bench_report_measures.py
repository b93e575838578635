"""The measures of a comparison: performance profiles, ratios of times, losses, and what repeats come to."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from bench_records import contender, failed, found, problem, proved, record
from hypothesis import given, settings
from hypothesis import strategies as st

from reds_core.bench.record import SolveOutcome
from reds_core.bench.report.measures import (
    CLOCK_S,
    SHIFT_S,
    cumulative,
    geometric_mean,
    performance_profiles,
    relative_loss,
    shifted_geometric_mean,
    spread,
    time_ratios,
)
from reds_core.bench.report.presolve import presolve_pairs
from reds_core.bench.report.results import Clock, Kind, compare
from reds_core.knapsack.solution import Limit, Status
from reds_core.report.units import THIN

INF = math.inf
TIMES = st.one_of(st.just(INF), st.floats(1e-5, 1e3))


# --- performance profiles -------------------------------------------------------------------------------------------


def test_profiles_of_an_example_by_hand() -> None:
    """Four problems: p by a in 1 and b in 2 s; q by b alone; r by a in 8, b in 2 s; nobody solves s."""
    profiles = performance_profiles(
        {"a": {"p": 1.0, "q": INF, "r": 8.0, "s": INF}, "b": {"p": 2.0, "q": 3.0, "r": 2.0, "s": INF}}
    )
    assert profiles["a"].places == (1.0, 4.0)
    assert profiles["a"].shares == (0.25, 0.5)
    assert profiles["b"].places == (1.0, 2.0)
    assert profiles["b"].shares == (0.5, 0.75)
    assert [profiles["b"].at(x) for x in (0.99, 1.0, 1.99, 2.0, 1e9)] == [0.0, 0.5, 0.5, 0.75, 0.75]


def test_a_problem_that_a_solver_was_not_given_does_not_count_against_it() -> None:
    profiles = performance_profiles({"a": {"p": 1.0}, "b": {"p": 2.0, "q": 1.0}})
    assert (profiles["a"].end, profiles["b"].shares) == (1.0, (0.5, 1.0))


@given(st.lists(st.tuples(TIMES, TIMES, TIMES), min_size=1, max_size=12))
def test_profiles_rise_from_1_to_the_share_solved(table: list[tuple[float, float, float]]) -> None:
    times = {s: {str(i): row[k] for i, row in enumerate(table)} for k, s in enumerate("abc")}
    profiles = performance_profiles(times)
    for solver, profile in profiles.items():
        assert all(p < q for p, q in itertools.pairwise(profile.places))
        assert all(p < q for p, q in itertools.pairwise(profile.shares))
        assert all(place >= 1 for place in profile.places)
        assert profile.end == sum(map(math.isfinite, times[solver].values())) / len(table)
        # the definition, counted anew
        for factor in (1.0, 1.5, 10.0):
            within = sum(row["abc".index(solver)] <= factor * min(row) < INF for row in table)
            near = sum(row["abc".index(solver)] <= factor * min(row) * (1 + 1e-9) < INF for row in table)
            assert within / len(table) - 1e-12 <= profile.at(factor * (1 + 1e-12)) <= near / len(table) + 1e-12
    solved = sum(min(row) < INF for row in table)
    assert sum(p.at(1.0) for p in profiles.values()) >= solved / len(table) - 1e-12


@given(st.dictionaries(st.sampled_from("pqrs"), TIMES, min_size=1), st.integers(-9, 9))
def test_profiles_do_not_depend_on_the_unit_of_time(own: dict[str, float], power: int) -> None:
    def profiles(unit: float) -> object:
        return performance_profiles({"a": {p: unit * t for p, t in own.items()}, "b": dict.fromkeys(own, 2.5 * unit)})

    assert profiles(1e3) == profiles(1e3 * 2.0**power)  # exact: powers of two round nothing


def test_times_of_zero_count_as_what_a_clock_can_tell() -> None:
    assert performance_profiles({"a": {"p": 0.0}, "b": {"p": 3 * CLOCK_S}})["b"].places == pytest.approx((3.0,))
    ratios = time_ratios({"p": 0.0}, {"p": 0.0})
    assert ratios is not None
    assert ratios.mean == 1.0


def test_the_share_of_nothing_is_nothing() -> None:
    assert cumulative([]).end == cumulative([INF]).end == cumulative([INF]).at(5.0) == 0.0


# --- ratios and losses ----------------------------------------------------------------------------------------------


def test_ratios_are_over_problems_that_both_solved() -> None:
    ratios = time_ratios({"p": 1.0, "q": 2.0, "r": 5.0, "s": INF}, {"p": 2.0, "q": 16.0, "r": INF, "s": 1.0, "t": 1.0})
    assert ratios is not None
    assert (ratios.count, ratios.least, ratios.most, ratios.least_on, ratios.most_on) == (2, 2.0, 8.0, "p", "q")
    # roots of 2.01 x 16.01 and of 1.01 x 2.01, less the shift of 0.01
    assert ratios.mean == pytest.approx((math.sqrt(2.01 * 16.01) - 0.01) / (math.sqrt(1.01 * 2.01) - 0.01))
    assert ratios.interval is None


def test_no_ratio_without_a_common_problem() -> None:
    assert time_ratios({"p": 1.0, "q": INF}, {"p": INF, "q": 1.0}) is None
    assert time_ratios({}, {"p": 1.0}) is None


@settings(deadline=None)  # the first example imports SciPy
@given(st.lists(st.tuples(st.floats(1e-4, 1e4), st.floats(1e-4, 1e4)), min_size=1, max_size=9))
def test_ratios_turned_round_are_inverse(pairs: list[tuple[float, float]]) -> None:
    one, other = ({str(i): pair[k] for i, pair in enumerate(pairs)} for k in (0, 1))
    there, back = time_ratios(one, other), time_ratios(other, one)
    assert there is not None
    assert back is not None
    assert there.mean * back.mean == pytest.approx(1.0)
    assert there.least * back.most == pytest.approx(1.0)
    shifted = [(second + SHIFT_S) / (first + SHIFT_S) for first, second in pairs]
    own = shifted_geometric_mean([first for first, _ in pairs], SHIFT_S)
    ratio = (there.mean * own + SHIFT_S) / (own + SHIFT_S)
    assert min(shifted) * (1 - 1e-9) <= ratio <= max(shifted) * (1 + 1e-9)


def test_a_tiny_problem_hardly_changes_the_ratio() -> None:
    """Ten problems take half as long, and one takes 0.7 s instead of 0.7 ms: a plain mean sees no difference."""
    first = {str(i): 2.0 for i in range(10)} | {"tiny": 0.0007}
    second = {str(i): 1.0 for i in range(10)} | {"tiny": 0.7}
    ratios = time_ratios(first, second)
    assert ratios is not None
    plain = geometric_mean([second[p] / first[p] for p in first])
    assert plain > 0.99
    assert ratios.mean < 0.8


def test_the_interval_of_a_ratio_holds_it_and_is_the_same_each_time() -> None:
    first = {str(i): 1.0 + i for i in range(8)}
    second = {str(i): (2.0 + i % 3) * (1.0 + i) for i in range(8)}
    ratios = time_ratios(first, second)
    assert ratios is not None
    assert ratios.interval is not None
    low, high = ratios.interval
    assert 2.0 < low < ratios.mean < high < 4.0
    assert ratios == time_ratios(first, second)
    doubled = time_ratios(first, {p: 2 * t for p, t in first.items()})
    assert doubled is not None
    assert doubled.interval == pytest.approx((2.0, 2.0), rel=0.01)


def test_the_geometric_mean_neither_overflows_nor_vanishes() -> None:
    assert geometric_mean([1e-300, 1e300]) == pytest.approx(1.0)
    assert geometric_mean([1e300] * 40) == pytest.approx(1e300)


@pytest.mark.parametrize(
    ("best", "value", "loss"),
    [(10, 10, 0.0), (10, 9, 0.1), (-10, -11, 0.1), (0, 0, 0.0), (0, -1, INF), (5, -5, 2.0)],
)
def test_losses_are_shares_of_the_best(best: int, value: int, loss: float) -> None:
    assert relative_loss(best, value) == pytest.approx(loss)


def test_the_spread_names_where_it_is_worst() -> None:
    assert spread({}) is None
    found_spread = spread({"p": 0.1, "q": 0.4, "r": 0.2})
    assert found_spread is not None
    assert (found_spread.count, found_spread.median, found_spread.worst, found_spread.worst_on) == (3, 0.2, 0.4, "q")


# --- repeats --------------------------------------------------------------------------------------------------------


def run_of(*records: object) -> object:
    (solver,) = compare(records).solvers  # type: ignore[arg-type]
    (run,) = solver.runs.values()
    return run


def test_repeats_are_taken_together_by_their_median() -> None:
    run = run_of(*(proved("p", "a", s, repeat=i) for i, s in enumerate((3.0, 1.0, 2.0))))
    assert (run.kind, run.proof_s, run.times_s) == (Kind.OPTIMAL, 2.0, (3.0, 1.0, 2.0))


def test_most_repeats_must_be_proved() -> None:
    two = [proved("p", "a", 1.0), proved("p", "a", 2.0, repeat=1)]
    one_more = found("p", "a", 990, bound=1000, wall_s=60.0, repeat=2)
    assert run_of(*two, one_more).proof_s == 2.0
    assert run_of(*two, one_more).value == 1000
    tie = run_of(two[0], one_more)
    assert (tie.proof_s, tie.kind, tie.value, tie.bound) == (INF, Kind.ANSWERED, 990, 1000)


def test_a_false_claim_in_one_repeat_takes_the_proof_from_all() -> None:
    wrong = proved("p", "a", 1.0, value=900, repeat=1)
    run = run_of(proved("p", "a", 1.0), wrong, proved("p", "a", 1.0, repeat=2))
    assert (run.kind, run.proof_s) == (Kind.FALSE_CLAIM, INF)


@pytest.mark.parametrize(
    ("records", "kind"),
    [
        ([record("p", "a", status=Status.INFEASIBLE)], Kind.INFEASIBLE),
        ([record("p", "a")], Kind.NOTHING),
        ([found("p", "a", 5, bound=5)], Kind.OPTIMAL),  # the bound says it, whatever the status
        ([found("p", "a", 5)], Kind.ANSWERED),
        ([failed("p", "a", SolveOutcome.REFUSED, "too large")], Kind.REFUSED),
        ([failed("p", "a", SolveOutcome.RAISED, "ValueError")], Kind.FAILED),
        ([failed("p", "a", SolveOutcome.CRASHED, "x"), found("p", "a", 5, repeat=1)], Kind.FAILED),
    ],
)
def test_what_a_run_came_to(records: list[object], kind: Kind) -> None:
    assert run_of(*records).kind is kind


# --- solvers -------------------------------------------------------------------------------------------------------


def test_one_tiny_problem_does_not_decide_which_solver_comes_first() -> None:
    tiny = {"dp": 0.005, "scipy-lp": 0.0007}
    records = [record("tiny", by, status=Status.INFEASIBLE, wall_s=s) for by, s in tiny.items()]
    for p in "pqr":
        records += [proved(p, "dp", 0.02), proved(p, "scipy-lp", 0.04)]
    comparison = compare(records)
    assert [e.label for e in comparison.solvers] == ["dp", "scipy-lp"]
    assert comparison.blocks[0] == {"dp": SHIFT_S, "scipy-lp": SHIFT_S}


def test_the_best_entrant_comes_first() -> None:
    records = [
        found("p", "greedy", 990),
        found("p", "uniform", 500),
        proved("p", "slow", 9.0),
        proved("p", "fast", 1.0),
        failed("p", "broken", SolveOutcome.CRASHED, "signal 11"),
    ]
    assert [e.label for e in compare(records).solvers] == ["fast", "slow", "greedy", "uniform", "broken"]


def test_records_of_several_settings_are_entrants_of_their_own() -> None:
    newer = contender("a", version="0.2.0")
    records = [
        proved("p", "a", 1.0),
        proved("p", "a", 1.0, time_limit_s=300.0),
        proved("p", newer, 1.0),
        proved("p", "b", 1.0),
    ]
    labels = {e.label for e in compare(records).solvers}
    assert labels == {
        f"a, version reds-core 0.1.0, limit 60{THIN}s",
        f"a, version reds-core 0.1.0, limit 300{THIN}s",
        f"a, version reds-core 0.2.0, limit 60{THIN}s",
        "b",
    }


def test_problems_of_one_name_are_told_apart_by_their_hash() -> None:
    records = [proved(problem("p", sha256=c * 64), "a", 1.0) for c in "ab"]
    assert list(compare(records).problems) == ["p (aaaaaaaa)", "p (bbbbbbbb)"]


def test_presolve_pairs_differ_in_nothing_else() -> None:
    def option(presolve: str, backend: str) -> object:
        options = {"presolve": presolve, "backend": backend}
        return contender(f"pulp[{presolve},{backend}]", options=options, presolve=presolve == "true")

    makes = [option("true", "cbc"), option("false", "cbc"), option("true", "highs"), contender("dp")]
    records = [proved(p, by, 2.0 - ("false" in by.label), 5) for p in "pq" for by in makes]  # type: ignore[attr-defined]
    (pair,) = presolve_pairs(compare(records).solvers)
    assert (pair.on.label, pair.off.label) == ("pulp[true,cbc]", "pulp[false,cbc]")
    assert pair.times_s == (("p", 1.0, 2.0), ("q", 1.0, 2.0))
    assert pair.ratios is not None
    assert pair.ratios.mean == pytest.approx(0.5)


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_times_are_processor_times_if_every_solve_has_one() -> None:
    records = [
        proved("p", "a", 5.0, cpu_s=1.0),
        proved("p", "b", 4.0, cpu_s=3.0),
        failed("p", "c", SolveOutcome.CRASHED, "no reason"),
    ]
    comparison = compare(records)
    assert comparison.clock is Clock.PROCESSOR
    assert {solver.label: solver.proof_times for solver in comparison.provers} == {"a": {"p": 1.0}, "b": {"p": 3.0}}


@pytest.mark.parametrize("changes", [{"cpu_s": None}, {"cpu_s": 3.0, "threads": 2}, {"cpu_s": 3.0, "threads": None}])
def test_times_are_wall_times_if_one_solve_has_no_processor_time_or_may_use_threads(changes: dict[str, float]) -> None:
    comparison = compare([proved("p", "a", 5.0, cpu_s=1.0), proved("p", "b", 4.0, **changes)])
    assert comparison.clock is Clock.WALL
    assert [next(iter(solver.proof_times.values())) for solver in comparison.provers] == [4.0, 5.0]


def test_the_shifted_mean_counts_open_problems_as_the_time_limit() -> None:
    assert shifted_geometric_mean([0.0, 0.03], 0.01) == pytest.approx(0.01)
    records = [proved("p", "a", 0.0), found("q", "a", 5, bound=6, wall_s=70.0), found("p", "b", 4)]
    records = [replace(record, time_limit_s=0.03) for record in records]
    results = {solver.label: solver for solver in compare(records).solvers}
    assert results["a"].shifted_mean_s == pytest.approx(0.01)
    assert results["b"].shifted_mean_s is None


def test_a_problem_without_a_proof_counts_as_the_time_limit() -> None:
    """However little of it the solver computed, such as one that waits."""
    stopped = found("q", "a", 5, bound=6, wall_s=60.0, cpu_s=0.03, limit=Limit.TIME)
    (solver,) = compare([proved("p", "a", 9.0, cpu_s=0.0), stopped]).solvers
    assert solver.shifted_mean_s == pytest.approx((0.01 * 60.01) ** 0.5 - 0.01)


def test_repeats_that_fail_reach_no_value_and_are_not_fast() -> None:
    records = [proved("p", "dp", 5.0)]
    records += [failed("p", "flaky", SolveOutcome.CRASHED, "gone", wall_s=0.01, repeat=r) for r in (0, 1)] + [
        proved("p", "flaky", 50.0, repeat=2)
    ]
    results = {each.label: each for each in compare(records).solvers}
    assert results["dp"].times_within(0.0) == {"p": 5.0}
    assert results["flaky"].times_within(0.0) == {"p": math.inf}
    assert results["flaky"].runs["p"].loss is None
