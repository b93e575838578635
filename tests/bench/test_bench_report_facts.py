"""The tables and sentences of a comparison of solvers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from bench_records import failed, found, proved, record
from html_pages import (
    Page,
)
from sample_comparisons import (
    GLANCE,
    LOSSES,
    RUN,
    SPEED,
    Records,
    conflicting,
    mixed,
    no_bounds,
    nothing,
    one_problem,
    one_solver,
    usual,
)

from reds_core.bench.record import SolveOutcome
from reds_core.bench.report.findings import findings, headline, warnings
from reds_core.bench.report.results import compare
from reds_core.bench.report.writing import bench_page
from reds_core.knapsack.solution import Limit, Status
from reds_core.report.units import THIN

# --- tables ---------------------------------------------------------------------------------------------------------


def test_the_glance_counts_what_each_solver_came_to(usual_page: Page) -> None:
    assert usual_page.row(GLANCE, "dp")[:6] == [24, 24, 0, 0, 0, 0]
    assert usual_page.row(GLANCE, "reds-kernel")[:6] == [24, 0, 0, 0, 24, 0]
    assert usual_page.row(GLANCE, "crasher")[:6] == [2, 0, 0, 0, 0, 2]
    for label, cells in usual_page.tables[GLANCE].items():
        asked, *came_to = usual_page.row(GLANCE, label)[:6]
        assert asked == sum(c or 0 for c in came_to), cells


def test_speeds_are_ratios_of_shifted_means_over_what_both_proved(usual_page: Page) -> None:
    records = usual()
    times = {
        label: {r.problem.name: r.wall_s for r in records if r.contender.label == label and r.status is Status.OPTIMAL}
        for label in ("dp", "cpsat")
    }
    ratios = [t / times["dp"][p] for p, t in times["cpsat"].items()]
    both, mean, low, least, most, left, *_ = usual_page.row(SPEED, "cpsat")
    assert (both, left) == (len(ratios), 24 - len(ratios))
    means = [math.prod(times[by][p] + 0.01 for p in times["cpsat"]) ** (1 / len(ratios)) for by in ("cpsat", "dp")]
    assert mean == pytest.approx((means[0] - 0.01) / (means[1] - 0.01))
    assert low is not None
    assert least is not None
    assert least < low < mean
    assert (least, most) == (pytest.approx(min(ratios)), pytest.approx(max(ratios)))


def test_losses_are_against_the_proven_optimum_only() -> None:
    records = [
        *(proved(p, "dp", 0.1, 1000) for p in "pqr"),
        *(found(p, "greedy", v) for p, v in zip("pqrs", (1000, 990, 900, 1), strict=True)),
    ]
    page = Page(bench_page(records))
    assert page.row(LOSSES, "greedy") == [3, 3, 1, 0.01, 0.1]
    assert page.tables[LOSSES]["greedy"][-1][0] == f"10.0{THIN}%|r"
    assert page.row(LOSSES, "dp") == [3, 3, 3, 0, 0]


def test_each_run_tells_its_time_and_what_came_of_it() -> None:
    records = [
        *(proved("p", "dp", s, 1000, repeat=i) for i, s in enumerate((0.2, 0.1, 0.3))),
        found("p", "cpsat", 990, bound=1001, wall_s=60.1, limit=Limit.TIME),
        found("p", "greedy", 1000),
        failed("p", "mad", SolveOutcome.OUT_OF_MEMORY, "held 5000 MiB"),
        failed("p", "shy", SolveOutcome.REFUSED, "too large"),
        record("p", "idle"),
    ]
    page = Page(bench_page(records))
    everything, who = "Every problem and solver", "Who proved what"
    cells = dict(zip(page.columns[everything][1:], page.tables[everything]["p"], strict=True))
    text = {label: cell[0].replace(THIN, " ") for label, cell in cells.items()}
    assert text["Value"] == "1 000|optimal"
    assert text["dp"] == "200 ms|100 ms – 300 ms, optimal"
    assert text["cpsat"] == "60.1 s|−1.0 %, gap 1.1 %, time limit"
    assert text["greedy"] == "1.00 s|best known, no bound"
    assert text["mad"] == "1.00 s|out of memory"
    assert text["shy"] == "refused"
    assert text["idle"] == "1.00 s|no choice"
    marks = dict(zip(page.columns[who][1:], page.tables[who]["p"], strict=True))
    assert {label: mark for label, (mark, _) in marks.items()} == {
        "Proofs": "1", "dp": "●", "cpsat": "○", "greedy": "○", "mad": "×", "shy": "–", "idle": "·",
    }  # fmt: skip


def test_failures_and_refusals_stand_apart_with_their_reasons(usual_page: Page) -> None:
    assert list(usual_page.tables["Failures"]) == ["crasher"]
    assert usual_page.tables["Refusals"]["reds-kernel"][1][0] == "kernel arrays are missing"
    assert usual_page.row("Refusals", "reds-kernel")[2] == 24


def test_reasons_that_differ_in_names_and_figures_take_one_row() -> None:
    reasons = [f"problem 'p{i}' held {4100 + i} MiB" for i in range(9)]
    records = [failed(f"p{i}", "eater", SolveOutcome.OUT_OF_MEMORY, reason) for i, reason in enumerate(reasons)]
    (row,) = Page(bench_page(records)).tables["Failures"].values()
    assert row[1][0] == "problem 'p0' held 4100 MiB|and 8 that differ only in names and numbers"
    assert row[3][0] == "p0, p1, p2, p3, p4, p5 and 3 more"


def test_remarks_take_one_row_with_those_who_made_them() -> None:
    told = {"dp": ("does not honour seed", "8 nodes"), "greedy": ("does not honour seed",), "cpsat": ("12 nodes",)}
    page = Page(bench_page([record("p", by, detail=detail) for by, detail in told.items()]))
    rows = page.tables["Remarks of the solvers"]
    assert {remark: [text for text, _ in cells] for remark, cells in rows.items()} == {
        "does not honour seed": ["2", "dp, greedy"],
        "8 nodes": ["2", "dp, cpsat|one of 2 that differ only in names and numbers"],
    }


def test_claims_that_cannot_be_true_are_shown_and_count_as_no_proof() -> None:
    html = bench_page(conflicting())
    page = Page(html)
    false = page.tables["Claims that cannot be true"]
    assert {label: cells[1][0] for label, cells in false.items()} == {
        "liar": "claims that 900 is optimal, but honest reached 1000",
        "denier": "claims that no choice meets the budgets, but honest reached 1000",
    }
    assert "nothing was proved" in page.text
    assert "p: the optimum or LP bound known from elsewhere, 900, lies below 1000, which honest reached" in page.text


# --- sentences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (nothing, "No solve was recorded."),
        (one_solver, "1 solver on 4 problems: dp proved all."),
        (one_problem, "3 solvers on 1 problem: dp and cpsat proved it."),
        (no_bounds, "2 solvers on 2 problems: nothing was proved."),
        (
            usual,
            "10 solvers on 24 problems: dp proved all; cpsat 23; scipy-milp 20; pulp 16; cpsat[presolve=false] 15.",
        ),
    ],
)
def test_the_headline_says_who_proved_how_many(make: Callable[[], Records], sentence: str) -> None:
    assert headline(compare(make())) == sentence


def test_findings_tell_speed_gap_loss_and_failures() -> None:
    records = [
        *(proved(p, "dp", 1.0, 1000) for p in "pq"),
        proved("p", "cpsat", 2.0, 1000),
        found("q", "cpsat", 990, bound=1010),
        proved("q", "pulp", 8.0, 1000),
        *(found(p, "greedy", 950) for p in "pq"),
        failed("p", "pulp", SolveOutcome.CRASHED, "signal 11"),
    ]
    told = [sentence.replace(THIN, " ") for sentence in findings(compare(records))]
    assert told == [
        "Mean time to a proof on 2 problems: dp 1.00 s, cpsat 11.0 s (11 times as long) and pulp 21.9 s (21.9 times as "
        "long). Means are geometric with a shift of 10 ms, and a problem without a proof counts as the time limit.",
        "The gap left where there was no proof (median): cpsat 2.0 % (1 left open).",
        "Value lost against the proven optimum (median): greedy 5.0 % (worst 5.0 %) and cpsat 0.5 % (worst 1.0 %); "
        "pulp (on 1 of 2) lost nothing.",
        "Of 8 solves 1 failed.",
    ]


def test_a_solver_that_is_faster_but_proved_less_is_said_to_be_so() -> None:
    records = [proved(p, "dp", 30.0) for p in "pq"]
    records += [proved("p", "brisk", 0.1), found("q", "brisk", 990, wall_s=60.0, limit=Limit.TIME)]
    (speed, *_) = findings(compare(records))
    assert "dp 30.0 s, brisk 2.56 s (11.7 times as fast)" in speed.replace(THIN, " ")


def test_solvers_are_ranked_over_problems_if_there_are_enough() -> None:
    records = [proved(p, by, s) for p in "pqrst" for by, s in (("dp", 0.1), ("cpsat", 1.0), ("pulp", 5.0))]
    page = Page(bench_page(records))
    assert "Over 5 problems, the mean ranks differ (Friedman's test, p < 0.001)" in page.text
    table = page.tables["Mean ranks of the times to a proof"]
    assert {label: [text for text, _ in cells] for label, cells in table.items()} == {
        "dp": ["1.00", "5", "cpsat"], "cpsat": ["2.00", "0", "dp, pulp"], "pulp": ["3.00", "0", "cpsat"],
    }  # fmt: skip
    few = Page(bench_page(records[:9]))
    assert "Here there are 3 solvers and 3 problems" in few.text


def test_what_makes_figures_hard_to_compare_is_said() -> None:
    told = "\n".join(warnings(compare(mixed()), [RUN])).replace(THIN, " ")
    for words in (
        "was interrupted: 30 of 40 solves are recorded", "Up to 4 solves ran at the same time", "2 different machines",
        "time limits: 60 s, 10 s", "memory limits: 4.00 GiB, none", "threads: 1, not set", "seeds (0, 1)",
        "versions of libraries: ortools 9.11, 9.12", "Not every solver has been run on all 2 problems",
    ):  # fmt: skip
        assert words in told
    assert warnings(compare(one_problem()), []) == ()


def test_runs_and_solvers_left_out_are_listed() -> None:
    page = Page(bench_page(one_problem(), runs=[RUN]))
    left_out = page.tables["Solvers that could not take part"]
    assert {name: [text for text, _ in cells] for name, cells in left_out.items()} == {
        "gurobi": ["unavailable", "pip install gurobipy"]
    }
    assert page.row("Runs of the command", RUN.started_at)[1:4] == [40, 10, 20]
