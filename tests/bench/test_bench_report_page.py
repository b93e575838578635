"""The page of a comparison of solvers: whole, self-contained, its parts in order; as a file, and in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bench_records import contender, found, proved
from html_pages import (
    Page,
    assert_drawings_are_whole,
    assert_no_placeholder_shows,
    assert_nothing_is_fetched,
    assert_tables_and_figures_are_whole,
)
from sample_comparisons import (
    CASES,
    GLANCE,
    LOSSES,
    ODD,
    RUN,
    SPEED,
    Records,
    all_failed,
    many,
    no_bounds,
    nothing,
    one_problem,
)
from toy_plugins import BruteSolver

from reds_core.bench.api import run_bench
from reds_core.bench.history import BenchHistory, read_history, write_history
from reds_core.bench.report.writing import bench_page, bench_summary, write_bench_report
from reds_core.bench.runner import BenchSettings
from reds_core.errors import InputError, UnavailableError
from reds_core.knapsack.file import load_problem, save_problem
from reds_core.knapsack.solver import solve
from reds_core.report.markdown import escaped
from reds_core.report.units import THIN
from reds_core.system.records import to_json_line
from reds_core.testing.problems import near_equal_values


@pytest.fixture(scope="module", params=CASES, ids=lambda make: make.__name__)
def any_html(request: pytest.FixtureRequest) -> str:
    return bench_page(request.param())


# --- every page -----------------------------------------------------------------------------------------------------


def test_every_page_is_whole_and_fetches_nothing(any_html: str) -> None:
    assert_nothing_is_fetched(any_html)
    assert_no_placeholder_shows(any_html)
    assert_drawings_are_whole(any_html)
    assert_tables_and_figures_are_whole(any_html)


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


@pytest.mark.slow
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


def test_names_of_solvers_break_where_their_options_begin() -> None:
    html = bench_page([proved("p", "cpsat[presolve=false,seed=<1>]", 0.1)])
    assert "cpsat<wbr>[presolve=false,<wbr>seed=&lt;1&gt;]</th>" in html
    assert "cpsat[presolve=false,seed=<1>]" in Page(html).tables[GLANCE]


def test_the_time_in_a_library_is_shown_if_a_solver_reports_it() -> None:
    heading, note = "In its library, median", "In its library: the median"
    timed = [proved(p, "scip", 0.4, backend_s=s) for p, s in (("p", 0.01), ("q", 0.03))]
    html = bench_page([*timed, proved("p", "dp", 0.1), proved("q", "dp", 0.1)])
    page, place = Page(html), Page(html).columns[GLANCE].index(heading) - 1
    assert page.row(GLANCE, "scip")[place] == pytest.approx(0.02)
    assert page.row(GLANCE, "dp")[place] is None
    assert note in html
    plain = bench_page([proved("p", "dp", 0.1)])
    assert heading not in Page(plain).columns[GLANCE]
    assert note not in plain


def test_same_records_same_bytes() -> None:
    assert bench_page(one_problem()) == bench_page(one_problem())


def test_the_parts_of_a_page_in_their_order(usual_page: Page) -> None:
    assert list(usual_page.tables) == [
        GLANCE,
        SPEED,
        "Mean ranks of the times to a proof",
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
    plots = [attributes for _, attributes in usual_page.elements if attributes.get("class") == "plot"]
    shown = [attributes["aria-label"].partition(".")[0] for attributes in plots]
    assert [caption.replace(THIN, " ").partition(",")[0] for caption in shown] == [
        "Performance profile: time to a proof of optimality or infeasibility",
        "Performance profile: time to an answer within 0",
        "Time to a proof against the size of the problem",
        "Critical-difference diagram: mean rank of the time to a proof on each problem over 24 blocks",
        "Gap against time",
        "Value lost against time",
        "Value profile: how near each solver comes to the best known value",
        "Time to a proof with presolve against the time without",
    ]


@pytest.mark.parametrize(("make", "left_out"), [(nothing, "table"), (all_failed, "figure"), (no_bounds, "Presolve")])
def test_parts_that_have_nothing_to_show_are_left_out(make: Callable[[], Records], left_out: str) -> None:
    page = Page(bench_page(make()))
    assert left_out not in {tag for tag, _ in page.elements}
    assert not any(left_out in caption for caption in page.tables)


# --- files ----------------------------------------------------------------------------------------------------------


def write_records(folder: Path, records: Records) -> None:
    (folder / "records.jsonl").write_text("".join(to_json_line(r) for r in records), encoding="utf-8")


def test_a_folder_gets_report_and_summary_from_its_records(tmp_path: Path) -> None:
    records = [proved("p", "dp", 0.1), proved("p", contender("cpsat", options={"k": "v"}), 0.2)]
    write_records(tmp_path, records)
    write_history(tmp_path, BenchHistory((RUN,)))
    write_bench_report(tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == bench_page(records, runs=[RUN])
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == bench_summary(records, runs=[RUN])
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


@pytest.mark.parametrize("library", ["plotly.graph_objects", "jinja2"])
def test_a_missing_library_is_named_with_what_to_install(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnavailableError, match=rf"reports need {library.partition('.')[0]}.*reds-core\[bench\]"):
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
