"""The page and the summary of a comparison."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from bench_records import MACHINE, comparison, contender, failed, found, problem, proved, record
from html_pages import (
    Page,
    assert_drawings_are_whole,
    assert_no_placeholder_shows,
    assert_nothing_is_fetched,
    assert_tables_and_figures_are_whole,
)
from toy_plugins import BruteSolver

from reds_core.bench.history import BenchHistory, BenchRun, Ending, LeftOut, read_history, write_history
from reds_core.bench.record import Outcome, SolveRecord
from reds_core.bench.runner import BenchSettings
from reds_core.comparison import run_bench
from reds_core.errors import InputError, UnavailableError
from reds_core.problem_file import load_problem, save_problem
from reds_core.records import to_json_line
from reds_core.report import series
from reds_core.report.bench import bench_page, bench_summary, figures, write_bench_report
from reds_core.report.bench.findings import findings, headline, warnings
from reds_core.report.bench.measures import performance_profiles
from reds_core.report.bench.results import compare
from reds_core.report.markdown import escaped
from reds_core.report.page import inline_script
from reds_core.report.units import THIN
from reds_core.solution import Limit, Status
from reds_core.solver import solve
from reds_core.testing.problems import near_equal_values

Records = Sequence[SolveRecord]
GLANCE, SPEED, LOSSES = (
    "All solvers, the best first",
    "Time to a proof, compared with dp",
    "Value lost against the proven optimum",
)


# --- comparisons as they may come out -------------------------------------------------------------------------------


def nothing() -> Records:
    return ()


def usual() -> Records:
    return comparison()


def repeated() -> Records:
    return comparison(problems=5, repeats=3)


def one_solver() -> Records:
    return [proved(f"p{i}", "dp", 0.01 * (i + 1)) for i in range(4)]


def one_problem() -> Records:
    return [proved("p", "dp", 0.01), proved("p", "cpsat", 0.2), found("p", "greedy", 990)]


def one_solve() -> Records:
    return [found("p", "greedy", 990)]


def all_failed() -> Records:
    outcomes = [o for o in Outcome if o is not Outcome.ANSWERED]
    return [failed("p", f"solver {o.value}", o, f"it {o.value}", peak_memory_bytes=None) for o in outcomes]


def infeasible() -> Records:
    return [record("p", by, status=Status.INFEASIBLE, wall_s=0.1 * i) for i, by in enumerate(("dp", "cpsat"))]


def no_bounds() -> Records:
    return [found(p, by, value) for p in "pq" for by, value in (("greedy", 99), ("uniform-width", 80))]


def negative_values() -> Records:
    return [proved("p", "dp", 0.1, -1000), found("p", "greedy", -1100, bound=-900), found("p", "uniform", -5000)]


def zeros() -> Records:
    """Values of 0, times of 0, no size."""
    facts = problem("p", groups=0, options=0, pairs=0)
    return [proved(facts, "dp", 0.0, 0), found(facts, "greedy", -5, bound=7, wall_s=0.0), found(facts, "lucky", 0)]


def nothing_found() -> Records:
    return [record("p", by, limit=Limit.TIME) for by in ("cpsat", "scipy-milp")]


def conflicting() -> Records:
    return [
        proved(problem("p", optimum=900), "liar", 0.1, 900),
        found(problem("p", optimum=900), "honest", 1000, bound=1010),
        record("p", "denier", status=Status.INFEASIBLE),
    ]


ODD = (
    "<script>alert(1)</script>",
    "a|b*c_d`e",
    "$x^$ {0} {{ x }}",
    "quote\"'&amp;",
    "bell\x07\x1b[31m",
    "ns:é漢字",
    "long/" * 40,
    "line\nbreak",
)


def odd() -> Records:
    """Names and reasons that no one should trust."""
    answers = [proved(p, by, 0.5 + i) for p in ODD for i, by in enumerate(ODD)]
    failures = [failed(p, p, Outcome.RAISED, p) for p in ODD]
    told = [dataclasses.replace(r, detail=ODD, versions={v: v for v in ODD}) for r in answers[:3]]
    named = dataclasses.replace(answers[0], machine=dataclasses.replace(MACHINE, cpu=ODD[0]), limit=Limit.NODES)
    return [*told, *answers[3:], named, *failures]


def mixed() -> Records:
    """Two machines, side by side, several limits, threads, seeds, versions."""
    other = dataclasses.replace(MACHINE, cpu="Another CPU")
    return [
        proved("p", "dp", 0.1),
        proved("p", "cpsat", 0.4, time_limit_s=10.0, threads=None, jobs=4),
        proved("p", "cpsat", 0.2, machine=other, seed=1, versions={"ortools": "9.11"}),
        proved("q", "cpsat", 0.2, memory_limit_bytes=None, versions={"ortools": "9.12"}),
    ]


def many() -> Records:
    """Hundreds of problems and 13 contenders."""
    labels = [f"solver-{i}[some_option=value-{i},presolve=false]" for i in range(13)]
    return [
        proved(f"family/problem-with-a-long-name-{p:03}", by, 0.01 * (1 + p) * (1 + i))
        if (p + i) % 7
        else found(f"family/problem-with-a-long-name-{p:03}", by, 1000 - i, bound=1001 + p, wall_s=60.0)
        for p in range(200)
        for i, by in enumerate(labels)
    ]


CASES: tuple[Callable[[], Records], ...] = (
    nothing, usual, repeated, one_solver, one_problem, one_solve, all_failed, infeasible, no_bounds, negative_values,
    zeros, nothing_found, conflicting, odd, mixed,
)  # fmt: skip
RUN = BenchRun(
    started_at="2026-01-02T03:04:05+00:00",
    ended_at="2026-01-02T04:04:05+00:00",
    ending=Ending.INTERRUPTED,
    problems=("p",),
    suites=("tiny",),
    contenders=("dp",),
    left_out=(LeftOut("gurobi", "unavailable", "pip install gurobipy"), LeftOut("dp", "broken", "was mended")),
    time_limit_s=60.0,
    memory_limit_bytes=None,
    threads=1,
    seed=0,
    repeat=1,
    jobs=2,
    backend="loky",
    solves=40,
    kept=10,
    done=20,
    warnings=(),
    machine=MACHINE,
    versions={},
)


@pytest.fixture(scope="module", params=CASES, ids=lambda make: make.__name__)
def any_html(request: pytest.FixtureRequest) -> str:
    return bench_page(request.param())


@pytest.fixture(scope="module")
def usual_page() -> Page:
    return Page(bench_page(usual()))


# --- every page -----------------------------------------------------------------------------------------------------


def test_every_page_is_whole_and_fetches_nothing(any_html: str) -> None:
    assert_nothing_is_fetched(any_html, scripts=1)
    assert_no_placeholder_shows(any_html)
    assert_drawings_are_whole(any_html)
    assert_tables_and_figures_are_whole(any_html)


def test_the_only_script_that_may_run_is_the_pages_own(any_html: str) -> None:
    script = inline_script("sort.js")
    page = Page(any_html)
    assert page.scripts == [script.text]
    (policy,) = (a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {script.policy}"


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_every_summary_is_markdown_with_whole_tables(make: Callable[[], Records]) -> None:
    text = bench_summary(make(), "a title", [RUN])
    assert text.startswith("# a title\n\n")
    assert not re.search(r"\b(None|nan|NaN|inf)\b", text)
    assert "<" not in text.replace("\\<", "")
    assert "\x1b" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_hundreds_of_problems_make_a_page_of_moderate_size_in_moderate_time() -> None:
    records = many()
    started = time.process_time()
    html = bench_page(records)
    assert time.process_time() - started < 60  # a runaway, not a speed
    assert len(html) < 4_000_000
    page = Page(html)
    assert len(page.tables["Every problem and solver"]) == 200
    assert len(page.columns["Every problem and solver"]) == 4 + 13
    assert_no_placeholder_shows(html)


def test_same_records_same_bytes() -> None:
    assert bench_page(one_problem()) == bench_page(one_problem())


def test_the_parts_of_a_page_in_their_order(usual_page: Page) -> None:
    assert list(usual_page.tables) == [
        GLANCE,
        SPEED,
        "Who proved what",
        "Every problem and solver",
        LOSSES,
        "Presolve on and off",
        "Peak memory of a solve, Python and libraries included",
        "Failures",
        "Refusals",
        "How each solve ran",
        "Machines",
        "Solvers and libraries",
    ]
    shown = [attributes["aria-label"].partition(".")[0] for tag, attributes in usual_page.elements if tag == "svg"]
    assert [caption.replace(THIN, " ").partition(",")[0] for caption in shown] == [
        "Performance profile: time to a proof of optimality or infeasibility",
        "Performance profile: time to an answer within 0",
        "Time to a proof against the size of the problem",
        "Gap against time",
        "Value lost against time",
        "Value profile: how near each solver comes to the best known value",
        "Time to a proof with presolve against the time without",
    ]


@pytest.mark.parametrize(("make", "left_out"), [(nothing, "table"), (all_failed, "svg"), (no_bounds, "Presolve")])
def test_parts_that_have_nothing_to_show_are_left_out(make: Callable[[], Records], left_out: str) -> None:
    page = Page(bench_page(make()))
    assert left_out not in {tag for tag, _ in page.elements}
    assert not any(left_out in caption for caption in page.tables)


# --- facts ----------------------------------------------------------------------------------------------------------


def test_the_glance_counts_what_each_solver_came_to(usual_page: Page) -> None:
    assert usual_page.row(GLANCE, "dp")[:6] == [24, 24, 0, 0, 0, 0]
    assert usual_page.row(GLANCE, "reds-kernel")[:6] == [24, 0, 0, 0, 24, 0]
    assert usual_page.row(GLANCE, "crasher")[:6] == [2, 0, 0, 0, 0, 2]
    for label, cells in usual_page.tables[GLANCE].items():
        asked, *came_to = usual_page.row(GLANCE, label)[:6]
        assert asked == sum(c or 0 for c in came_to), cells


def test_speeds_are_the_geometric_means_over_what_both_proved(usual_page: Page) -> None:
    records = usual()
    times = {
        label: {r.problem.name: r.wall_s for r in records if r.contender.label == label and r.status is Status.OPTIMAL}
        for label in ("dp", "cpsat")
    }
    ratios = [t / times["dp"][p] for p, t in times["cpsat"].items()]
    both, mean, least, most, left, *_ = usual_page.row(SPEED, "cpsat")
    assert (both, left) == (len(ratios), 24 - len(ratios))
    assert mean == pytest.approx(math.prod(ratios) ** (1 / len(ratios)))
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
        failed("p", "mad", Outcome.OUT_OF_MEMORY, "held 5000 MiB"),
        failed("p", "shy", Outcome.REFUSED, "too large"),
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
    records = [failed(f"p{i}", "eater", Outcome.OUT_OF_MEMORY, reason) for i, reason in enumerate(reasons)]
    (row,) = Page(bench_page(records)).tables["Failures"].values()
    assert row[1][0] == "problem 'p0' held 4100 MiB|and 8 alike but for names and figures"
    assert row[3][0] == "p0, p1, p2, p3, p4, p5 and 3 more"


def test_remarks_take_one_row_with_those_who_made_them() -> None:
    told = {"dp": ("does not honour seed", "8 nodes"), "greedy": ("does not honour seed",), "cpsat": ("12 nodes",)}
    page = Page(bench_page([record("p", by, detail=detail) for by, detail in told.items()]))
    rows = page.tables["Remarks of the solvers"]
    assert {remark: [text for text, _ in cells] for remark, cells in rows.items()} == {
        "does not honour seed": ["2", "dp, greedy"],
        "8 nodes": ["2", "dp, cpsat|one of 2 alike but for names and figures"],
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


def test_profiles_drawn_are_those_measured() -> None:
    entrants = compare(usual()).provers
    profiles = performance_profiles({e.label: e.proof_times for e in entrants})
    styles = series.styles([e.label for e in entrants])
    axes = figures.profile_figure(profiles, styles, "times the fastest").axes[0]
    curves = axes.get_lines()[: len(profiles)]
    for (label, profile), curve in zip(profiles.items(), curves, strict=True):
        assert curve.get_drawstyle() == "steps-post", label
        for x, y in zip(curve.get_xdata(), curve.get_ydata(), strict=True):
            assert y == pytest.approx(100 * profile.at(x))
    assert len({(c.get_marker(), c.get_linestyle()) for c in curves}) == len(curves)  # told apart without colour
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "Share of problems (%)"
    assert {t.get_text() for t in axes.texts} == set(profiles)


def test_thirteen_contenders_differ_without_colour() -> None:
    drawn = series.styles([str(i) for i in range(13)]).values()
    assert len({s.marker for s in drawn}) == 13


@pytest.mark.parametrize(
    "labels",
    [
        ("dp", "cpsat[presolve=false]"),
        tuple(f"solver-{i}[some_option=value,presolve=false]" for i in range(13)),
        tuple(f"some-long-name-of-a-solver, limit {i} s" for i in range(13)),
        tuple(f"{e}-quite-long-a-name-{i}-and-a-long-end-{e}" for i in range(5) for e in "ab"),
    ],
)
def test_names_in_figures_are_short_and_differ(labels: tuple[str, ...]) -> None:
    names = series.short_names(labels, 20)
    assert list(names) == list(labels)
    assert len(set(names.values())) == len(labels)
    assert all(len(name) <= 20 for name in names.values())
    assert all(names[label] == label for label in labels if len(label) <= 12)


def test_names_beside_a_figure_keep_their_order_and_do_not_touch() -> None:
    wanted = {"a": 50.0, "b": 50.0, "c": 49.0, "d": 0.0, "e": 99.0}
    places = figures.spread_out(wanted, 10, 0, 100)
    assert sorted(places, key=lambda n: -places[n]) == ["e", "a", "b", "c", "d"]
    heights = sorted(places.values())
    assert all(b - a >= 10 - 1e-9 for a, b in itertools.pairwise(heights))
    assert 0 <= heights[0] <= heights[-1] <= 100
    crowd = figures.spread_out(dict.fromkeys("abcdefghijk", 100.0), 20, 0, 100)
    assert (min(crowd.values()), max(crowd.values())) == (pytest.approx(0), pytest.approx(100))


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
        failed("p", "pulp", Outcome.CRASHED, "signal 11"),
    ]
    told = [sentence.replace(THIN, " ") for sentence in findings(compare(records))]
    assert told == [
        "To a proof dp was 2× as fast as cpsat (on the one problem both proved) and 8× as fast as pulp (on the one "
        "problem both proved): geometric means and ranges over the problems both proved.",
        "The gap left where there was no proof (median): cpsat 2.0 % (1 left open).",
        "Value lost against the proven optimum (median): greedy 5.0 % (worst 5.0 %) and cpsat 0.5 % (worst 1.0 %); "
        "pulp (on 1 of 2) lost nothing.",
        "Of 8 solves 1 failed.",
    ]


def test_what_makes_figures_hard_to_compare_is_said() -> None:
    told = "\n".join(warnings(compare(mixed()), [RUN])).replace(THIN, " ")
    for words in (
        "was interrupted: 30 of 40 solves are there", "Up to 4 solves ran side by side", "2 different machines",
        "time limits: 60 s, 10 s", "memory limits: 4.00 GiB, none", "threads: 1, not told", "seeds (0, 1)",
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


# --- files ----------------------------------------------------------------------------------------------------------


def write_records(folder: Path, records: Records) -> None:
    (folder / "records.jsonl").write_text("".join(to_json_line(r) for r in records), encoding="utf-8")


def test_a_folder_gets_report_and_summary_from_its_records(tmp_path: Path) -> None:
    records = [proved("p", "dp", 0.1), proved("p", contender("cpsat", options={"k": "v"}), 0.2)]
    write_records(tmp_path, records)
    write_history(tmp_path, BenchHistory((RUN,)))
    write_bench_report(tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == bench_page(records, tmp_path.name, [RUN])
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == bench_summary(records, tmp_path.name, [RUN])
    assert {p.name for p in tmp_path.iterdir()} == {"records.jsonl", "bench.json", "report.html", "summary.md"}


def test_the_report_of_a_comparison_that_ran(tmp_path: Path) -> None:
    instance = tmp_path / "little.npz"
    save_problem(near_equal_values(seed=3), instance)
    out = tmp_path / "out"
    run_bench(BenchSettings(problems=(instance,), solvers=("dp,greedy",), time_limit_s=30), out)
    page = Page((out / "report.html").read_text(encoding="utf-8"))
    assert page.row(GLANCE, "dp")[:3] == [1, 1, 0]
    assert page.row(GLANCE, "greedy")[:3] == [1, 0, 1]
    best, *_ = page.row("Every problem and solver", "little")[2:]
    assert best == solve(load_problem(instance), BruteSolver()).value
    assert page.row("Runs of the command", read_history(out).runs[0].started_at)[1:4] == [2, 0, 2]
    assert "| dp | 1 | 1 |" in (out / "summary.md").read_text(encoding="utf-8")


def test_a_folder_without_records_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        write_bench_report(tmp_path)


@pytest.mark.parametrize("library", ["matplotlib", "jinja2"])
def test_a_missing_library_is_named_with_what_to_install(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnavailableError, match=rf"reports need {library}.*reds-core\[bench\]"):
        bench_page(one_problem())


@pytest.mark.parametrize("text", ODD)
def test_markdown_shows_texts_as_they_are(text: str) -> None:
    shown = escaped(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)[|<>*`\[\]]", shown)


# --- in a browser ---------------------------------------------------------------------------------------------------

CLICKER = """
addEventListener("load", () => {
  const table = [...document.querySelectorAll("table")].find((t) => t.caption.textContent === "CAPTION");
  const heading = [...table.tHead.rows[0].cells].find((cell) => cell.textContent === "TITLE");
  for (let i = 0; i < CLICKS; i += 1) heading.querySelector("button").click();
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  document.title = loaded.filter((name) => !name.startsWith("data:")).join(" ") || "nothing was fetched";
});
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium to open pages with")
@pytest.mark.parametrize(("clicks", "expected"), [(1, ["r", "q", "p", "s"]), (2, ["p", "q", "r", "s"])])
def test_a_click_on_a_heading_sorts_and_nothing_fails_or_is_fetched(
    clicks: int, expected: list[str], tmp_path: Path
) -> None:
    records = [*(proved(p, "dp", t) for p, t in (("p", 3.0), ("q", 2.0), ("r", 0.5))), found("s", "greedy", 1)]
    html = bench_page(records)
    clicker = (
        CLICKER.replace("CAPTION", "Every problem and solver").replace("TITLE", "dp").replace("CLICKS", str(clicks))
    )
    html = html.replace("; script-src ", "; script-src 'nonce-test' ", 1)
    html = html.replace("</body>", f'<script nonce="test">{clicker}</script></body>')
    page = tmp_path / "page.html"
    page.write_text(html, encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"]
    done = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in done.stderr
    assert "<title>nothing was fetched</title>" in done.stdout
    assert list(Page(done.stdout).tables["Every problem and solver"]) == expected
