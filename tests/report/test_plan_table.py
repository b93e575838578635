"""The tables of a plan at Python's prompt, in notebooks and in pandas."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from html_pages import Page
from sample_plans import DS_CNN_S, PLANS, complete, deep, extended, nothing_known, odd, plan_of, proven, without_data

from reds_core.plan import Plan
from reds_core.report.facts import Metric
from reds_core.report.plan_frame import plan_frame, usage_column
from reds_core.report.plan_table import member_table, plan_table, table_html, table_text


@pytest.mark.parametrize("make", PLANS)
def test_every_plan_is_shown_on_a_screen(make: Callable[[], Plan], tmp_path: Path) -> None:
    plan = make()
    text = table_text(plan_table(plan, tmp_path))
    lines = text.splitlines()
    assert len(lines) == len(plan.subnetworks) + 2
    assert text.replace("\n", "").isprintable()
    html = table_html(plan_table(plan, tmp_path), "title")
    assert html.count("<tr>") == len(lines)
    for record in plan.subnetworks:
        shown = table_text(member_table(record, Metric()))
        assert len(shown.splitlines()) < 20
        assert shown.replace("\n", "").isprintable()


def test_the_table_has_the_figures_of_the_plan(tmp_path: Path) -> None:
    lines = table_text(plan_table(complete(), tmp_path)).splitlines()
    assert lines[0].split() == [
        *("network", "macs", "params", "peak_ram", "before", "keras", "tflite", "int8", "proof")
    ]
    assert lines[1].split()[:4] == ["full", "2.66", "M", "23.2"]
    assert lines[3].split("  ")[-1].strip() == "gap 0.31 %"
    assert len(lines[0]) <= 80


def test_names_are_escaped(tmp_path: Path) -> None:
    html = table_html(plan_table(odd(), tmp_path), "<b>title</b>")
    html += "".join(table_html(member_table(record, Metric()), "member") for record in odd().subnetworks)
    assert "<script" not in html
    assert "<b>" not in html
    assert "\x1b" not in html
    Page(html)


def test_long_families_are_cut(tmp_path: Path) -> None:
    members = [proven(0.01 * percent, DS_CNN_S) for percent in range(10, 70)]
    lines = table_text(plan_table(plan_of(DS_CNN_S, members), tmp_path)).splitlines()
    assert len(lines) == 22
    assert lines[11].startswith("(41 more)")


def test_members_that_were_added_are_marked(tmp_path: Path) -> None:
    plan = extended()
    lines = table_text(plan_table(plan, tmp_path)).splitlines()
    assert [line.rpartition("  ")[2] for line in lines[2:]] == ["own weights", "optimal", "not trained", "optimal"]
    assert "note" in lines[0]
    shown = table_text(member_table(plan.subnetworks[1], Metric()))
    assert "not trained: its weights are those of subnetwork 50" in shown
    own = table_text(member_table(plan.subnetworks[3], Metric()))
    assert "from the full network and trained by itself for 1 epoch: its weights are its own" in own
    assert "note" not in table_text(plan_table(complete(), tmp_path))
    assert repr(plan.subnetworks[1]).endswith("not trained>")


def test_the_frame_has_one_row_for_each_network() -> None:
    plan = deep()
    frame = plan_frame(plan)
    assert list(frame.index) == ["25", "50", "full"]
    assert frame.index.name == "name"
    assert [c for c in frame.columns if c.startswith(("macs", "params", "peak_ram", "latency"))] == [
        *("macs", "params_bytes", "peak_ram_bytes", "latency_ns", "latency_measured_ns")
    ]
    record = plan.subnetworks[1]
    row = frame.loc["50"]
    assert row["latency_ns"] == record.usage["latency"]
    assert row["accuracy_tflite_int8"] == record.accuracy.exported["tflite_int8"]
    assert row["file_keras"] == "subnet-50.keras"
    assert row["budget_peak_ram"] == 12 * 1024
    assert frame.loc["full", "macs"] == plan.full.usage["macs"]
    assert frame.loc["full", "accuracy_before"] == plan.full.accuracy.before


def test_integers_in_the_frame_are_exact() -> None:
    """Values come near 2**62, which doubles cannot represent."""
    member = proven(0.5, DS_CNN_S, value=2**61 + 1, bound=2**61 + 1)
    frame = plan_frame(plan_of(DS_CNN_S, [member, dataclasses.replace(member, name="b", value=None)]))
    assert int(frame.loc["50", "value"]) == 2**61 + 1


@pytest.mark.parametrize("make", [without_data, nothing_known, odd, extended])
def test_frames_of_unusual_plans(make: Callable[[], Plan]) -> None:
    plan = make()
    frame = plan_frame(plan)
    assert len(frame) == len(plan.subnetworks) + 1
    assert list(frame["is_untrained"])[:-1] == [record.is_untrained for record in plan.subnetworks]


def test_columns_name_each_unit_once() -> None:
    names = [usage_column(resource) for resource in ("macs", "params", "weight_bytes", "latency", "unknown")]
    assert names == ["macs", "params_bytes", "weight_bytes", "latency_ns", "unknown"]
