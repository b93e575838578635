"""The figures of a pruning run, and how figures are drawn and saved."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
from html_pages import plot_of
from sample_plans import (
    DS_CNN_S,
    INT8_SIZE,
    SIXTY,
    complete,
    sixty_groups,
    write_files,
)

from reds_core.report import drawing, figures
from reds_core.report.accuracy_plots import accuracy_pictures, pareto_front
from reds_core.report.facts import gather
from reds_core.report.width_plots import channels_picture


def test_points_are_the_plans_and_the_folders(tmp_path: Path) -> None:
    plan = complete()
    write_files(plan, tmp_path)
    family = gather(plan, tmp_path)
    points = figures.accuracy_points(family, "macs")
    assert [kind.name for kind in points] == ["keras", "tflite", "tflite_int8"]
    assert [(p.x, p.y) for p in points[family.kinds.model]] == [
        *((r.usage["macs"], r.accuracy.after) for r in plan.subnetworks),
        (plan.full.usage["macs"], plan.full.accuracy.after),
    ]
    sizes = figures.accuracy_points(family, figures.FILE_SIZE)
    assert family.kinds.int8 is not None
    assert [p.x for p in sizes[family.kinds.int8]] == [INT8_SIZE * i // 3 for i in (1, 2, 3)]


def test_lines_of_a_figure_are_its_points_in_units(tmp_path: Path) -> None:
    plan = complete()
    family = gather(plan, tmp_path)
    figure = figures.accuracy_figure(family, "macs")
    assert figure is not None
    (axes,) = figure.axes
    assert axes.get_xlabel() == "MACs (MMAC)"
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert set(lines) == {"Keras", "LiteRT float32", "LiteRT int8"}
    assert list(lines["Keras"].get_xdata()) == [
        p.x / 1e6 for p in figures.accuracy_points(family, "macs")[family.kinds.model]
    ]
    markers = {(line.get_marker(), line.get_linestyle()) for line in lines.values()}
    assert len(markers) == 3  # told apart without colour
    assert {t.get_text() for t in axes.texts} == {"full", *(m.label for m in family.subnetworks)}


def test_files_that_are_missing_have_no_size_to_draw(tmp_path: Path) -> None:
    assert figures.accuracy_figure(gather(complete(), tmp_path), figures.FILE_SIZE) is None


def test_the_page_draws_the_same_points_and_their_pareto_front(tmp_path: Path) -> None:
    family = gather(complete(), tmp_path)
    first = accuracy_pictures(family)[0]
    series = {trace.get("name"): trace for trace in plot_of(first)["data"]}
    assert {"Keras", "LiteRT float32", "LiteRT int8", "Pareto front"} < set(series)
    points = figures.accuracy_points(family, "macs")[family.kinds.model]
    assert series["Keras"]["x"] == [p.x / 1e6 for p in points]
    assert series["Keras"]["y"] == [pytest.approx(100 * p.y) for p in points]
    styles = {(series[n]["marker"]["symbol"], series[n]["line"]["dash"]) for n in ("Keras", "LiteRT int8")}
    assert len(styles) == 2  # told apart without colour


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(1, 0.5), (2, 0.4), (3, 0.9)], [(1, 0.5), (3, 0.9)]),
        ([(2, 0.8), (1, 0.8), (1, 0.7)], [(1, 0.8)]),
        ([], []),
    ],
)
def test_no_point_of_a_front_is_worse_and_dearer(
    points: list[tuple[int, float]], front: list[tuple[int, float]]
) -> None:
    found = pareto_front([figures.AccuracyPoint("n", x, y) for x, y in points])
    assert [(p.x, p.y) for p in found] == front


def test_bars_reach_to_the_width_of_each_subnetwork(tmp_path: Path) -> None:
    plan = complete()
    picture = channels_picture(plan, gather(plan, tmp_path))
    assert picture is not None
    bars = plot_of(picture)["data"]
    for row, name in enumerate(DS_CNN_S):
        ends = list(itertools.accumulate(bar["x"][row] for bar in bars))
        assert ends == [pytest.approx(100 * n / 64) for n in (*(r.widths[name] for r in plan.subnetworks), 64)]
    assert len({bar["marker"]["pattern"]["shape"] for bar in bars[:-1]}) == 3  # told apart without colour


def test_many_groups_take_a_higher_figure(tmp_path: Path) -> None:
    heights = []
    for plan, groups in ((sixty_groups(), SIXTY), (complete(), DS_CNN_S)):
        picture = channels_picture(plan, gather(plan, tmp_path))
        assert picture is not None
        layout = plot_of(picture)["layout"]
        assert layout["yaxis"]["ticktext"] == list(groups)
        heights.append(layout["height"])
    assert heights[0] > 2 * heights[1]


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_figure_is_saved_alike_each_time(suffix: str, start: bytes, tmp_path: Path) -> None:
    contents = []
    for attempt in range(2):
        figure = figures.accuracy_figure(gather(complete(), tmp_path), "macs")
        assert figure is not None
        path = tmp_path / f"{attempt}{suffix}"
        drawing.save_figure(figure, path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(start)


def test_the_users_matplotlib_settings_are_neither_used_nor_changed(tmp_path: Path) -> None:
    import matplotlib

    def drawn(path: Path) -> bytes:
        figure = figures.accuracy_figure(gather(complete(), tmp_path), "macs")
        assert figure is not None
        drawing.save_figure(figure, path)
        return path.read_bytes()

    had_pyplot = "matplotlib.pyplot" in sys.modules
    before = drawn(tmp_path / "a.svg")
    with matplotlib.rc_context({"font.size": 31, "axes.labelsize": 30, "svg.fonttype": "path"}):
        assert drawn(tmp_path / "b.svg") == before
        assert matplotlib.rcParams["font.size"] == 31
        assert matplotlib.rcParams["svg.fonttype"] == "path"
    assert ("matplotlib.pyplot" in sys.modules) == had_pyplot
