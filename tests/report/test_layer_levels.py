"""The levels of layers in tables, figures and pages: bits beside widths."""

from __future__ import annotations

from pathlib import Path

import pytest
from html_pages import plot_of
from sample_plans import DS_CNN_S, THIN, complete, page_of, with_levels

from reds_core.commands.preview_view import print_preview
from reds_core.report.facts import Metric, gather
from reds_core.report.layer_levels import counts_text, levels_picture, levels_table, places
from reds_core.report.plan_frame import plan_frame
from reds_core.report.plan_table import member_table, plan_table, table_text


def test_the_levels_of_each_layer_are_in_a_table(tmp_path: Path) -> None:
    plan = with_levels()
    table = levels_table(plan, gather(plan, tmp_path))
    assert table.columns == ("Decided", f"50{THIN}%", f"25{THIN}%")
    (block,) = table.blocks
    assert [row.heading.text for row in block.rows] == list(DS_CNN_S)
    assert [[cell.text for cell in row.cells] for row in block.rows[:3]] == [
        ["weight bits", "4", "4"],
        ["weight bits", "4", "4"],
        ["weight bits", "8", "4"],
    ]


def test_plans_of_widths_alone_show_no_levels(tmp_path: Path) -> None:
    plan = complete()
    assert places(plan) == ()
    assert levels_table(plan, gather(plan, tmp_path)).blocks == ()
    assert levels_picture(plan, gather(plan, tmp_path)) is None
    assert not any(column.startswith("levels") for column in plan_frame(plan).columns)
    assert "×" not in table_text(plan_table(plan, tmp_path))
    assert "Levels of each layer" not in page_of(plan, tmp_path).tables


def test_tables_of_a_family_count_the_layers_at_each_level(tmp_path: Path) -> None:
    plan = with_levels()
    assert [counts_text(record, "weight_bits") for record in plan.subnetworks] == ["4×4 1×8", "2×4 3×8"]
    heading, full, half, _ = table_text(plan_table(plan, tmp_path)).splitlines()
    assert heading.endswith("weight bits")
    assert full.endswith("–")
    assert half.endswith("2×4 3×8")
    assert list(plan_frame(plan)["levels_weight_bits"][:2]) == ["4×4 1×8", "2×4 3×8"]
    assert "conv2d 4, depthwise_1 4" in table_text(member_table(plan.subnetworks[0], Metric()))


def test_cells_of_the_figure_have_the_levels(tmp_path: Path) -> None:
    plan = with_levels()
    picture = levels_picture(plan, gather(plan, tmp_path))
    assert picture is not None
    layout = plot_of(picture)["layout"]
    assert layout["xaxis"]["title"]["text"] == "Weight bits in each subnetwork"
    assert [note["text"] for note in layout["annotations"]] == ["4", "4", "8", "8", "8", "4", "4", "4", "4", "8"]
    assert layout["yaxis"]["ticktext"] == list(DS_CNN_S)
    fills = {
        note["text"]: cell["fillcolor"] for note, cell in zip(layout["annotations"], layout["shapes"], strict=True)
    }
    assert fills == {"4": "var(--shade-0)", "8": "var(--shade-4)"}


def test_the_report_and_the_dry_run_have_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = page_of(with_levels(), tmp_path)
    assert "Levels of each layer" in page.tables
    print_preview(with_levels())
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["depthwise_2", "weight", "bits", "8", "4"] for line in lines)
