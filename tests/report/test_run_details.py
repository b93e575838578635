"""What the page of a run shows of its details and training curves: budgets, layers, memory, classes and training."""

from __future__ import annotations

import dataclasses
import json
import re
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
from sample_details import FULL_VALUE, LAYERS, NETWORKS, details, explored, network, write_details
from sample_plans import complete

from reds_core.errors import InputError
from reds_core.plan_details import (
    DETAILS_FILE,
    ClassDetails,
    Details,
    Exploration,
    LayerCost,
    LayerDetails,
    MemoryStep,
    NetworkDetails,
    save_details,
)
from reds_core.report import write_report
from reds_core.report.budget_explorer import explorers
from reds_core.report.class_accuracy import class_report
from reds_core.report.facts import gather
from reds_core.report.lanes import lane_count, lane_rows
from reds_core.report.memory_plot import ROLES, peak_sentence, roles, storages
from reds_core.report.network_view import network_view
from reds_core.report.training_curves import training_pictures
from reds_core.run_history import HISTORY_FILE, HistoryRow, load_history


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    write_report(write_details(made), made)
    return made


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_is_whole_and_fetches_nothing(html: str) -> None:
    assert_nothing_is_fetched(html)
    assert_no_placeholder_shows(html)
    assert_drawings_are_whole(html)
    assert_tables_and_figures_are_whole(html)
    assert len(html.encode()) < 5_000_000


def test_the_page_of_a_deep_network_stays_small(tmp_path: Path) -> None:
    count = 150
    plan = complete()
    names = [f"block_{i}_convolution" for i in range(count)]
    groups = tuple(dataclasses.replace(plan.groups[0], name=name) for name in names)
    widths = dict.fromkeys(names, 1)
    members = tuple(dataclasses.replace(r, widths=widths) for r in plan.subnetworks)
    deep = dataclasses.replace(plan, groups=groups, subnetworks=members)
    layers = tuple(LayerDetails(n, "Conv2D", (names[max(i - 1, 0)],), n) for i, n in enumerate(names))
    costs = tuple(LayerCost(name, (8, 8, 64), {"macs": 1000, "params": 100}) for name in names)
    steps = tuple(MemoryStep(name, {f"{name}_input": 64, name: 4096}) for name in names)
    networks = tuple(NetworkDetails(name, costs, steps) for name in NETWORKS)
    points = tuple(dataclasses.replace(explored(i / 8, None), widths=dict.fromkeys(names, i)) for i in range(1, 9))
    save_details(Details(layers, networks, (), (Exploration("macs", points, 2**31),)), tmp_path)
    text = write_report(deep, tmp_path).read_text(encoding="utf-8")
    (control,) = re.findall(r'data-control="explore-0">(.*?)</script>', text)
    assert text.count('class="network"') == 3
    assert len(text) + 100 * len(control) / len(points) < 4_000_000  # as with two resources at 50 limits each


def test_the_same_files_give_the_same_page(html: str, tmp_path: Path) -> None:
    plan = write_details(tmp_path)
    again = write_report(plan, tmp_path).read_text(encoding="utf-8")
    assert again == html


@pytest.mark.parametrize("name", [DETAILS_FILE, HISTORY_FILE])
def test_a_folder_of_an_older_version_has_a_page_without_them(name: str, tmp_path: Path) -> None:
    plan = write_details(tmp_path)
    (tmp_path / name).unlink()
    page = Page(write_report(plan, tmp_path).read_text(encoding="utf-8"))
    assert ("Layer by layer" in page.text) == (name != DETAILS_FILE)
    assert ("How training went" in page.text) == (name != HISTORY_FILE)


@pytest.mark.parametrize("name", [DETAILS_FILE, HISTORY_FILE])
def test_a_damaged_file_is_an_error(name: str, tmp_path: Path) -> None:
    plan = write_details(tmp_path)
    (tmp_path / name).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=name):
        write_report(plan, tmp_path)


# --- budgets --------------------------------------------------------------------------------------------------------


def steps_of(html: str) -> list[dict[str, Any]]:
    (text,) = re.findall(r'data-control="[^"]*">(.*?)</script>', html)
    steps: list[dict[str, Any]] = json.loads(text)
    return steps


def changed(before: Any, change: dict[str, Any]) -> Any:
    """What the script of a page makes of a change."""
    if "=" in change:
        return change["="]
    after = list(before) if isinstance(before, list) else dict(before)
    for name, part in change.items():
        place = int(name) if isinstance(after, list) else name
        after[place] = changed(before[place] if isinstance(before, list) else before.get(name), part)
    return after


def test_each_step_of_the_explorer_is_a_limit(tmp_path: Path) -> None:
    plan = complete()
    (explorer,) = explorers(plan, gather(plan, tmp_path), details().explorations)
    steps = steps_of(explorer.slider.html)
    assert [step["texts"]["value"][:4] for step in steps] == ["50.0", "70.7", "100."]
    proofs = [step["texts"]["proof"] for step in steps]
    assert proofs[0].startswith("Proven optimal")
    assert "by more than 1.0" in proofs[1]
    assert proofs[2].startswith("The solver gave no bound")
    shown = plot_of(explorer.widths)
    bars = [changed(shown, step["figures"]["explore-0-widths"])["data"][0] for step in steps]
    assert [bar["x"] for bar in bars] == [[25.0] * 5, [50.0] * 5, [100.0] * 5]
    assert 'value="0"' in explorer.slider.html  # the limit of the smallest member
    marked = next(trace for trace in plot_of(explorer.curve)["data"] if trace["name"] == "Members of the family")
    assert marked["y"] == [pytest.approx(100 * r.value / FULL_VALUE) for r in plan.subnetworks if r.value]


@pytest.mark.parametrize("full_value", [None, 0, -5])
def test_without_a_positive_full_value_values_are_shown_as_they_are(full_value: int | None, tmp_path: Path) -> None:
    plan = complete()
    (exploration,) = details().explorations
    (explorer,) = explorers(plan, gather(plan, tmp_path), [dataclasses.replace(exploration, full_value=full_value)])
    assert steps_of(explorer.slider.html)[0]["texts"]["value"].startswith("value 1")


# --- layers and memory ----------------------------------------------------------------------------------------------


def test_a_branch_has_a_lane_of_its_own() -> None:
    rows = lane_rows(LAYERS)
    assert [row.lane for row in rows] == [0, 0, 1, 0, 0]
    assert rows[2].keeps == (0,)  # the addition reads it again
    assert rows[3].joining == (0, 1)
    assert [row.goes_on for row in rows] == [True, True, True, True, False]
    assert lane_count(rows) == 2
    assert lane_count(lane_rows(())) == 1


def test_lanes_of_ended_branches_are_used_again() -> None:
    chain = [LayerDetails("a", "x", ())]
    for i in range(20):
        last = chain[-1].name
        chain += [LayerDetails(f"b{i}", "x", (last,)), LayerDetails(f"c{i}", "x", (last, f"b{i}"))]
    assert lane_count(lane_rows(chain)) == 2


def test_a_layer_that_is_called_twice_is_two_rows() -> None:
    shared = LayerDetails("s", "x", ("a",)), LayerDetails("s", "x", ("b",))
    rows = lane_rows(
        (LayerDetails("a", "x", ()), LayerDetails("b", "x", ()), *shared, LayerDetails("add", "x", ("s",)))
    )
    assert len(rows) == 5


def test_the_table_of_each_member_has_its_channels_and_costs(tmp_path: Path) -> None:
    plan = complete()
    view = network_view(plan, gather(plan, tmp_path), details())
    assert view is not None
    assert len(view.tables) == 3
    width = plan.subnetworks[0].widths["conv2d"]
    row = view.tables[0].rows[1]
    assert (row.name, row.kind, row.kept) == ("relu", "ReLU", f"{width} of 64")
    assert row.share == pytest.approx(100 * width / 64, abs=0.01)
    assert [cell.value for cell in row.cells] == [None, 1000, 250, 100, 25]
    assert view.tables[0].rows[4].share is None  # dense has no group


def test_activations_have_the_role_they_play_and_those_in_place_their_writers() -> None:
    full = network("full", 1.0)
    stored = storages(LAYERS, full.memory)
    assert stored["relu"] == "conv2d"
    played = [roles(layer, step, stored) for layer, step in zip(LAYERS, full.memory, strict=True)]
    assert played[2] == {"conv2d": ROLES[0], "depthwise_1": ROLES[1]}
    assert played[3] == {"conv2d": ROLES[0], "depthwise_1": ROLES[0], "add": ROLES[1]}
    later = LayerDetails("other", "x", ("depthwise_1",))
    assert roles(later, full.memory[2], stored)["conv2d"] == ROLES[2]
    said = peak_sentence(network("25", 0.25), "25 %", full)
    assert "at layer add, with 3.00\u202fKiB" in said
    assert "at the same layer, with 12.0\u202fKiB" in said


# --- classes and training -------------------------------------------------------------------------------------------


def test_the_classes_that_suffer_are_named(tmp_path: Path) -> None:
    report = class_report(gather(complete(), tmp_path), details().classes)
    assert report is not None
    assert report.sentences[-1].endswith("the largest losses are in no (−30.0 points), yes (−10.0 points).")
    assert report.sentences[0] == "input model: its lowest recall is 90.0\u202f%, in no."
    assert "no class is recognised less often" in report.sentences[1]
    assert [row.heading.text for row in report.table.blocks[0].rows] == ["no", "yes", "<b>up</b>"]
    assert class_report(gather(complete(), tmp_path), ()) is None


def test_a_class_that_is_a_number_is_called_a_class(tmp_path: Path) -> None:
    report = class_report(gather(complete(), tmp_path), (ClassDetails("7", 10, {"before": 0.9, "25": 0.5}),))
    assert report is not None
    assert report.sentences[-1].endswith("the largest losses are in class 7 (−40.0 points).")


def test_curves_are_those_of_the_file(folder: Path) -> None:
    pictures = training_pictures(gather(complete(), folder), load_history(folder))
    assert [picture.caption for picture in pictures] == ["Loss by epoch", "Accuracy by epoch", "Learning rate by epoch"]
    loss, accuracy, rate = (plot_of(picture)["data"] for picture in pictures)
    assert loss[0]["y"] == [1.0, 0.5, pytest.approx(1 / 3)]
    assert [trace["line"]["dash"] for trace in accuracy] == ["dash"] * 4  # held-back data alone
    assert [trace["name"] for trace in rate] == ["all networks"]


def test_steps_follow_one_another(tmp_path: Path) -> None:
    rows = [HistoryRow(step, epoch, "full", loss=1.0) for step in ("a", "b") for epoch in (1, 2)]
    (loss,) = training_pictures(gather(complete(), tmp_path), rows)
    plot = plot_of(loss)
    assert plot["data"][0]["x"] == [1, 2, 3, 4]
    assert [note["text"] for note in plot["layout"]["annotations"]] == ["b"]


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    plan = complete()
    family = gather(plan, tmp_path)
    assert training_pictures(family, ()) == ()
    assert network_view(plan, family, Details()) is None
    assert explorers(plan, family, ()) == ()
