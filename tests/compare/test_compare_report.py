"""The report of compared runs: what it says, its special cases, and that it stands alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from compare_tools import failure, result
from html_pages import (
    Page,
    assert_drawings_are_whole,
    assert_no_placeholder_shows,
    assert_nothing_is_fetched,
    assert_tables_and_figures_are_whole,
)

from reds_core.compare.record import RESULTS, ResultRecord, Subnetwork
from reds_core.compare.report.device_profiles import profiles_of_runs
from reds_core.compare.report.findings import comparison_findings, comparison_warnings, headline
from reds_core.compare.report.results import compare_runs
from reds_core.compare.report.tables import accuracy_table
from reds_core.compare.report.writing import compare_page, compare_summary, write_compare_report
from reds_core.framework.profile_records import ProfileRecord, save_profiles
from reds_core.plan import Accuracy, FullAccuracy
from reds_core.report.units import DASH, THIN
from reds_core.system.machine import Machine

NESTED, UNIFORM = (0.90, 0.91, 0.92), (0.89, 0.89, 0.90)


def family(budget: float = 0.5, offset: float = 0.0) -> list[ResultRecord]:
    """nested is 0.01, 0.02 and 0.02 above uniform: mean 1.67 points, error 0.33, t = 5 against 4.3."""
    pairs = {"nested": NESTED, "uniform": UNIFORM}
    return [
        result(pruner, seed, after + offset, budget)
        for pruner, figures in pairs.items()
        for seed, after in enumerate(figures)
    ]


def html_plots(page: Page) -> int:
    return sum(attributes.get("class") == "plot" for _, attributes in page.elements)


def plain(text: str) -> str:
    return text.replace(THIN, " ")


def checked(records: list[ResultRecord]) -> Page:
    html = compare_page(records)
    assert_nothing_is_fetched(html)
    assert_no_placeholder_shows(html)
    assert_drawings_are_whole(html)
    assert_tables_and_figures_are_whole(html)
    compare_summary(records)
    return Page(html)


def test_the_page_shows_means_deviations_and_paired_differences() -> None:
    page = checked(family() + family(0.25, -0.1))
    caption = "fashion: accuracy at each budget, mean ± standard deviation over seeds"
    table = page.tables[caption]
    half = f"MACs ≤{THIN}50{THIN}%"
    nested, uniform = table[f"{half}: nested"], table[f"{half}: uniform"]
    assert list(table) == [f"MACs ≤{THIN}{b}{THIN}%: {p}" for b in (50, 25) for p in ("nested", "uniform")]
    assert plain(nested[0][0]) == "91.00 ± 1.00 %|3 seeds"
    assert float(nested[0][1] or 0) == pytest.approx(0.91)
    assert nested[1][0] == "best"
    # 0.89, 0.89, 0.90: deviation 0.00577
    assert plain(uniform[0][0]) == "89.33 ± 0.58 %|3 seeds"
    # -0.01, -0.02, -0.02: mean -1.67, deviation 0.577, error 0.577 / sqrt(3)
    assert uniform[1][0] == "−1.67 ± 0.33|significant, p = 0.038"
    assert float(uniform[1][1] or 0) == pytest.approx(-5 / 3), "in the points that the heading says"
    # against the input model's 0.92: -0.02, -0.01, 0
    assert nested[2][0] == "−1.00 ± 1.00"
    assert plain(nested[3][0]) == "30.00 ± 0.00 %"
    assert "49.0" in nested[5][0]
    assert page.columns[caption][2:4] == ["Against the best, points", "Change, points"]


def test_the_winner_is_named_with_its_lead() -> None:
    (sentence,) = comparison_findings(compare_runs(family()))
    assert plain(sentence) == (
        "fashion, MACs ≤ 50 %: nested has 91.00 ± 1.00 % (3 seeds), +1.67 ± 0.33 points above uniform "
        "(paired over 3 seeds): significant, p = 0.038."
    )


def test_a_lead_that_may_be_chance_is_said_to_be_so_with_what_could_have_been_told() -> None:
    records = [result("nested", s, a) for s, a in enumerate((0.90, 0.91, 0.92))]
    records += [result("uniform", s, a) for s, a in enumerate((0.91, 0.90, 0.91))]
    (sentence,) = comparison_findings(compare_runs(records))
    # differences -0.01, 0.01, 0.01: mean 0.33 points, error 0.67, times 4.303
    assert sentence.endswith(
        "+0.33 ± 0.67 points above uniform (paired over 3 seeds): 3 seeds cannot tell; 2.87 points would "
        "be significant."
    )


def test_two_seeds_cannot_tell_a_lead_of_five_errors() -> None:
    """Student's factor for two seeds is 12.7, so that even this lead may be chance."""
    records = [
        result(p, s, a) for p, both in (("nested", (0.90, 0.92)), ("uniform", (0.87, 0.88))) for s, a in enumerate(both)
    ]
    (sentence,) = comparison_findings(compare_runs(records))
    assert "2 seeds cannot tell; 6.35 points would be significant" in sentence


def test_contenders_with_equal_means_share_the_first_place() -> None:
    records = [result(p, s, a) for p in ("nested", "uniform") for s, a in enumerate((0.90, 0.92))]
    records.append(result("oneshot", 0, 0.8))
    comparison = compare_runs(records)
    (sentence,) = comparison_findings(comparison)
    assert plain(sentence).endswith("nested, uniform share the highest mean, 91.00 ± 1.41 % (2 seeds).")
    (block,) = accuracy_table(comparison.recipes[0]).blocks
    assert [row.cells[1].text for row in block.rows[:2]] == ["best", "best"]


def test_equal_differences_are_not_judged() -> None:
    """Two seeds, at each of which one example more is answered rightly."""
    records = [result(p, s, a) for p, a in (("nested", 0.9), ("uniform", 0.89)) for s in (0, 1)]
    (sentence,) = comparison_findings(compare_runs(records))
    assert sentence.endswith("(paired over 2 seeds): the same difference at each of 2 seeds, which no test can judge.")


def test_contenders_are_ranked_over_the_seeds_that_they_share() -> None:
    """Seeds 0 and 1 are hard, and only one contender has them."""
    records = [result("nested", s, a) for s, a in enumerate((0.5, 0.6, 0.95, 0.951, 0.952))]
    records += [result("uniform", s, 0.9 + s / 1000) for s in (2, 3, 4)]
    comparison = compare_runs(records)
    (sentence,) = comparison_findings(comparison)
    assert "nested has 79.06" in plain(sentence)
    assert "points above uniform (paired over 3 seeds)" in sentence
    (block,) = accuracy_table(comparison.recipes[0]).blocks
    assert [row.heading.text for row in block.rows] == ["nested", "uniform"]


def test_nobody_is_the_best_without_an_accuracy() -> None:
    records = [replace(each, subnetwork=unmeasured(each)) for each in family()]
    comparison = compare_runs(records)
    assert comparison_findings(comparison) == ()
    for block in accuracy_table(comparison.recipes[0]).blocks:
        assert {row.cells[1].text for row in block.rows} == {DASH}


def unmeasured(record: ResultRecord) -> Subnetwork:
    assert record.subnetwork is not None
    return replace(record.subnetwork, accuracy=Accuracy(None, None, {}))


def test_a_label_names_the_scorer_only_if_it_varies_within_a_recipe() -> None:
    """So that pruners are ranked over recipes, each of which has a scorer of its own."""
    records = []
    for recipe, scorer in (("a", "taylor"), ("b", "magnitude")):
        for pruner, base in (("nested", 0.9), ("oneshot", 0.8), ("uniform", 0.7)):
            for seed in range(5):
                each = result(pruner, seed, base + seed / 100)
                records.append(replace(each, run=replace(each.run, recipe=recipe, scorer=scorer)))
    assert "Over 10 blocks, the mean ranks differ" in comparison_findings(compare_runs(records))[-1]


def test_runs_that_are_not_done_yet_are_counted() -> None:
    comparison = compare_runs(family(), missing=2)
    assert headline(comparison).endswith("none failed so far.")
    assert comparison_warnings(comparison)[0] == "2 runs of the comparison are not done yet."


def test_one_seed_cannot_tell() -> None:
    records = [result("nested", 0, 0.9), result("uniform", 0, 0.8)]
    (sentence,) = comparison_findings(compare_runs(records))
    assert plain(sentence).endswith(
        "nested has 90.00 % (1 seed), +10.00 points above uniform (paired over 1 seed): 1 seed cannot tell."
    )
    checked(records)


def test_contenders_without_a_common_seed_are_not_compared() -> None:
    (sentence,) = comparison_findings(compare_runs([result("nested", 0, 0.9), result("uniform", 1, 0.8)]))
    assert sentence.endswith("followed by uniform, with which it has no seed in common.")


def test_one_contender_has_no_rival() -> None:
    (sentence,) = comparison_findings(compare_runs([result("nested", 0, 0.9)]))
    assert plain(sentence) == "fashion, MACs ≤ 50 %: nested has 90.00 % (1 seed)."


def test_labels_hold_what_varies_and_no_more() -> None:
    records = [result("nested", 0, 0.9, scorer=scorer) for scorer in ("taylor", "random")]
    (recipe,) = compare_runs(records).recipes
    assert recipe.labels == ("nested · taylor", "nested · random")
    both = [result("nested", 0, 0.9, scorer=s, solver=t) for s, t in (("taylor", "dp"), ("random", "greedy"))]
    assert compare_runs(both).recipes[0].labels == ("nested · taylor · dp", "nested · random · greedy")
    assert compare_runs([result()]).recipes[0].labels == ("nested",)


def test_recipes_have_sections_of_their_own() -> None:
    page = checked([*family(), result("oneshot", 0, 0.7, recipe="resnet <8>")])
    assert html_plots(page) == 2
    assert "resnet <8>" in page.text
    assert headline(compare_runs(family())) == "6 runs of 1 recipe with 3 seeds, all finished."


def test_failures_are_told_with_their_reasons() -> None:
    records = [*family(), failure("layerwise", 0, "out of <memory>; buy some")]
    page = checked(records)
    assert page.tables["Runs that failed"]["fashion"][0][0] == "layerwise"
    assert page.tables["Runs that failed"]["fashion"][2][0] == "out of memory"
    assert "out of <memory>; buy some" in page.text
    assert "7 runs of 1 recipe with 3 seeds, 1 run failed." in page.text
    assert "out of \\<memory\\>; buy some" in compare_summary(records)


def test_nothing_but_failures() -> None:
    page = checked([failure("nested", 0), failure("uniform", 0)])
    assert html_plots(page) == 0
    assert list(page.tables) == ["Runs that failed", "Recipes", "How it was run"]


def test_no_record_at_all() -> None:
    assert "No run was recorded." in checked([]).text


def test_runs_without_data_have_no_accuracy() -> None:
    bare = [result("nested", s, None, before=None, full=FullAccuracy()) for s in (0, 1)]
    page = checked(bare)
    assert comparison_findings(compare_runs(bare)) == ()
    assert html_plots(page) == 0


def test_another_metric_is_not_ranked() -> None:
    records = [result(p, s, a, metric="mse") for p, a in (("nested", 3.5), ("uniform", 2.5)) for s in (0, 1)]
    page = checked(records)
    assert comparison_findings(compare_runs(records)) == ()
    cells = page.tables["fashion: mse at each budget, mean ± standard deviation over seeds"]
    assert cells[f"MACs ≤{THIN}50{THIN}%: nested"][0][0] == "3.5 ± 0|2 seeds"


def test_what_speaks_against_comparing_is_said() -> None:
    other = Machine("Linux 6.1", "Other CPU", 8, 2**34, "3.12.1")
    records = [
        *(result("nested", seed) for seed in (0, 1)),
        result("uniform", 0, wall_s=None, machine=other, data_sha256="c" * 64, full=FullAccuracy(0.91, 0.9)),
    ]
    assert comparison_warnings(compare_runs(family())) == ()
    assert comparison_warnings(compare_runs(records)) == (
        "fashion: not every contender has every seed: uniform (1 of 2).",
        "fashion: its runs did not all use the same data.",
        "fashion: runs of one seed did not start from the same network.",
        "The runs were made on 2 machines: their times are not comparable.",
        "1 run resumed after an interruption: the time of the whole run is unknown.",
    )


def test_models_that_each_run_trains_may_have_other_hashes() -> None:
    """A saved model holds the time of saving, so that equal networks differ in their hash."""
    records = [result(pruner, 0, model_sha256=letter * 64) for pruner, letter in (("nested", "a"), ("uniform", "d"))]
    assert comparison_warnings(compare_runs(records)) == ()
    other_seed = result("nested", 1, full=FullAccuracy(0.95, 0.9))
    assert "same network" not in " ".join(comparison_warnings(compare_runs([*records, other_seed])))


def test_the_summary_has_the_page_s_tables() -> None:
    summary = plain(compare_summary(family() + family(0.25), "my_runs"))
    assert summary.startswith("# my\\_runs\n\n6 runs of 1 recipe")
    assert "| nested | **91.00 ± 1.00 %** (3 seeds) | best | −1.00 ± 1.00 |" in summary
    lines = summary.splitlines()
    budgets = [lines.index(f"| **MACs ≤ {budget} %** |  |  |  |  |  |  |  |") for budget in (50, 25)]
    assert [lines[at + 1].startswith("| nested | **91.00") for at in budgets] == [True, True]
    assert "## fashion: mean time of a run" in summary
    assert "| nested | 3 | 1.50 s | 60.0 s | 70.0 s | 5 | 2 |" in summary


def test_the_report_is_written_from_the_records_and_the_same_ones_give_the_same(tmp_path: Path) -> None:
    with RESULTS.opened(tmp_path) as file:
        file.append(*family())
    write_compare_report(tmp_path)
    first = (tmp_path / "report.html").read_bytes(), (tmp_path / "summary.md").read_bytes()
    write_compare_report(tmp_path)
    assert first == ((tmp_path / "report.html").read_bytes(), (tmp_path / "summary.md").read_bytes())


def test_the_title_says_what_was_compared() -> None:
    assert compare_summary(family()).startswith("# nested and uniform on fashion\n")
    many = [result(f"p{i}", 0, 0.9) for i in range(5)]
    assert compare_summary(many).startswith("# 5 contenders on fashion\n")


def test_profiles_of_runs_are_shown_by_device_and_machine(tmp_path: Path) -> None:
    records = family()
    run = tmp_path / "runs" / records[0].name
    run.mkdir(parents=True)
    for machine in (None, "raspberry-pi-4", "pixel-8"):
        save_profiles(run, [ProfileRecord("subnet-50.bin", "50", "board", latency_ns=2e6, machine=machine)])
    profiles = profiles_of_runs(tmp_path, (record.name for record in records))
    assert [(each.file, each.machine) for each in profiles] == [
        (f"runs/{records[0].name}/subnet-50.bin", machine) for machine in (None, "raspberry-pi-4", "pixel-8")
    ]
    page = Page(compare_page(records, profiles=profiles))
    assert {"board", "board on raspberry-pi-4", "board on pixel-8"} <= page.tables.keys()
    assert "On devices" not in Page(compare_page(records)).text


def test_runs_are_linked_if_their_reports_exist(tmp_path: Path) -> None:
    records = [*family(), result("<odd & 'name'>", 0, 0.8, name="<odd & 'name'> #1")]
    with RESULTS.opened(tmp_path) as file:
        file.append(*records)
    for name in (records[0].name, records[-1].name):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "report.html").touch()
    write_compare_report(tmp_path)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert_nothing_is_fetched(html)
    links = [attributes["href"] for tag, attributes in Page(html).elements if tag == "a"]
    assert links == [
        "runs/fashion--nested--taylor--auto--seed0/report.html",
        "runs/%3Codd%20%26%20%27name%27%3E%20%231/report.html",
    ]
    assert f"[report.html]({links[0]})" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_contenders_are_ranked_over_budgets_and_seeds() -> None:
    records = [
        result(pruner, seed, after - budget / 10, budget)
        for pruner, after in (("nested", 0.9), ("uniform", 0.8), ("oneshot", 0.7))
        for seed in range(3)
        for budget in (0.5, 0.25)
    ]
    page = checked(records)
    table = page.tables["Mean ranks over all recipes, budgets and seeds"]
    assert {label: cells[0][0] for label, cells in table.items()} == {
        "nested": "1.00", "uniform": "2.00", "oneshot": "3.00",
    }  # fmt: skip
    assert "Over 6 blocks, the mean ranks differ (Friedman's test, p < 0.001)" in page.text
    assert "Here there are 2 contenders and 3 blocks" in checked(family()).text
