"""The page of a pruning run: whole, self-contained, and safe from names that no one should trust."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from html_pages import (
    Page,
    assert_drawings_are_whole,
    assert_no_placeholder_shows,
    assert_nothing_is_fetched,
    assert_tables_and_figures_are_whole,
    plot_of,
)
from sample_plans import (
    CHANNELS,
    ODD,
    PLANS,
    complete,
    extended,
    html_of,
    odd,
    page_of,
)

from reds_core.errors import InputError, UnavailableError
from reds_core.plan import (
    Plan,
)
from reds_core.report import units, write_report
from reds_core.report.facts import gather, metric_of
from reds_core.report.table import Block, Cell, Row, Table
from reds_core.report.width_plots import channels_picture


@pytest.fixture(scope="module", params=PLANS, ids=lambda make: make.__name__)
def any_html(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    plan: Plan = request.param()
    return html_of(plan, tmp_path_factory.mktemp("run"))


# --- every page -----------------------------------------------------------------------------------------------------


def test_nothing_is_fetched_and_nothing_runs(any_html: str) -> None:
    assert_nothing_is_fetched(any_html)


def test_no_placeholder_of_a_missing_figure_shows(any_html: str) -> None:
    assert_no_placeholder_shows(any_html)


def test_svg_is_well_formed_described_and_refers_to_itself_only(any_html: str) -> None:
    assert_drawings_are_whole(any_html)


def test_tables_and_figures_are_whole(any_html: str) -> None:
    assert_tables_and_figures_are_whole(any_html)


def test_same_plan_and_files_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "run", tmp_path / "b" / "run"
    first.mkdir(parents=True)
    second.mkdir(parents=True)
    assert html_of(complete(), first) == html_of(complete(), second)


# --- names that no one should trust ---------------------------------------------------------------------------------


def test_names_are_shown_as_they_are_and_rule_nothing(tmp_path: Path) -> None:
    html = html_of(odd(), tmp_path)
    page = Page(html)
    assert not any("alert(1)" in script for script in page.scripts)
    assert "alert(1)" in page.text
    for name in ODD:
        assert units.printable(name) in page.tables[CHANNELS]
    assert "\x1b" not in html
    assert "bell\\x07\\x1b[31m" in page.text
    assert "lone\\ud800" in page.text
    assert page.tables["Options"]["bell\\x07\\x1b[31m"] == [("k=1, –, –", None)]


def test_an_odd_name_is_drawn_as_text_not_as_formula(tmp_path: Path) -> None:
    plan = odd()
    picture = channels_picture(plan, gather(plan, tmp_path))
    assert picture is not None
    names = plot_of(picture)["layout"]["yaxis"]["ticktext"]
    assert "$x^$" in names
    assert not any("<" in name for name in names)  # plotly.js would read it as markup


def test_no_page_has_markup_from_a_cell() -> None:
    table = Table("<b>", "<i>", ("<u>",), (Block("<s>", (Row(Cell("<q>"), (Cell("<a>", 1, "<em>"),)),)),))
    from reds_core.report.page import render

    html = render("run.html", **{**EMPTY_PAGE, "results": table})
    assert not {"b", "i", "u", "s", "q", "a", "em"} & {tag for tag, _ in Page(html).elements}


def test_members_with_merged_channels_share_no_weights(tmp_path: Path) -> None:
    plan = complete()
    merged = [replace(member, merged={next(iter(member.widths)): (0,)}) for member in plan.subnetworks]
    words = " ".join(page_of(replace(plan, subnetworks=tuple(merged)), tmp_path).text.split())
    assert "these subnetworks have weights of their own, which no other network shares" in words
    assert "members of one family: a larger one keeps what a smaller one keeps" in words
    assert "they share their weights" not in words
    assert "its weights are a part of those" not in words


def test_members_that_were_added_are_marked(tmp_path: Path) -> None:
    page = page_of(extended(), tmp_path)
    words = " ".join(page.text.split())
    assert "Added after the run" in words
    assert "they share their weights, except for those with “own weights”, and a larger one keeps" in words
    assert words.count("not trained") >= 2  # in the table and in a sentence
    assert "not trained" in " ".join(page.data_scripts)  # in the pictures
    assert "Added after the run and not trained: its weights are those of subnetwork 50." in words
    assert "from the full network and trained by itself for 1 epoch: its weights are its own" in words
    assert "Added after the run" not in page_of(complete(), tmp_path).text


def test_in_an_untrained_family_nothing_is_marked(tmp_path: Path) -> None:
    plan = extended()
    untrained = dataclasses.replace(
        plan, subnetworks=plan.subnetworks[:3], options={**plan.options, "finetune": {"epochs": 0}}
    )
    assert "not trained" not in page_of(untrained, tmp_path).text


NO_TABLE = Table("", "", (), ())
EMPTY_PAGE: dict[str, Any] = {
    **dict.fromkeys(("title", "headline", "smallest", "scorer", "pruner"), ""),
    **dict.fromkeys(("tiles", "devices", "accuracy_pictures", "sources", "additions", "verdicts"), ()),
    **dict.fromkeys(("training", "explorers"), ()),
    **dict.fromkeys(
        ("channels", "levels", "search", "steps", "files", "settings", "options", "versions", "hashes"), NO_TABLE
    ),
    **dict.fromkeys(("usage_picture", "channels_picture", "levels_picture", "classes", "network")),
    "drop_table": None,
    "metric": metric_of(None),
    "has_own_weights": False,
    "is_merged": False,
}


# --- what can go wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["plotly.graph_objects", "jinja2"])
def test_a_missing_library_is_named_with_what_to_install(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnavailableError, match=rf"reports need {library.partition('.')[0]}.*reds-core\[bench\]"):
        write_report(complete(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_report(complete(), tmp_path / "missing")


def test_importing_the_report_imports_no_optional_library() -> None:
    code = (
        "import sys, reds_core.report, reds_core.report.terminal\n"
        "print(sorted({'matplotlib', 'plotly', 'jinja2', 'rich', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_tile_of_proofs_has_the_largest_gap_if_no_choice_is_proven_optimal(tmp_path: Path) -> None:
    plan = complete()
    open_choices = tuple(
        dataclasses.replace(record, status="feasible", value=1000, bound=1000 + extra, gap=extra / 1000)
        for extra, record in enumerate(plan.subnetworks, start=1)
    )
    text = html_of(dataclasses.replace(plan, subnetworks=open_choices), tmp_path)
    assert (
        f'<dd class="big">{units.small_percent(0.003)}</dd><dd class="note">from the best possible choice, at' in text
    )
