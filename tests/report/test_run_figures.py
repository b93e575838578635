"""The figures of a pruning run, and how figures are drawn and saved."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
from sample_plans import (
    DS_CNN_S,
    INT8_SIZE,
    SIXTY,
    complete,
    html_of,
    sixty_groups,
    write_files,
)

from reds_core.report import drawing, figures
from reds_core.report.facts import gather


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


def test_bars_reach_to_the_width_of_each_subnetwork(tmp_path: Path) -> None:
    plan = complete()
    (figure,) = figures.channel_figures(plan, gather(plan, tmp_path))
    bars: dict[int, list[tuple[int, int]]] = {}
    for bar in figure.axes[0].patches:
        box = bar.get_bbox()
        bars.setdefault(round((box.y0 + box.y1) / 2), []).append((round(box.x0 * 64), round(box.x1 * 64)))
    for row, name in enumerate(DS_CNN_S):
        ends = [0, *(r.widths[name] for r in plan.subnetworks), 64]
        assert bars[row] == list(itertools.pairwise(ends))


def test_many_groups_take_several_figures_of_equal_height(tmp_path: Path) -> None:
    plan = sixty_groups()
    drawn = figures.channel_figures(plan, gather(plan, tmp_path))
    assert len(drawn) == 2
    assert len({tuple(f.get_size_inches()) for f in drawn}) == 1
    labels = [label.get_text() for f in drawn for label in f.axes[0].get_yticklabels()]
    assert labels == list(SIXTY)


def test_subnetworks_differ_without_colour(tmp_path: Path) -> None:
    plan = complete()
    (figure,) = figures.channel_figures(plan, gather(plan, tmp_path))
    *bars, removed = figure.legends[0].get_patches()
    assert len({bar.get_hatch() for bar in bars}) == 3
    greys = [sum(bar.get_facecolor()[:3]) for bar in (*bars, removed)]
    assert greys == sorted(greys)
    assert min(b - a for a, b in itertools.pairwise(greys)) > 0.2


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

    had_pyplot = "matplotlib.pyplot" in sys.modules
    before = html_of(complete(), tmp_path)
    with matplotlib.rc_context({"font.size": 31, "axes.labelsize": 30, "svg.fonttype": "path"}):
        assert html_of(complete(), tmp_path) == before
        assert matplotlib.rcParams["font.size"] == 31
        assert matplotlib.rcParams["svg.fonttype"] == "path"
    assert ("matplotlib.pyplot" in sys.modules) == had_pyplot
